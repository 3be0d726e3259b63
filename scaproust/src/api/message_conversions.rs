//! What a message is compared with, and what it becomes.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::message::Message;

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        **self == **other && self.header() == other.header()
    }
}

impl Eq for Message {}

impl PartialOrd for Message {
    fn partial_cmp(&self, other: &Message) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Message {
    /// By their bytes, and then by their protocol headers.
    fn cmp(&self, other: &Message) -> Ordering {
        (**self).cmp(&**other).then_with(|| self.header().cmp(other.header()))
    }
}

impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
        self.header().hash(state);
    }
}

/// Compares a message's bytes with other ones, in both orders and whatever its header is: `equals!([generics] type, …)`.
macro_rules! equals {
    ($([$($generics:tt)*] $type:ty),+ $(,)?) => { $(
        impl<$($generics)*> PartialEq<$type> for Message {
            fn eq(&self, other: &$type) -> bool {
                **self == *AsRef::<[u8]>::as_ref(other)
            }
        }

        impl<$($generics)*> PartialEq<Message> for $type {
            fn eq(&self, other: &Message) -> bool {
                other == self
            }
        }
    )+ };
}

equals!(
    [] [u8],
    [] &[u8],
    [const N: usize] [u8; N],
    [const N: usize] &[u8; N],
    [] str,
    [] &str,
    [] Vec<u8>,
    [] Box<[u8]>,
    [] String,
);

impl From<Message> for Vec<u8> {
    /// A copy.
    fn from(message: Message) -> Vec<u8> {
        message.to_vec()
    }
}

impl From<Message> for Box<[u8]> {
    /// A copy.
    fn from(message: Message) -> Box<[u8]> {
        (*message).into()
    }
}

#[cfg(feature = "bytes")]
impl From<Message> for bytes::Bytes {
    /// The same memory, without a copy. The way back, from `Bytes` to a message, copies: to send the same bytes several
    /// times, make one message of them and send clones of it.
    fn from(message: Message) -> bytes::Bytes {
        bytes::Bytes::from_owner(message)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn messages_with_other_headers_are_not_equal() {
        let mut one = Message::from("text");
        let other = one.clone();
        one.set_header(&[1]);
        assert_ne!(one, other);
        assert_eq!(one.cmp(&other), Ordering::Greater);
    }

    fn are_equal<T: PartialEq<Message> + ?Sized>(message: &Message, other: &T) -> bool
    where
        Message: PartialEq<T>,
    {
        [message == other, other == message] == [true; 2]
    }

    #[test]
    fn bytes_and_text_are_compared_in_both_orders() {
        let mut message = Message::from("text");
        message.set_header(&[1]);
        assert!(are_equal(&message, "text") && are_equal(&message, &"text"));
        assert!(are_equal(&message, &b"text"[..]) && are_equal(&message, &&b"text"[..]));
        assert!(are_equal(&message, b"text") && are_equal(&message, &b"text"));
        assert!(are_equal(&message, &b"text".to_vec()) && are_equal(&message, &Box::from(&b"text"[..])));
        assert!(are_equal(&message, &String::from("text")));
        assert_ne!("other", message);
    }

    #[test]
    fn a_message_becomes_bytes() {
        for length in [0, 3, 5000] {
            let message = Message::from(vec![7; length]);
            assert_eq!(Vec::from(message.clone()), vec![7; length]);
            assert_eq!(Box::<[u8]>::from(message), vec![7; length].into_boxed_slice());
        }
    }
}
