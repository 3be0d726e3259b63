//! `<nanomsg/pubsub.h>`: messages to all who subscribed to how they begin.

use libc::c_int;

/// Number of the publish/subscribe pattern.
pub const NN_PROTO_PUBSUB: c_int = 2;

/// Publishes. Cannot receive.
pub const NN_PUB: c_int = NN_PROTO_PUBSUB * 16;
/// Subscribes. Cannot send.
pub const NN_SUB: c_int = NN_PROTO_PUBSUB * 16 + 1;

/// Option of NN_SUB: receive messages that begin with these bytes. Only to be set.
pub const NN_SUB_SUBSCRIBE: c_int = 1;
/// Option of NN_SUB: take one such subscription back. Only to be set.
pub const NN_SUB_UNSUBSCRIBE: c_int = 2;
