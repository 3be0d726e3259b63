/*  A network of the test's own: a namespace, and its interfaces. */

#ifndef CAPI_NETWORK_H
#define CAPI_NETWORK_H

#include "test.h"
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

static inline int request (const char *interface, unsigned long what, struct ifreq *value)
{
    int s = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    strcpy (value->ifr_name, interface);
    int result = ioctl (s, what, value);
    close (s);
    return result;
}

static inline void switch_interface (const char *interface, int on)
{
    struct ifreq value;
    memset (&value, 0, sizeof (value));
    value.ifr_flags = on ? IFF_UP | IFF_RUNNING : 0;
    check (request (interface, SIOCSIFFLAGS, &value) == 0);
}

/*  Moves the test to a network namespace of its own, where no interface is up. Returns whether
    that worked; if not, the test has said that it is left out. */
static inline int leave_network (void)
{
    if (unshare (CLONE_NEWNET) == 0)
        return 1;
    say ("SKIPPED: this user may not make network namespaces");
    return 0;
}

/*  Has the kernel give outgoing connections the ports from `first` to `last`; whether it may. */
static inline int set_port_range (int first, int last)
{
    FILE *file = fopen ("/proc/sys/net/ipv4/ip_local_port_range", "we");
    if (file) {
        fprintf (file, "%d %d", first, last);
        if (fclose (file) == 0)
            return 1;
    }
    say ("SKIPPED: this user may not choose the ports of a network namespace");
    return 0;
}

#endif
