/*  A socket in a libuv loop. */

/* ANCHOR: program */
#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <stdio.h>
#include <uv.h>

static int receiver;

static void on_readable (uv_poll_t *handle, int status, int events)
{
    char text[16];
    (void) events;
    while (status == 0 && nn_recv (receiver, text, sizeof (text), NN_DONTWAIT) >= 0) {
        printf ("%s\n", text); /* hello */
        uv_poll_stop (handle);
    }
}

int main (void)
{
    int descriptor;
    size_t size = sizeof (descriptor);
    int sender = nn_socket (AF_SP, NN_PUSH);
    uv_poll_t handle;

    receiver = nn_socket (AF_SP, NN_PULL);
    nn_bind (receiver, "inproc://jobs");
    nn_connect (sender, "inproc://jobs");
    nn_getsockopt (receiver, NN_SOL_SOCKET, NN_RCVFD, &descriptor, &size);
    uv_poll_init (uv_default_loop (), &handle, descriptor);
    uv_poll_start (&handle, UV_READABLE, on_readable);
    nn_send (sender, "hello", 6, 0);
    uv_run (uv_default_loop (), UV_RUN_DEFAULT);
    nn_close (sender);
    return nn_close (receiver);
}
/* ANCHOR_END: program */
