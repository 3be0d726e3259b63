/* <nanomsg/pubsub.h>: messages to all subscribers.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_PUBSUB_H
#define NANOMSG_PUBSUB_H

/* Number of the publish/subscribe pattern. */
#define NN_PROTO_PUBSUB 2

/* Publishes: sends to all its peers. Cannot receive. */
#define NN_PUB (NN_PROTO_PUBSUB * 16)

/* Receives the messages it has subscribed to. Cannot send. */
#define NN_SUB ((NN_PROTO_PUBSUB * 16) + 1)

/* Option of NN_SUB: receive messages that begin with these bytes. Write-only. */
#define NN_SUB_SUBSCRIBE 1

/* Option of NN_SUB: remove one such subscription. Write-only. */
#define NN_SUB_UNSUBSCRIBE 2

#endif  /* NANOMSG_PUBSUB_H */
