//! `<nanomsg/ext.h>`: protocols, options of protocols and statistics that libnanomsg does not have.

use libc::c_int;

/// A pair of the second version: messages have a hop count. Talks to its own kind only.
pub const NN_PAIR_V1: c_int = 17;

/// Option of NN_PUB: 1: peers that have NN_SUB_FILTER_UPSTREAM get only messages that they have subscribed to; 0: all.
pub const NN_PUB_FILTER: c_int = 101;
/// Option of NN_SUB: 1: subscriptions are sent to publishers that have NN_PUB_FILTER; 0: they are not.
pub const NN_SUB_FILTER_UPSTREAM: c_int = 101;

/// Subscriptions that the peers of an NN_PUB socket have sent.
pub const NN_STAT_CURRENT_SUBSCRIPTIONS: c_int = 1005;
/// Messages of NN_PAIR_V1 and NN_STAR dropped for their hop count: it was missing, malformed or too high;
/// and malformed messages to NN_PUB_FILTER.
pub const NN_STAT_INVALID_MESSAGES: c_int = 1004;
