/*  Signals to a call that blocks. */

#ifndef CAPI_SIGNALS_H
#define CAPI_SIGNALS_H

#include "test.h"
#include <stdatomic.h>

/*  The number of runs of the handler. */
static atomic_int handled;
static atomic_int call_has_returned;

static void handle_signal (int number)
{
    (void) number;
    handled++;
}

/*  Installs the handler for SIGUSR1, with these flags of sigaction(2). */
static inline void catch_signals (int flags)
{
    struct sigaction action;
    memset (&action, 0, sizeof (action));
    action.sa_handler = handle_signal;
    action.sa_flags = flags;
    sigaction (SIGUSR1, &action, NULL);
}

/*  Sends the signal until the call has returned: a signal that comes before the
    call sleeps does not count. */
static inline void *interrupt (void *argument)
{
    pthread_t target = *(pthread_t *) argument;
    int64_t end = now_ms () + LIMIT_MS;
    while (!call_has_returned) {
        if (now_ms () > end)
            fail ("the call does not end");
        check (pthread_kill (target, SIGUSR1) == 0);
        poll (NULL, 0, 5);
    }
    return NULL;
}

/*  Runs a statement, which makes a call that blocks, and interrupts the call. */
#define interrupted(statement)                                                 \
    do {                                                                       \
        pthread_t self_ = pthread_self ();                                     \
        handled = 0;                                                           \
        call_has_returned = 0;                                                 \
        pthread_t thread_ = start_thread (interrupt, &self_);                  \
        statement;                                                             \
        call_has_returned = 1;                                                 \
        join_thread (thread_);                                                 \
    } while (0)

#endif
