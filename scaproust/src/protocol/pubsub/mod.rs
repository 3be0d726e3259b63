//! PUB and SUB: each message is sent to all subscribers, which receive those that match a subscription.
//!
//! A subscriber drops the other messages. If both sides have the option [`FILTER`], the subscriber also sends its
//! subscriptions to the publisher, which then sends it only what matches them. Such a pipe is *filtering*. The messages to the
//! publisher are [`ADD`] or [`REMOVE`], one byte, followed by the topic; a topic is added when it gets its first
//! subscription and removed with its last. Beyond [`MAX_TOPICS`] or [`MAX_TOPIC_BYTES`] the publisher sends everything. Since
//! the subscriber drops what it does not want in any case, sending too much is never wrong.
//!
//! Raw PUB and SUB are the same machines.

mod interests;
mod publisher;
mod subscriber;
#[cfg(test)]
mod tests;

pub(super) use publisher::Publisher;
pub(super) use subscriber::{Subscriber, Subscriptions, Upstream};

use crate::error::Error;
use crate::option::Setting;

/// `NN_SUB_SUBSCRIBE`: receive messages that begin with these bytes.
pub(crate) const SUBSCRIBE: i32 = 1;
/// `NN_SUB_UNSUBSCRIBE`: cancel one subscription with these bytes.
pub(crate) const UNSUBSCRIBE: i32 = 2;
/// `NN_SUB_FILTER_UPSTREAM` and `NN_PUB_FILTER`: whether pipes that are attached later may be filtering.
pub(crate) const FILTER: i32 = 101;

/// The first byte of a message that adds a topic.
pub(super) const ADD: u8 = 1;
/// The first byte of a message that removes a topic.
pub(super) const REMOVE: u8 = 2;

/// The most topics of a filtering pipe.
const MAX_TOPICS: usize = 65_536;
/// The most bytes of all topics of a filtering pipe.
const MAX_TOPIC_BYTES: usize = 4 * 1024 * 1024;

/// The value of [`FILTER`].
fn flag(setting: Setting<'_>) -> Result<bool, Error> {
    match setting {
        Setting::Int(0) => Ok(false),
        Setting::Int(1) => Ok(true),
        _ => Err(Error::InvalidArgument),
    }
}
