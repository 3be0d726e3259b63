/* <nanomsg/ext.h>: what libnanomsg does not have.
 * Generated from the Rust sources; do not edit.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef NANOMSG_EXT_H
#define NANOMSG_EXT_H

/* A pair of the second version: messages have a hop count. Talks to its own kind only. */
#define NN_PAIR_V1 17

/* Option of NN_PUB: 1: peers that have NN_SUB_FILTER_UPSTREAM get only messages that they have subscribed to; 0: all. */
#define NN_PUB_FILTER 101

/* Option of NN_SUB: 1: subscriptions are sent to publishers that have NN_PUB_FILTER; 0: they are not. */
#define NN_SUB_FILTER_UPSTREAM 101

/* Subscriptions that the peers of an NN_PUB socket have sent. */
#define NN_STAT_CURRENT_SUBSCRIPTIONS 1001

/* Messages of NN_PAIR_V1 and NN_STAR dropped for their hop count: it was missing, malformed or too high;
 * and malformed messages to NN_PUB_FILTER.
 */
#define NN_STAT_INVALID_MESSAGES 1002

#endif  /* NANOMSG_EXT_H */
