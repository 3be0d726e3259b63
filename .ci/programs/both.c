/*  A program that uses libnanomsg and other Rust code. */

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>

#include <stdio.h>

int other_rust_code (void);

int main (int argc, char **argv)
{
    char buffer [8];
    int bound = nn_socket (AF_SP, NN_PAIR);
    int connected = nn_socket (AF_SP, NN_PAIR);

    if (argc != 2 || nn_bind (bound, argv [1]) < 0 || nn_connect (connected, argv [1]) < 0)
        return 1;
    if (nn_send (connected, "hello", 6, 0) != 6 || nn_recv (bound, buffer, sizeof (buffer), 0) != 6)
        return 1;
    printf ("%s %d\n", buffer, other_rust_code ());
    return nn_close (bound) != 0 || nn_close (connected) != 0;
}
