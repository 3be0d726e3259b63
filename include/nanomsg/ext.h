/* <nanomsg/ext.h>: what libnanomsg does not have.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_EXT_H
#define NANOMSG_EXT_H

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

#endif  /* NANOMSG_EXT_H */
