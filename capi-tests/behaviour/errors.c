/*  nn_errno and nn_strerror. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

int main (void)
{
    for (int number = 0; number < 135; number++)
        say ("%d: %s", number, nn_strerror (number));
    say ("EFSM: %s", nn_strerror (EFSM));
    say ("ETERM: %s", nn_strerror (ETERM));
    say ("-1: %s", nn_strerror (-1));
    say ("100000: %s", nn_strerror (100000));
    errno = 0;
    check (nn_socket (0, 0) == -1);
    say ("nn_errno is errno: %d", nn_errno () == errno);
    errno = EXDEV;
    say ("and follows it: %d", nn_errno () == EXDEV);

    /*  A call that succeeds may change errno; one that fails sets it. */
    int s = open_socket (NN_PAIR);
    errno = 0;
    check (nn_shutdown (s, 5) == -1);
    say ("%s", error_name (errno));
    close_socket (s);
    return 0;
}
