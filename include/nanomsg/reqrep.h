/* <nanomsg/reqrep.h>: a request and its reply.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_REQREP_H
#define NANOMSG_REQREP_H

#include "nn.h"

/* Number of the request/reply pattern. */
#define NN_PROTO_REQREP 3

/* Sends requests. */
#define NN_REQ (NN_PROTO_REQREP * 16)

/* Replies to requests. */
#define NN_REP ((NN_PROTO_REQREP * 16) + 1)

/* Option of NN_REQ: milliseconds after which a request without a reply is sent again. */
#define NN_REQ_RESEND_IVL 1

/* A number or a pointer that a program attaches to a request of its own. */
typedef union nn_req_handle {
    /* A number. */
    int i;
    /* A pointer. */
    void *ptr;
} nn_req_handle;

#endif  /* NANOMSG_REQREP_H */
