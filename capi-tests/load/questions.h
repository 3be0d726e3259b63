/*  Requests and surveys: every answer belongs to its request. */

#ifndef LOAD_QUESTIONS_H
#define LOAD_QUESTIONS_H

#include "rounds.h"
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>

#define CLIENTS 4
#define RESPONDENTS 3

struct server {
    int s;
    uint32_t seed;
};

/*  Answers each request with its own content, and ends after the answer to the last one. Closing
    its socket would not end it safely: before it notices, another round may have a socket with
    the same number. */
static void *serving (void *argument)
{
    struct server *server = argument;
    struct stamp stamp;
    do {
        must_receive (server->s, "", &stamp, &server->seed);
        must_send (server->s, "", stamp, &server->seed);
    } while (stamp.flow != END_FLOW);
    return NULL;
}

/* ---- requests --------------------------------------------------------------- */

struct client {
    const char *address;
    uint32_t flow, each, seed;
    int resend_interval;
};

static void *asking (void *argument)
{
    struct client *client = argument;
    int s = open_patient (NN_REQ);
    set_int (s, NN_REQ, NN_REQ_RESEND_IVL, client->resend_interval);
    connect_to (s, client->address);
    for (uint32_t i = 0; i < client->each; i++) {
        struct stamp asked = { client->flow, i, client->each, random_size (&client->seed) }, answer;
        must_send (s, "", asked, &client->seed);
        if (i + 1 < client->each && next_random (&client->seed) % 100 == 0)
            continue; /* gives the request up: its answer must not arrive as that of the next */
        must_receive (s, "", &answer, &client->seed);
        if (memcmp (&answer, &asked, sizeof (answer)) != 0)
            broken ("client %u asks question %u and is answered question %u of client %u",
                asked.flow, asked.number, answer.number, answer.flow);
        account (answer);
    }
    close_socket (s);
    return NULL;
}

struct device {
    int front, back;
};

static void *forwarding (void *argument)
{
    struct device *device = argument;
    check (nn_device (device->front, device->back) == -1 && nn_errno () == EBADF);
    return NULL;
}

static int open_raw (int protocol)
{
    int s = nn_socket (AF_SP_RAW, protocol);
    check (s >= 0);
    set_int (s, NN_SOL_SOCKET, NN_RECONNECT_IVL, 10);
    return s;
}

/*  Clients, a server, and sometimes a device between them. The answers to several clients share
    one lane to the device, and are dropped while it is full: then the request has to be sent
    again. Without a device that must not be necessary. */
static void requests (struct round *round)
{
    int has_device = next_random (&round->seed) % 3 == 0;
    struct device device = { -1, -1 };
    struct server server = { open_patient (NN_REP), own_seed (round) };
    struct client clients[CLIENTS];
    pthread_t asking_threads[CLIENTS], device_thread = 0;
    bind_to (server.s, round->address[0]);
    if (has_device) {
        device = (struct device) { open_raw (NN_REP), open_raw (NN_REQ) };
        bind_to (device.front, round->address[1]);
        connect_to (device.back, round->address[0]);
        device_thread = begin (round, forwarding, &device);
    }
    pthread_t server_thread = begin (round, serving, &server);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client) { round->address[has_device], i,
            20 + next_random (&round->seed) % 100, own_seed (round),
            has_device ? 100 : 2 * LIMIT_MS };
        asking_threads[i] = begin (round, asking, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        join_thread (asking_threads[i]);
    clients[0] = (struct client) { round->address[0], END_FLOW, 1, 1, 2 * LIMIT_MS };
    asking (&clients[0]);
    join_thread (server_thread);
    if (has_device) {
        close_socket (device.front);
        join_thread (device_thread);
        close_socket (device.back);
    }
    close_socket (server.s);
}

/* ---- surveys ---------------------------------------------------------------- */

static void surveys (struct round *round)
{
    int s = open_patient (NN_SURVEYOR);
    struct server servers[RESPONDENTS];
    pthread_t threads[RESPONDENTS];
    bind_to (s, round->address[0]);
    for (int i = 0; i < RESPONDENTS; i++) {
        servers[i] = (struct server) { open_patient (NN_RESPONDENT), own_seed (round) };
        connect_to (servers[i].s, round->address[0]);
        threads[i] = begin (round, serving, &servers[i]);
    }
    wait_until (nn_get_statistic (s, NN_STAT_CURRENT_CONNECTIONS) == RESPONDENTS);
    uint32_t each = 20 + next_random (&round->seed) % 100;
    for (uint32_t i = 0; i <= each; i++) {
        struct stamp asked = { i == each ? END_FLOW : 0, i, each, random_size (&round->seed) };
        struct stamp answer;
        must_send (s, "", asked, &round->seed);
        /*  The next survey ends this one, whose answers must not arrive then. A survey is not
            sent to a respondent whose lane is full. */
        if (i < each && asked.size <= 6000 && next_random (&round->seed) % 50 == 0)
            continue;
        for (int k = 0; k < RESPONDENTS; k++) {
            must_receive (s, "", &answer, &round->seed);
            if (memcmp (&answer, &asked, sizeof (answer)) != 0)
                broken ("survey %u is answered as survey %u", asked.number, answer.number);
            account (answer);
        }
    }
    for (int i = 0; i < RESPONDENTS; i++) {
        join_thread (threads[i]);
        close_socket (servers[i].s);
    }
    close_socket (s);
}

#endif
