/*  SURVEYOR and RESPONDENT: states, deadlines, answers that come late. */

#include "../lib/test.h"
#include <nanomsg/survey.h>

/*  A deadline that is later than the end of each test of this file. */
#define NEVER (10 * LIMIT_MS)

static int open_surveyor (int deadline)
{
    int s = open_patient (NN_SURVEYOR);
    set_int (s, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, deadline);
    return s;
}

/*  Sends surveys until all respondents receive one; after this they are connected, and only late
    answers are in flight. */
static void meet (int surveyor, const int *respondents, int count)
{
    int64_t end = now_ms () + LIMIT_MS;
    for (int i = 0; i < count; i++)
        do {
            if (now_ms () > end)
                fail ("respondent %d hears nothing", i);
            send_text (surveyor, "hello");
        } while (!is_readable (descriptor_of (respondents[i], NN_RCVFD), 10));
    send_text (surveyor, "we have met");
    for (int i = 0; i < count; i++)
        while (strcmp (receive_text (respondents[i]), "we have met") != 0)
            ;
}

static int is_pollable (int s, int events)
{
    struct nn_pollfd item = { s, (short) events, 0 };
    int count = nn_poll (&item, 1, 0);
    check (count >= 0);
    return count;
}

static void options (void)
{
    int surveyor = open_socket (NN_SURVEYOR), respondent = open_socket (NN_RESPONDENT);
    int value = 7;
    size_t size = sizeof (value);
    say ("deadline: %d", get_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE));
    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, 123);
    say ("  now: %d", get_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE));
    show ("  too short", nn_setsockopt (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, &value, 1));
    show ("  no such option", nn_setsockopt (surveyor, NN_SURVEYOR, 2, &value, size));
    show ("  asked for", nn_getsockopt (surveyor, NN_SURVEYOR, 2, &value, &size));
    show ("  at RESPONDENT's level",
        nn_setsockopt (surveyor, NN_RESPONDENT, NN_SURVEYOR_DEADLINE, &value, size));
    show ("  of RESPONDENT",
        nn_setsockopt (respondent, NN_RESPONDENT, NN_SURVEYOR_DEADLINE, &value, size));
    say ("  still: %d", get_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE));
    close_socket (surveyor);
    close_socket (respondent);
}

static void states (void)
{
    char byte;
    int surveyor = open_surveyor (50), respondent = open_patient (NN_RESPONDENT);
    show ("SURVEYOR receives without a survey", nn_recv (surveyor, &byte, 1, 0));
    show ("  not waiting", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));
    say ("  readable: %d, writable: %d", is_pollable (surveyor, NN_POLLIN),
        is_pollable (surveyor, NN_POLLOUT));
    show ("RESPONDENT sends without a survey", nn_send (respondent, "x", 1, 0));
    show ("  not waiting", nn_send (respondent, "x", 1, NN_DONTWAIT));
    show ("RESPONDENT receives with no peer", nn_recv (respondent, &byte, 1, NN_DONTWAIT));
    say ("  readable: %d, writable: %d", is_pollable (respondent, NN_POLLIN),
        is_pollable (respondent, NN_POLLOUT));

    show ("SURVEYOR asks nobody", nn_send (surveyor, "question", 8, NN_DONTWAIT));
    show ("  and receives", nn_recv (surveyor, &byte, 1, 0));
    show ("  and receives", nn_recv (surveyor, &byte, 1, 0));
    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, NEVER);
    show ("asks again", nn_send (surveyor, "question", 8, 0));
    show ("  and receives, not waiting", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));
    say ("  readable: %d, writable: %d", is_pollable (surveyor, NN_POLLIN),
        is_pollable (surveyor, NN_POLLOUT));
    close_socket (surveyor);
    close_socket (respondent);
}

/*  A respondent has one survey at a time, and one answer to it. */
static void turns (void)
{
    char byte;
    int surveyor = open_surveyor (NEVER), respondent = open_patient (NN_RESPONDENT);
    bind_to (surveyor, "inproc://turns");
    connect_to (respondent, "inproc://turns");
    meet (surveyor, &respondent, 1);
    send_text (surveyor, "first");
    wait_readable (respondent);
    send_text (surveyor, "second");
    expect_text (respondent, "first");
    expect_text (respondent, "second");
    say ("writable: %d", is_pollable (respondent, NN_POLLOUT));
    send_text (respondent, "answer");
    say ("writable after the answer: %d", is_pollable (respondent, NN_POLLOUT));
    show ("a second answer", nn_send (respondent, "x", 1, 0));
    say ("  %s", receive_text (surveyor));
    show ("  and no more", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));

    send_text (surveyor, "third");
    expect_text (respondent, "third");
    show ("RESPONDENT receives without having answered",
        nn_recv (respondent, &byte, 1, NN_DONTWAIT));
    show ("  and cannot answer any more", nn_send (respondent, "x", 1, 0));
    close_socket (surveyor);
    show ("  nor when everyone has gone", nn_send (respondent, "x", 1, 0));
    close_socket (respondent);
}

static void everyone_answers (const char *transport)
{
    char address[NN_SOCKADDR_MAX], text[32];
    int surveyor = open_surveyor (NEVER), respondents[5], heard[5] = { 0 };
    bind_to (surveyor, fresh_address (transport, address));
    for (int i = 0; i < 5; i++) {
        respondents[i] = open_patient (NN_RESPONDENT);
        connect_to (respondents[i], address);
    }
    meet (surveyor, respondents, 5);
    for (int round = 0; round < 20; round++) {
        send_text (surveyor, "how are you");
        for (int i = 0; i < 5; i++) {
            expect_text (respondents[i], "how are you");
            snprintf (text, sizeof (text), "%d is well", i);
            send_text (respondents[i], text);
        }
        for (int i = 0; i < 5; i++) {
            int who = -1;
            check (sscanf (receive_text (surveyor), "%d is well", &who) == 1);
            check (who >= 0 && who < 5 && heard[who]++ == round);
        }
        check (nn_recv (surveyor, text, 1, NN_DONTWAIT) == -1);
    }
    say ("%s: five respondents, 20 surveys", transport);
    for (int i = 0; i < 5; i++)
        close_socket (respondents[i]);
    show ("  and one when they are gone", nn_send (surveyor, "hello?", 6, 0));
    close_socket (surveyor);
}

/*  An answer counts for its own survey only. */
static void late_answers (const char *transport)
{
    char address[NN_SOCKADDR_MAX], byte;
    int surveyor = open_surveyor (NEVER), respondent = open_patient (NN_RESPONDENT);
    bind_to (respondent, fresh_address (transport, address));
    connect_to (surveyor, address);
    meet (surveyor, &respondent, 1);
    send_text (surveyor, "first");
    expect_text (respondent, "first");
    send_text (surveyor, "second");
    send_text (respondent, "to the first");
    expect_text (respondent, "second");
    send_text (respondent, "to the second");
    say ("%s: %s", transport, receive_text (surveyor));

    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, 1);
    send_text (surveyor, "be quick");
    expect_text (respondent, "be quick");
    show ("  too slow", nn_recv (surveyor, &byte, 1, 0));
    send_text (respondent, "late");
    show ("  and then", nn_recv (surveyor, &byte, 1, 0));
    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, NEVER);
    send_text (surveyor, "take your time");
    expect_text (respondent, "take your time");
    send_text (respondent, "in time");
    say ("  %s", receive_text (surveyor));
    close_socket (surveyor);
    close_socket (respondent);
}

/*  NN_RCVTIMEO ends the call, and not the survey. */
static void impatient (void)
{
    char byte;
    int surveyor = open_surveyor (NEVER), respondent = open_patient (NN_RESPONDENT);
    bind_to (surveyor, "inproc://impatient");
    connect_to (respondent, "inproc://impatient");
    meet (surveyor, &respondent, 1);
    set_int (surveyor, 0, NN_RCVTIMEO, 1);
    send_text (surveyor, "question");
    show ("no answer yet", nn_recv (surveyor, &byte, 1, 0));
    show ("  and again", nn_recv (surveyor, &byte, 1, 0));
    set_int (surveyor, 0, NN_RCVTIMEO, LIMIT_MS);
    expect_text (respondent, "question");
    send_text (respondent, "answer");
    say ("  %s", receive_text (surveyor));
    close_socket (surveyor);
    close_socket (respondent);
}

struct call {
    int socket;
    int result;
    int error;
};

static void *receive (void *argument)
{
    struct call *call = argument;
    char byte;
    call->result = nn_recv (call->socket, &byte, 1, 0);
    call->error = nn_errno ();
    return NULL;
}

/*  The deadline wakes all waiters: in nn_recv, in nn_poll, on the descriptor. */
static void deadline_wakes (void)
{
    struct call calls[3];
    pthread_t threads[3];
    int timed_out = 0, wrong_state = 0;
    char byte;
    int surveyor = open_surveyor (300);
    set_int (surveyor, 0, NN_RCVTIMEO, -1);
    send_text (surveyor, "question");
    for (int i = 0; i < 3; i++) {
        calls[i].socket = surveyor;
        threads[i] = start_thread (receive, &calls[i]);
    }
    for (int i = 0; i < 3; i++) {
        join_thread (threads[i]);
        check (calls[i].result == -1);
        timed_out += calls[i].error == ETIMEDOUT;
        wrong_state += calls[i].error == EFSM;
    }
    say ("three receivers: %d ETIMEDOUT, %d EFSM", timed_out, wrong_state);

    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, 10);
    int descriptor = descriptor_of (surveyor, NN_RCVFD);
    send_text (surveyor, "question");
    say ("the descriptor: %d", is_readable (descriptor, LIMIT_MS));
    show ("  not waiting", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));
    show ("  again", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));

    struct nn_pollfd item = { surveyor, NN_POLLIN, 0 };
    send_text (surveyor, "question");
    show ("nn_poll", nn_poll (&item, 1, LIMIT_MS));
    show ("  not waiting", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));
    show ("  again", nn_recv (surveyor, &byte, 1, NN_DONTWAIT));
    close_socket (surveyor);
}

/*  A survey that begins before the previous deadline has its full time. */
static void follow_up (void)
{
    int surveyor = open_surveyor (50), respondent = open_patient (NN_RESPONDENT);
    bind_to (surveyor, "inproc://follow-up");
    connect_to (respondent, "inproc://follow-up");
    meet (surveyor, &respondent, 1);
    send_text (surveyor, "short");
    expect_text (respondent, "short");
    set_int (surveyor, NN_SURVEYOR, NN_SURVEYOR_DEADLINE, NEVER);
    send_text (surveyor, "long");
    expect_text (respondent, "long");
    poll (NULL, 0, 100);
    send_text (respondent, "after the first deadline");
    say ("%s", receive_text (surveyor));
    close_socket (surveyor);
    close_socket (respondent);
}

static void no_deadline (void)
{
    char byte;
    if (!only_ours ("a negative deadline ends the process"))
        return;
    int surveyor = open_surveyor (-1), respondent = open_patient (NN_RESPONDENT);
    bind_to (surveyor, "inproc://no-deadline");
    connect_to (respondent, "inproc://no-deadline");
    meet (surveyor, &respondent, 1);
    send_text (surveyor, "question");
    check_error (nn_recv (surveyor, &byte, 1, NN_DONTWAIT), EAGAIN);
    expect_text (respondent, "question");
    send_text (respondent, "answer");
    expect_text (surveyor, "answer");
    close_socket (surveyor);
    close_socket (respondent);
}

int main (void)
{
    options ();
    states ();
    turns ();
    impatient ();
    each_transport (transport) {
        everyone_answers (transport);
        late_answers (transport);
    }
    deadline_wakes ();
    follow_up ();
    no_deadline ();
    return 0;
}
