/*  Endpoints: their ids, nn_shutdown, addresses in use, the files of ipc. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

static void ids (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_socket (NN_PULL), other = open_socket (NN_PULL);

    show ("first", nn_bind (s, "inproc://ids-1"));
    show ("second", nn_connect (s, "inproc://ids-2"));
    show ("a bad one", nn_bind (s, "nonsense"));
    show ("third", nn_bind (s, fresh_address ("tcp", address)));
    show ("shut down 2", nn_shutdown (s, 2));
    show ("shut down 2 again", nn_shutdown (s, 2));
    show ("shut down 0", nn_shutdown (s, 0));
    show ("shut down -1", nn_shutdown (s, -1));
    show ("shut down 4", nn_shutdown (s, 4));
    show ("shut down 1000000", nn_shutdown (s, 1000000));
    show ("fourth", nn_bind (s, "inproc://ids-4"));
    show ("the other socket's first", nn_bind (other, "inproc://ids-5"));
    show ("shut down 1", nn_shutdown (s, 1));
    show ("shut down 3", nn_shutdown (s, 3));
    show ("shut down 4", nn_shutdown (s, 4));
    show ("fifth", nn_connect (s, "inproc://ids-6"));
    close_socket (s);
    close_socket (other);
}

static void in_use (void)
{
    each_transport (transport) {
        char address[NN_SOCKADDR_MAX];
        fresh_address (transport, address);
        say ("%s", transport);
        int s = open_patient (NN_PULL), other = open_patient (NN_PULL);
        show ("  bound", nn_bind (s, address));
        show ("  by another socket", nn_bind (other, address));
        show ("  by the same socket", nn_bind (s, address));
        show ("  shut down", nn_shutdown (s, 1));
        bind_when_free (other, address);
        say ("  free after nn_shutdown");
        close_socket (other);
        bind_when_free (s, address);
        say ("  free after nn_close");

        int sender = open_patient (NN_PUSH);
        connect_to (sender, address);
        send_text (sender, "through");
        say ("  received \"%s\"", receive_text (s));
        close_socket (sender);
        close_socket (s);
    }
}

/*  An endpoint that is shut down carries no messages any more; the others do. */
static void shut_down (void)
{
    each_transport (transport) {
        char kept[NN_SOCKADDR_MAX], gone[NN_SOCKADDR_MAX];
        int receiver = open_patient (NN_PULL), other = open_patient (NN_PULL);
        int sender = open_patient (NN_PUSH);
        bind_to (receiver, fresh_address (transport, gone));
        bind_to (other, fresh_address (transport, kept));
        int id = connect_to (sender, gone);
        send_text (sender, "before");
        expect_text (receiver, "before");
        show (transport, nn_shutdown (sender, id));
        wait_until (!is_readable (descriptor_of (sender, NN_SNDFD), 0));
        show ("  sent to nobody", nn_send (sender, "x", 1, NN_DONTWAIT));
        connect_to (sender, kept);
        send_text (sender, "after");
        expect_text (other, "after");
        show ("  the first receiver has", nn_recv (receiver, gone, 1, NN_DONTWAIT));
        close_socket (sender);
        close_socket (receiver);
        close_socket (other);
    }
}

static int exists (const char *address)
{
    struct stat status;
    return lstat (address + strlen ("ipc://"), &status) == 0;
}

/*  Leaves a socket file behind on which no process listens. */
static void leave_file (const char *address)
{
    struct sockaddr_un file;
    memset (&file, 0, sizeof (file));
    file.sun_family = AF_UNIX;
    strcpy (file.sun_path, address + strlen ("ipc://"));
    int descriptor = socket (AF_UNIX, SOCK_STREAM, 0);
    check (bind (descriptor, (struct sockaddr *) &file, sizeof (file)) == 0);
    close (descriptor);
}

static void ipc_files (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_socket (NN_PAIR);
    fresh_address ("ipc", address);

    int id = bind_to (s, address);
    say ("the file is there: %d", exists (address));
    show ("shut down", nn_shutdown (s, id));
    wait_until (!exists (address));
    say ("the file is gone");
    close_socket (s);

    s = open_socket (NN_PAIR);
    leave_file (address);
    say ("a stale file is there: %d", exists (address));
    show ("and bound over: id", nn_bind (s, address));
    int other = open_socket (NN_PAIR);
    show ("a live one", nn_bind (other, address));
    close_socket (other);
    say ("it is still there: %d", exists (address));
    close_socket (s);
    say ("there after nn_close: %d", exists (address));

    s = open_socket (NN_PAIR);
    show ("in a folder that is not there", nn_bind (s, "ipc://no-folder/file"));
    if (only_ours ("it aborts where such a bind failed"))
        check (bind_to (s, address) == 1);
    close_socket (s);
}

int main (void)
{
    ids ();
    in_use ();
    shut_down ();
    ipc_files ();
    return 0;
}
