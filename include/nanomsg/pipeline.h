/* <nanomsg/pipeline.h>: each message to one of several peers.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_PIPELINE_H
#define NANOMSG_PIPELINE_H

/* Number of the pipeline pattern. */
#define NN_PROTO_PIPELINE 5

/* Sends each message to one of its peers. Cannot receive. */
#define NN_PUSH (NN_PROTO_PIPELINE * 16)

/* Receives from its peers. Cannot send. */
#define NN_PULL ((NN_PROTO_PIPELINE * 16) + 1)

#endif  /* NANOMSG_PIPELINE_H */
