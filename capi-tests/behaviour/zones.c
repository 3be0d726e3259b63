/*  Addresses of IPv6 that are unique on one link only (link-local), with the interface to that
    link. */

#include "../lib/network.h"
#include <nanomsg/ws.h>

#define LINK_LOCAL "fe80::1"

/*  Has the layout of the kernel's struct in6_ifreq. */
struct address_request {
    struct in6_addr address;
    uint32_t prefix;
    int interface;
};

/*  Adds an address of IPv6 to the loopback interface, or removes one. */
static void change_address (unsigned long what, const char *text, uint32_t prefix)
{
    struct address_request value = { .prefix = prefix, .interface = (int) if_nametoindex ("lo") };
    int s = socket (AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check (inet_pton (AF_INET6, text, &value.address) == 1);
    if (ioctl (s, what, &value) != 0)
        fail ("an address of the loopback interface: %s", strerror (errno));
    close (s);
}

/*  The kernel makes an address usable a moment after it was added. */
static int is_usable (const char *text)
{
    struct sockaddr_in6 own = { .sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex ("lo") };
    int s = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check (inet_pton (AF_INET6, text, &own.sin6_addr) == 1);
    int result = bind (s, (struct sockaddr *) &own, sizeof (own));
    close (s);
    return result == 0;
}

static int open_ipv6 (int on)
{
    int s = open_patient (NN_PAIR);
    set_int (s, NN_SOL_SOCKET, NN_IPV4ONLY, !on);
    return s;
}

/*  Binds `bound` and connects `connected`, each with the same port, and sends a message. */
static void talk (const char *transport, const char *bound, const char *connected)
{
    char address[NN_SOCKADDR_MAX];
    int server = open_ipv6 (1), client = open_ipv6 (1), port = free_port ();
    snprintf (address, sizeof (address), "%s://%s:%d", transport, bound, port);
    bind_to (server, address);
    snprintf (address, sizeof (address), "%s://%s:%d", transport, connected, port);
    connect_to (client, address);
    send_text (client, "hello");
    expect_text (server, "hello");
    close_socket (client);
    close_socket (server);
}

/*  The Host field of a request has no zone: that is known only to the client. */
static void zone_stays_here (void)
{
    char address[NN_SOCKADDR_MAX], request[1024] = "", expected[64];
    int client = open_ipv6 (1), port = free_port ();
    struct sockaddr_in6 own = { .sin6_family = AF_INET6, .sin6_port = htons ((uint16_t) port),
        .sin6_scope_id = if_nametoindex ("lo") };
    check (inet_pton (AF_INET6, LINK_LOCAL, &own.sin6_addr) == 1);
    int listener = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check (bind (listener, (struct sockaddr *) &own, sizeof (own)) == 0 && listen (listener, 1) == 0);
    snprintf (address, sizeof (address), "ws://[" LINK_LOCAL "%%lo]:%d/path", port);
    connect_to (client, address);
    check (is_readable (listener, LIMIT_MS));
    int peer = accept (listener, NULL, NULL);
    for (size_t size = 0; !strstr (request, "\r\n\r\n"); size++)
        check (size < sizeof (request) - 1 && read (peer, request + size, 1) == 1);
    snprintf (expected, sizeof (expected), "\r\nHost: [" LINK_LOCAL "]:%d\r\n", port);
    check (strstr (request, expected) != NULL);
    close (peer);
    close (listener);
    close_socket (client);
}

static void refused (const char *address)
{
    for (int on = 0; on < 2; on++) {
        int s = open_ipv6 (on);
        check_error (nn_bind (s, address), ENODEV);
        check_error (nn_connect (s, address), EINVAL);
        close_socket (s);
    }
}

int main (void)
{
    try_port ("tcp://[fe80::1%%no-such-zone]:%d");
    try_port ("tcp://fe80::1%%:%d");
    try_port ("ws://[fe80::1%%]:%d");
    if (!only_ours ("1.1.5 knows no zones; 1.2 does"))
        return 0;
    refused ("tcp://[fe80::1%no-such-zone]:5555");
    refused ("ws://[fe80::1%no-such-zone]:5555");
    refused ("tcp://[2001:db8::1%lo]:5555");
    if (!leave_network ())
        return 0;
    switch_interface ("lo", 1);
    change_address (SIOCSIFADDR, LINK_LOCAL, 64);
    wait_until (is_usable (LINK_LOCAL));
    static const char *const both[] = { "tcp", "ws" };
    for (int i = 0; i < 2; i++) {
        talk (both[i], "[" LINK_LOCAL "%lo]", "[" LINK_LOCAL "%lo]");
        talk (both[i], LINK_LOCAL "%1", "[" LINK_LOCAL "%1]");
        talk (both[i], "*", "[" LINK_LOCAL "%lo];" LINK_LOCAL "%lo");
    }
    zone_stays_here ();
    /*  From now on the interface has no other address. */
    change_address (SIOCDIFADDR, "::1", 128);
    struct ifreq none = { .ifr_addr.sa_family = AF_INET };
    check (request ("lo", SIOCSIFADDR, &none) == 0);
    for (int i = 0; i < 2; i++) {
        talk (both[i], "lo", "[" LINK_LOCAL "%lo]");
        talk (both[i], "lo", "lo;[" LINK_LOCAL "%lo]");
    }
    return 0;
}
