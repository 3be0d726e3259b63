/*  TLS for tests: the certificates in scaproust/src/tls/certificates, and sockets that use them. */

#ifndef CAPI_SECURE_H
#define CAPI_SECURE_H

#include "test.h"
#include <nanomsg/tls.h>

/*  The path of one of the certificates, in a buffer of the caller's. */
static inline const char *certificate (const char *name, char *buffer, size_t size)
{
    /*  This file's own path, as the compiler was given it. */
    const char *own = __FILE__;
    int folder = (int) (strrchr (own, '/') - own);
    snprintf (buffer, size, "%.*s/../../scaproust/src/tls/certificates/%s.pem", folder, own,
        name);
    return buffer;
}

/*  Whether the library has TLS. One without it must not know the options, nor the transports. */
static inline int has_tls (void)
{
    char address[NN_SOCKADDR_MAX];
    int s = open_socket (NN_PAIR), zero = 0;
    int result = nn_setsockopt (s, NN_TLS, NN_TLS_SYSTEM_ROOTS, &zero, sizeof (zero));
    if (result != 0) {
        check (nn_errno () == ENOPROTOOPT);
        snprintf (address, sizeof (address), "tls+tcp://127.0.0.1:%d", free_port ());
        check_error (nn_bind (s, address), EPROTONOSUPPORT);
        check_error (nn_connect (s, address), EPROTONOSUPPORT);
        check_error (nn_connect (s, "wss://127.0.0.1"), EPROTONOSUPPORT);
        fprintf (stderr, "the library has no TLS\n");
    }
    close_socket (s);
    return result == 0;
}

static inline void set_tls (int s, int option, const char *text)
{
    if (nn_setsockopt (s, NN_TLS, option, text, strlen (text)) != 0)
        fail ("nn_setsockopt of NN_TLS %d to %s: %s", option, text, error_name (nn_errno ()));
}

/*  Sets an option to the path of one of the certificates. */
static inline void set_certificate (int s, int option, const char *name)
{
    char path[4096];
    set_tls (s, option, certificate (name, path, sizeof (path)));
}

/*  A socket for a bound endpoint, and one that trusts it. */
static inline int open_server (int protocol)
{
    int s = open_patient (protocol);
    set_certificate (s, NN_TLS_CERT_FILE, "server");
    return s;
}

static inline int open_client (int protocol)
{
    int s = open_patient (protocol);
    set_certificate (s, NN_TLS_CA_FILE, "ca");
    return s;
}

/*  Gives certificates to the sockets that are opened from now on, of programs that know nothing
    of TLS. */
static inline void secure_environment (void)
{
    char path[4096];
    setenv ("NN_TLS_CERT_FILE", certificate ("server", path, sizeof (path)), 1);
    setenv ("NN_TLS_CA_FILE", certificate ("ca", path, sizeof (path)), 1);
}

static const char *const secure_transports[] = { "tls+tcp", "wss" };
#define each_secure_transport(t)                                               \
    for (int index_ = 0; index_ < 2; index_++)                                 \
        for (const char *t = secure_transports[index_]; t; t = NULL)

#endif
