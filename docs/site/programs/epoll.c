/*  A socket in an epoll loop. */

/* ANCHOR: program */
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

int main (void)
{
    char text[16];
    int descriptor, count = 0;
    size_t size = sizeof (descriptor);
    int receiver = nn_socket (AF_SP, NN_PULL), sender = nn_socket (AF_SP, NN_PUSH);
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1 (0);

    nn_bind (receiver, "inproc://jobs");
    nn_connect (sender, "inproc://jobs");
    nn_send (sender, "one", 4, 0);
    nn_send (sender, "two", 4, 0);

    nn_getsockopt (receiver, NN_SOL_SOCKET, NN_RCVFD, &descriptor, &size);
    epoll_ctl (epoll, EPOLL_CTL_ADD, descriptor, &event);
    while (count < 2) {
        epoll_wait (epoll, &event, 1, -1);
        /*  The descriptor stays readable as long as there are messages, so one for each turn is enough;
            several save calls. */
        while (nn_recv (receiver, text, sizeof (text), NN_DONTWAIT) >= 0) {
            printf ("%s\n", text);
            count++;
        }
        if (nn_errno () != EAGAIN)
            return 1;
    }
    nn_close (sender);
    return nn_close (receiver);
}
/* ANCHOR_END: program */
