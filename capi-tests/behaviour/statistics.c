/*  nn_get_statistic: what was sent and received, and how connections fared. */

#include "../lib/test.h"
#include <nanomsg/pair.h>

static const struct { int number; const char *name; } statistics[] = {
    { NN_STAT_ESTABLISHED_CONNECTIONS, "established" },
    { NN_STAT_ACCEPTED_CONNECTIONS, "accepted" },
    { NN_STAT_BIND_ERRORS, "bind errors" },
    { NN_STAT_ACCEPT_ERRORS, "accept errors" },
    { NN_STAT_CURRENT_CONNECTIONS, "current" },
    { NN_STAT_MESSAGES_SENT, "messages sent" },
    { NN_STAT_MESSAGES_RECEIVED, "messages received" },
    { NN_STAT_BYTES_SENT, "bytes sent" },
    { NN_STAT_BYTES_RECEIVED, "bytes received" },
};

static void show_all (const char *what, int s)
{
    for (size_t i = 0; i < sizeof (statistics) / sizeof (statistics[0]); i++)
        say ("  %s, %s: %lld", what, statistics[i].name,
            (long long) nn_get_statistic (s, statistics[i].number));
}

int main (void)
{
    show ("of no socket", (int64_t) nn_get_statistic (0, NN_STAT_MESSAGES_SENT));
    int s = open_socket (NN_PAIR);
    show ("unknown", (int64_t) nn_get_statistic (s, 0));
    show ("unknown", (int64_t) nn_get_statistic (s, 100));
    show ("unknown", (int64_t) nn_get_statistic (s, -1));
    show ("of a bad id", (int64_t) nn_get_statistic (-1, NN_STAT_MESSAGES_SENT));
    show_all ("new", s);
    close_socket (s);

    for (int i = 0; i < 2; i++) {
        const char *transport = i ? "tcp" : "ipc";
        char address[NN_SOCKADDR_MAX];
        int a = open_patient (NN_PAIR), b = open_patient (NN_PAIR);
        bind_to (a, fresh_address (transport, address));
        connect_to (b, address);
        wait_writable (a);
        wait_writable (b);
        say ("%s", transport);
        send_text (a, "twelve bytes");
        expect_text (b, "twelve bytes");
        send_text (a, "");
        expect_text (b, "");
        send_text (b, "back");
        expect_text (a, "back");
        show ("  fails", nn_recv (a, address, 1, NN_DONTWAIT));
        show_all ("bound", a);
        show_all ("connected", b);
        close_socket (b);
        wait_until (nn_get_statistic (a, NN_STAT_CURRENT_CONNECTIONS) == 0);
        show_all ("left alone", a);
        close_socket (a);
    }
    return 0;
}
