/*  What every test program here shares: printing what was observed, failing with a
    reason, waiting for a condition; and, in sockets.h and processes.h, the rest.

    A program prints its observations on stdout, one fact a line, with nothing
    in them that varies from run to run. Where the two libraries differ on
    purpose, the program asks `only_ours (why)` and asserts instead of printing.
*/

#ifndef CAPI_TEST_H
#define CAPI_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <nanomsg/nn.h>

/*  The longest time, in milliseconds, that a test waits for an event that must
    come. Reaching it is a failure, never an observation. */
#define LIMIT_MS 20000

/*  How long, in milliseconds, a test waits for an event that must not come. */
#define QUIET_MS 50

/* ---- printing and failing ------------------------------------------------ */

/*  The name of an error number, as C programs write it. */
static inline const char *error_name (int number)
{
    switch (number) {
    case EACCES: return "EACCES";
    case EADDRINUSE: return "EADDRINUSE";
    case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
    case EAFNOSUPPORT: return "EAFNOSUPPORT";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case EFAULT: return "EFAULT";
    case EFSM: return "EFSM";
    case EINTR: return "EINTR";
    case EINVAL: return "EINVAL";
    case EMFILE: return "EMFILE";
    case EMSGSIZE: return "EMSGSIZE";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case ENODEV: return "ENODEV";
    case ENOENT: return "ENOENT";
    case ENOMEM: return "ENOMEM";
    case ENOPROTOOPT: return "ENOPROTOOPT";
    case ENOTSUP: return "ENOTSUP";
    case EPROTONOSUPPORT: return "EPROTONOSUPPORT";
    case ETERM: return "ETERM";
    case ETIMEDOUT: return "ETIMEDOUT";
    default: return strerror (number);
    }
}

/*  Ends the program as failed, with the reason on stderr. */
#define fail(...) fail_at (__FILE__, __LINE__, __VA_ARGS__)
static inline void fail_at (const char *file, int line, const char *format, ...)
    __attribute__ ((format (printf, 3, 4), noreturn));
static inline void fail_at (const char *file, int line, const char *format, ...)
{
    va_list arguments;
    fflush (stdout);
    fprintf (stderr, "%s:%d: ", file, line);
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fprintf (stderr, "\n");
    _exit (1);
}

/*  Fails unless `truth` holds; the last errno is part of the reason. */
#define check(truth)                                                           \
    do {                                                                       \
        if (!(truth))                                                          \
            fail ("not true: %s (last error: %s)", #truth,                     \
                error_name (nn_errno ()));                                     \
    } while (0)

/*  Fails unless `call` returns -1 (or NULL, as 0) and errno is `number`. */
#define check_error(call, number)                                              \
    do {                                                                       \
        errno = 0;                                                             \
        long result_ = (long) (call);                                          \
        int error_ = nn_errno ();                                              \
        if ((result_ != -1 && result_ != 0) || error_ != (number))             \
            fail ("%s: %ld, %s instead of %s", #call, result_,                 \
                error_name (error_), #number);                                 \
    } while (0)

/*  One observation on stdout. */
static inline void say (const char *format, ...)
    __attribute__ ((format (printf, 1, 2)));
static inline void say (const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    printf ("\n");
    fflush (stdout);
}

/*  Prints the result of a call, or the name of its error. */
#define show(what, call)                                                       \
    do {                                                                       \
        errno = 0;                                                             \
        long result_ = (long) (call);                                          \
        int error_ = nn_errno ();                                              \
        if (result_ == -1)                                                     \
            say ("%s: %s", what, error_name (error_));                         \
        else                                                                   \
            say ("%s: %ld", what, result_);                                    \
    } while (0)

/*  True when the program runs on the C library. */
static inline int on_reference (void)
{
    const char *value = getenv ("NN_REFERENCE");
    return value && *value == '1';
}

/*  True on our library. On the C library it notes the reason and is false. */
static inline int only_ours (const char *why)
{
    if (!on_reference ())
        return 1;
    fprintf (stderr, "skipped on the reference: %s\n", why);
    return 0;
}

/* ---- time ----------------------------------------------------------------- */

static inline int64_t now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*  Checks `condition` every millisecond until it holds, and fails at the limit. For facts that
    no descriptor announces. */
#define wait_until(condition)                                                  \
    do {                                                                       \
        int64_t end_ = now_ms () + LIMIT_MS;                                   \
        while (!(condition)) {                                                 \
            if (now_ms () > end_)                                              \
                fail ("still not true: %s", #condition);                       \
            poll (NULL, 0, 1);                                                 \
        }                                                                      \
    } while (0)

#include "sockets.h"
#include "processes.h"

#endif
