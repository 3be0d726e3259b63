/*  A dialer to a port of this machine without a listener, which is one of those that the kernel
    gives to outgoing connections: the kernel connects the dialer's socket to itself. Here the
    kernel has no other port to give, so each attempt connects to itself. */

#include "../lib/network.h"

#define PORT 40000
#define ATTEMPTS 20

static void connect_to_nobody (const char *address)
{
    int client = open_patient (NN_PAIR), server = open_patient (NN_PAIR);
    set_int (client, NN_SOL_SOCKET, NN_IPV4ONLY, 0);
    set_int (server, NN_SOL_SOCKET, NN_IPV4ONLY, 0);
    connect_to (client, address);
    wait_until (nn_get_statistic (client, NN_STAT_CONNECT_ERRORS) >= ATTEMPTS);
    uint64_t established = nn_get_statistic (client, NN_STAT_ESTABLISHED_CONNECTIONS);
    check (set_port_range (PORT + 1, PORT + 1000));
    /*  The last attempt may still hold the port. */
    bind_when_free (server, address);
    send_text (client, "hello");
    expect_text (server, "hello");
    say ("%s, where nobody listens: %llu connections in %d attempts; then a server binds the port, "
         "and is connected", address, (unsigned long long) established, ATTEMPTS);
    check (established == 0);
    close_socket (client);
    close_socket (server);
}

int main (void)
{
    static const char *const addresses[] = { "tcp://127.0.0.1:40000", "ws://127.0.0.1:40000",
        "tcp://[::1]:40000" };
    if (!leave_network ())
        return 0;
    switch_interface ("lo", 1);
    for (int i = 0; i < 3; i++) {
        if (!set_port_range (PORT, PORT))
            return 0;
        connect_to_nobody (addresses[i]);
    }
    return 0;
}
