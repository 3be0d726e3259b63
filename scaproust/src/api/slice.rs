//! A part of a message, without a copy.

use std::fmt;
use std::ops::{Bound, Deref, Range, RangeBounds};

use super::message::{Excerpt, Message};

/// A part of a message, which shares the memory of the message; from [`Message::slice`].
///
/// It dereferences to its bytes. Sending it copies them.
#[derive(Clone)]
pub struct MessageSlice {
    message: Message,
    range: Range<usize>,
}

impl Message {
    /// A part of the message that shares its memory, so that it can be kept without the message and without a copy. Of a
    /// message of up to 64 bytes it is a copy.
    ///
    /// # Panics
    /// If the range begins after its end, or ends after the message.
    ///
    /// ```
    /// # use scaproust::Message;
    /// let message = Message::from(vec![7; 100_000]);
    /// let (head, body) = (message.slice(..4), message.slice(4..));
    /// assert_eq!(body.as_ptr(), message[4..].as_ptr());
    /// drop(message);
    /// assert_eq!((&*head, body.len()), (&[7; 4][..], 99_996));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> MessageSlice {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        // Panics for a range that is not one of the message.
        let length = self[bounds].len();
        let begin = match bounds.0 {
            Bound::Included(index) => index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        MessageSlice { message: self.clone(), range: begin..begin + length }
    }
}

impl Deref for MessageSlice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.message[self.range.clone()]
    }
}

impl AsRef<[u8]> for MessageSlice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for MessageSlice {
    fn eq(&self, other: &MessageSlice) -> bool {
        **self == **other
    }
}

impl Eq for MessageSlice {}

impl fmt::Debug for MessageSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSlice").field("bytes", &Excerpt(self)).field("length", &self.len()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_the_bytes_of_its_range() {
        for length in [4, 5000] {
            let message = Message::from((0..length).map(|index| index as u8).collect::<Vec<_>>());
            let all = &message[..];
            assert_eq!(*message.slice(..), all[..]);
            assert_eq!(*message.slice(1..3), all[1..3]);
            assert_eq!(*message.slice(1..=3), all[1..=3]);
            assert_eq!(*message.slice((Bound::Excluded(1), Bound::Unbounded)), all[2..]);
            assert!(message.slice(length as usize..).is_empty());
        }
    }

    #[test]
    fn a_slice_does_not_see_what_is_written_to_its_message() {
        let mut message = Message::from(vec![1; 5000]);
        let slice = message.slice(10..20);
        message.make_mut().unwrap().fill(2);
        assert_eq!(*slice, [1; 10]);
    }

    #[test]
    #[should_panic = "out of range"]
    fn a_range_beyond_the_message_panics() {
        _ = Message::from("text").slice(..5);
    }

    #[test]
    #[should_panic]
    #[expect(clippy::reversed_empty_ranges, reason = "it is what the test is about")]
    fn a_range_that_begins_after_its_end_panics() {
        _ = Message::from("text").slice(3..2);
    }

    #[test]
    fn the_longest_ranges_panic_as_those_of_slices() {
        for range in
            [(Bound::Unbounded, Bound::Included(usize::MAX)), (Bound::Excluded(usize::MAX), Bound::Unbounded)]
        {
            let message = std::panic::catch_unwind(|| Message::from("text").slice(range).len());
            let slice = std::panic::catch_unwind(|| b"text"[range].len());
            assert!(message.is_err() && slice.is_err());
        }
    }
}
