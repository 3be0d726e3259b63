//! `<nanomsg/pubsub.h>`: messages to all subscribers.

use libc::c_int;

/// Number of the publish/subscribe pattern.
pub const NN_PROTO_PUBSUB: c_int = 2;

/// Publishes: sends to all its peers. Cannot receive.
pub const NN_PUB: c_int = NN_PROTO_PUBSUB * 16;
/// Receives the messages it has subscribed to. Cannot send.
pub const NN_SUB: c_int = NN_PROTO_PUBSUB * 16 + 1;

/// Option of NN_SUB: receive messages that begin with these bytes. Write-only.
pub const NN_SUB_SUBSCRIBE: c_int = 1;
/// Option of NN_SUB: remove one such subscription. Write-only.
pub const NN_SUB_UNSUBSCRIBE: c_int = 2;
