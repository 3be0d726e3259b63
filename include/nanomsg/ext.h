/* <nanomsg/ext.h>: what libnanomsg does not have.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_EXT_H
#define NANOMSG_EXT_H

#include <stdint.h>

/* The address of the endpoint added last, with the port that the system has chosen. Read-only. */
#define NN_LAST_ENDPOINT 1004

/* The address of an endpoint, whose id is in the buffer as an int. Read-only. */
#define NN_ENDPOINT_ADDRESS 1005

/* Milliseconds that nn_connect waits for its first connection; 0: it does not; negative: no limit. */
#define NN_CONNECT_TIMEO 1006

/* 1: the oldest message makes room for a new one in the receive queue of a peer; 0: it does not. */
#define NN_RCV_PREFER_NEW 1007

/* 1: the receive queue of a peer holds only its newest message; 0: it holds all. */
#define NN_CONFLATE 1008

/* Level NN_TCP: 1: the system probes silent peers of connections; 0: it does not. */
#define NN_TCP_KEEPALIVE 101

/* Level NN_TCP: seconds of silence before the first probe, up to 32767; 0: the system's default. */
#define NN_TCP_KEEPALIVE_IDLE 102

/* Level NN_TCP: seconds between two probes, up to 32767; 0: the system's default. */
#define NN_TCP_KEEPALIVE_INTVL 103

/* Level NN_TCP: number of unanswered probes that end a connection, up to 127; 0: the system's
 * default.
 */
#define NN_TCP_KEEPALIVE_CNT 104

/* Level NN_TCP: milliseconds that sent bytes may stay unacknowledged; 0: the system's default. */
#define NN_TCP_USER_TIMEOUT 105

/* Level NN_IPC: mode bits of the file of endpoints bound afterwards; 0: those that the umask leaves. */
#define NN_IPC_PERMISSIONS 101

/* Level NN_IPC: bytes of a ring in shared memory for connections of endpoints added afterwards, up to 64 MiB; 0: none. */
#define NN_IPC_SHM 102

/* Address, of the inproc transport, at which the socket publishes its events; "": nowhere. */
#define NN_MONITOR 1001

/* Version of struct nn_event. */
#define NN_EVENT_VERSION 1

/* Event: an endpoint is bound; connections may come. */
#define NN_EVENT_LISTENING 1

/* Event: an attempt to connect begins. */
#define NN_EVENT_CONNECTING 2

/* Event: the next attempt to connect begins in `value` milliseconds. */
#define NN_EVENT_RETRY 3

/* Event: a connected endpoint has a connection. */
#define NN_EVENT_CONNECTED 4

/* Event: a bound endpoint has a connection. */
#define NN_EVENT_ACCEPTED 5

/* Event: a connection was refused. */
#define NN_EVENT_REFUSED 6

/* Event: a connection has ended before both sides had greeted each other. */
#define NN_EVENT_HANDSHAKE_FAILED 7

/* Event: a connection has ended, and the last message from it was received. */
#define NN_EVENT_DISCONNECTED 8

/* Event: nn_bind has failed. */
#define NN_EVENT_BIND_FAILED 9

/* Event: a connection could not be accepted. */
#define NN_EVENT_ACCEPT_FAILED 10

/* Event: `value` messages were dropped, because their receivers had no room. */
#define NN_EVENT_DROPPED 11

/* Event: this subscriber has missed `value` events. */
#define NN_EVENT_LOST 12

/* Event: an endpoint was shut down or, without an endpoint, the monitor ends. */
#define NN_EVENT_CLOSED 13

/* Reason: this side has ended the connection. */
#define NN_REASON_LOCAL 1

/* Reason: the peer has ended the connection. */
#define NN_REASON_PEER 2

/* Reason: the network or the operating system has failed. */
#define NN_REASON_NETWORK 3

/* Reason: the peer has sent something invalid. */
#define NN_REASON_INVALID 4

/* Reason: the peer was silent for too long. */
#define NN_REASON_SILENCE 5

/* Reason: the peer's protocol does not belong to the socket's. */
#define NN_REASON_MISMATCH 6

/* Reason: the socket accepts no further peer. */
#define NN_REASON_BUSY 7

/* Reason: a rule excludes the peer. */
#define NN_REASON_RULE 8

/* Reason: there is no memory. */
#define NN_REASON_MEMORY 9

/* Reason: the peer's certificate was refused, or it has shown none. */
#define NN_REASON_CERTIFICATE 10

/* Connections that were refused. */
#define NN_STAT_REFUSED_CONNECTIONS 1001

/* Connections that have ended before both sides had greeted each other. */
#define NN_STAT_HANDSHAKE_ERRORS 1002

/* Messages that were dropped for a receiver that had no room. */
#define NN_STAT_MESSAGES_DROPPED 1003

/* 1: nn_recvmsg appends control messages that describe the peer. */
#define NN_PEER_INFO 1002

/* Ends the connection whose number, a uint64_t, is the value. Cannot be read. */
#define NN_PIPE_CLOSE 1003

/* Option of the level NN_IPC: the user id that a peer must have; -1: any. */
#define NN_IPC_PEER_UID 103

/* Option of the level NN_IPC: the group id that a peer must have; -1: any. */
#define NN_IPC_PEER_GID 104

/* Option of the level NN_TCP: the networks from which peers are accepted; "": all. */
#define NN_TCP_ACCEPT 106

/* Control message of the level NN_SOL_SOCKET: the number of the connection, a uint64_t. */
#define NN_CMSG_PIPE 1001

/* Control message of the level NN_SOL_SOCKET: the endpoint, an int. */
#define NN_CMSG_ENDPOINT 1002

/* Control message of the level NN_SOL_SOCKET: the address of the peer, a text. */
#define NN_CMSG_PEER 1003

/* Control message of the level NN_SOL_SOCKET: this side's address, a text. */
#define NN_CMSG_LOCAL 1004

/* Control message of the level NN_SOL_SOCKET: the peer's process, a struct nn_credentials. */
#define NN_CMSG_CRED 1005

/* Control message of the level NN_SOL_SOCKET: what the peer's certificate says, over TLS, a text. */
#define NN_CMSG_TLS_PEER 1006

/* Control message of the level NN_SOL_SOCKET: what a ws client has requested, a text. */
#define NN_CMSG_WS_URI 1007

/* A pair of the second version: messages have a hop count. Talks to its own kind only. */
#define NN_PAIR_V1 17

/* Option of NN_PUB: 1: peers that have NN_SUB_FILTER_UPSTREAM get only messages that they have subscribed to; 0: all. */
#define NN_PUB_FILTER 101

/* Option of NN_SUB: 1: subscriptions are sent to publishers that have NN_PUB_FILTER; 0: they are not. */
#define NN_SUB_FILTER_UPSTREAM 101

/* Subscriptions that the peers of an NN_PUB socket have sent. */
#define NN_STAT_CURRENT_SUBSCRIPTIONS 1005

/* Messages of NN_PAIR_V1 and NN_STAR dropped for their hop count: it was missing, malformed or too high;
 * and malformed messages to NN_PUB_FILTER.
 */
#define NN_STAT_INVALID_MESSAGES 1004

/* Option of the level NN_SOL_SOCKET: the socket whose pipes this one uses, as its context. */
#define NN_SHARE 1009

/* The statistics of the endpoint that a struct nn_endpoint_statistics in the buffer names. Read-only. */
#define NN_ENDPOINT_STATISTICS 1010

/* The statistics of the connection that a struct nn_pipe_statistics in the buffer names. Read-only. */
#define NN_PIPE_STATISTICS 1011

/* The first bytes of a message with an event. Behind them, at offset `size`, are its properties:
 * texts such as "peer=tcp://10.0.0.7:41022", each with a zero at its end.
 */
struct nn_event {
    /* The kind of the event, an NN_EVENT_ constant. */
    unsigned char kind;
    /* NN_EVENT_VERSION. */
    unsigned char version;
    /* The peer's protocol; 0: not known. */
    uint16_t peer_protocol;
    /* The socket. */
    int32_t socket;
    /* The endpoint, as nn_bind or nn_connect has returned it; 0: none. */
    int32_t endpoint;
    /* Why a connection was refused or has ended, an NN_REASON_ constant; 0: none. */
    int32_t reason;
    /* The error number; 0: none. */
    int32_t error;
    /* The length of this structure in bytes. */
    uint32_t size;
    /* The connection; 0: none. */
    uint64_t pipe;
    /* The time in nanoseconds since the beginning of 1970, in UTC. */
    uint64_t time;
    /* A number whose meaning depends on the kind. */
    uint64_t value;
};

/* The process at the other end of a connection over ipc. */
struct nn_credentials {
    /* Its id; 0: not known. */
    int32_t pid;
    /* Its effective user id. */
    uint32_t uid;
    /* Its effective group id. */
    uint32_t gid;
};

/* The statistics of an endpoint, since it was added. Bytes are those of the bodies of messages. */
struct nn_endpoint_statistics {
    /* The endpoint, as nn_bind or nn_connect has returned it. To be set before the call. */
    int32_t endpoint;
    /* Connections that are up. */
    uint32_t current_connections;
    /* Messages sent to peers. */
    uint64_t messages_sent;
    /* The bytes of those. */
    uint64_t bytes_sent;
    /* Messages of peers that the program has received. */
    uint64_t messages_received;
    /* The bytes of those. */
    uint64_t bytes_received;
    /* Messages that were not sent to a peer, because it had no room. */
    uint64_t messages_dropped;
    /* Messages of peers that were dropped for newer ones, or because a context had no room. */
    uint64_t messages_missed;
    /* Attempts to connect. */
    uint64_t connect_attempts;
    /* Attempts to connect, or to accept a connection, that have failed. */
    uint64_t connect_errors;
    /* Connections that were made or accepted. */
    uint64_t connections;
    /* Connections that were refused. */
    uint64_t refused_connections;
    /* Other connections that have ended before both sides had greeted each other. */
    uint64_t handshake_errors;
    /* Connections that this side has closed. */
    uint64_t dropped_connections;
    /* Connections that the other side, or the network, has closed. */
    uint64_t broken_connections;
};

/* The statistics of a connection. Bytes are those of the bodies of messages. */
struct nn_pipe_statistics {
    /* The number of the connection. To be set before the call. */
    uint64_t pipe;
    /* Its endpoint, as nn_bind or nn_connect has returned it. */
    int32_t endpoint;
    /* 1: the connection is up; 0: it has ended, and messages of the peer may be left. */
    uint32_t is_connected;
    /* Messages sent to the peer. */
    uint64_t messages_sent;
    /* The bytes of those. */
    uint64_t bytes_sent;
    /* Messages of the peer that the program has received. */
    uint64_t messages_received;
    /* The bytes of those. */
    uint64_t bytes_received;
    /* Messages that were not sent to the peer, because it had no room. */
    uint64_t messages_dropped;
    /* Messages of the peer that were dropped for newer ones, or because a context had no room. */
    uint64_t messages_missed;
};

#endif  /* NANOMSG_EXT_H */
