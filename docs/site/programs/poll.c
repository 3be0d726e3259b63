/*  One thread that receives from two sockets. */

/* ANCHOR: program */
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <stdio.h>

int main (void)
{
    char text[16];
    int jobs = nn_socket (AF_SP, NN_PULL), orders = nn_socket (AF_SP, NN_PULL);
    int sender = nn_socket (AF_SP, NN_PUSH);
    struct nn_pollfd sockets[] = { { jobs, NN_POLLIN, 0 }, { orders, NN_POLLIN, 0 } };

    nn_bind (jobs, "inproc://jobs");
    nn_bind (orders, "inproc://orders");
    nn_connect (sender, "inproc://orders");
    nn_send (sender, "stop", 5, 0);

    while (nn_poll (sockets, 2, 1000) > 0)
        for (int i = 0; i < 2; i++)
            if (sockets[i].revents & NN_POLLIN) {
                nn_recv (sockets[i].fd, text, sizeof (text), 0);
                printf ("%s: %s\n", i == 0 ? "job" : "order", text); /* order: stop */
                return nn_close (sender) + nn_close (jobs) + nn_close (orders);
            }
    return 1;
}
/* ANCHOR_END: program */
