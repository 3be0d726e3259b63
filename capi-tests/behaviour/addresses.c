/*  Addresses: which ones nn_bind and nn_connect accept, and the errors for the others. */

#include "../lib/test.h"
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>

static void try_plain (const char *address)
{
    try_both (address, address);
}

static void general (void)
{
    char text[4096];
    try_both ("NULL", NULL);
    try_both ("nothing", "");
    try_plain ("tcp");
    try_plain ("tcp:");
    try_plain ("tcp:/");
    try_plain ("tcp:/x");
    try_plain ("://x");
    try_plain ("nonsense://x");
    try_plain ("TCP://127.0.0.1:5555");
    try_plain (" inproc://x");
    try_plain ("inprocess://x");
    try_plain ("inpro://x");
    try_plain ("inproc://a name with spaces");
    try_plain ("inproc://");

    strcpy (text, "inproc://");
    memset (text + 9, 'a', sizeof (text) - 9);
    text[127] = 0;
    try_both ("127 bytes", text);
    text[127] = 'a';
    text[128] = 0;
    try_both ("128 bytes", text);
    text[128] = 'a';
    text[sizeof (text) - 1] = 0;
    try_both ("4095 bytes", text);
    memcpy (text, "unknown:/", 9);
    try_both ("4095 bytes, unknown transport", text);
    memcpy (text, "tcp://lll", 9);
    try_both ("4095 bytes of tcp", text);
}

static void tcp (void)
{
    try_plain ("tcp://");
    try_plain ("tcp://*");
    try_plain ("tcp://127.0.0.1");
    try_plain ("tcp://127.0.0.1:");
    try_plain ("tcp://127.0.0.1:65536");
    try_plain ("tcp://127.0.0.1:99999999999999999999");
    try_plain ("tcp://127.0.0.1:-1");
    try_plain ("tcp://127.0.0.1:+1");
    try_plain ("tcp://127.0.0.1: 1");
    try_plain ("tcp://127.0.0.1:port");
    try_plain ("tcp://127.0.0.1:1x");
    try_port ("tcp://127.0.0.1:%d");
    try_port ("tcp://127.0.0.1:0%d");
    try_port ("tcp://*:%d");
    try_port ("tcp://0.0.0.0:%d");
    try_port ("tcp://no-such-interface0:%d");
    try_port ("tcp://[::1]:%d");
    try_port ("tcp://[::1:%d");
    try_port ("tcp://a host:%d");
    try_port ("tcp://-host:%d");
    try_port ("tcp://a..host:%d");
    try_port ("tcp://under_score:%d");
    try_port ("tcp://no-such-interface0;127.0.0.1:%d");
    try_port ("tcp://127.0.0.1;*:%d");
    try_port ("tcp://127.0.0.1;:%d");
    try_port ("tcp://;127.0.0.1:%d");
    try_port ("tcp://127.0.0.1;127.0.0.1:%d");
    try_plain ("tcp://127.0.0.1;127.0.0.1:");

    int s = open_socket (NN_PAIR);
    char address[NN_SOCKADDR_MAX];
    snprintf (address, sizeof (address), "tcp://localhost:%d", free_port ());
    show ("bind to a host's name", nn_bind (s, address));
    close_socket (s);
}

/*  A message through a bound and a connected address of the same port. */
static void carry (const char *what, const char *bound, int bound_ipv4only,
    const char *connected, int connected_ipv4only)
{
    char address[NN_SOCKADDR_MAX];
    int port = free_port ();
    int receiver = open_patient (NN_PULL), sender = open_patient (NN_PUSH);
    set_int (receiver, 0, NN_IPV4ONLY, bound_ipv4only);
    set_int (sender, 0, NN_IPV4ONLY, connected_ipv4only);
    snprintf (address, sizeof (address), "%s:%d", bound, port);
    bind_to (receiver, address);
    snprintf (address, sizeof (address), "%s:%d", connected, port);
    connect_to (sender, address);
    send_text (sender, what);
    expect_text (receiver, what);
    close_socket (sender);
    close_socket (receiver);
}

static int has_ipv6 (void)
{
    struct sockaddr_in6 address;
    memset (&address, 0, sizeof (address));
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    int descriptor = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return 0;
    int works = bind (descriptor, (struct sockaddr *) &address, sizeof (address)) == 0;
    close (descriptor);
    return works;
}

int main (void)
{
    general ();
    tcp ();
    carry ("every interface", "tcp://*", 1, "tcp://127.0.0.1", 1);
    carry ("local;remote", "tcp://127.0.0.1", 1, "tcp://127.0.0.1;127.0.0.1", 1);
    carry ("a host's name", "tcp://127.0.0.1", 1, "tcp://localhost", 1);
    if (has_ipv6 ()) {
        carry ("every interface, IPv6 too", "tcp://*", 0, "tcp://127.0.0.1", 1);
        carry ("IPv6", "tcp://[::1]", 0, "tcp://[::1]", 0);
        carry ("IPv6 on every interface", "tcp://*", 0, "tcp://[::1]", 0);
    }
    else
        fprintf (stderr, "skipped: this machine has no IPv6\n");
    say ("messages went through every kind of address");
    if (only_ours ("it knows no interface names")) {
        carry ("an interface", "tcp://lo", 1, "tcp://127.0.0.1", 1);
        carry ("a local interface", "tcp://127.0.0.1", 1, "tcp://lo;127.0.0.1", 1);
    }
    if (only_ours ("it aborts where NN_IPV4ONLY is 0 and the address is of IPv4"))
        carry ("IPv4 without NN_IPV4ONLY", "tcp://127.0.0.1", 0, "tcp://127.0.0.1", 0);
    return 0;
}
