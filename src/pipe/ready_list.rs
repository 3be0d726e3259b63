//! Which pipes of a socket have seen an edge: a lock-free list, filled by anyone and taken whole
//! by whoever holds the socket's lock.
//!
//! An entry is on the list at most once. Its bits are set before it is put there, and taken after
//! it was removed, so an edge that comes while the list is being worked on is seen now or next.

use std::ptr;
use std::sync::Arc;

use crate::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

/// What happened to a pipe, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits(u8);

impl Bits {
    /// The inbound lane has a message.
    pub(crate) const READABLE: Bits = Bits(1);
    /// The outbound lane has room.
    pub(crate) const WRITABLE: Bits = Bits(2);
    /// The peer is gone.
    pub(crate) const CLOSED: Bits = Bits(4);

    /// Whether `other` is part of this set.
    pub(crate) fn has(self, other: Bits) -> bool {
        self.0 & other.0 != 0
    }
}

/// A pipe's place on its socket's list.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The pipe's number in its socket.
    pub(crate) key: u32,
    bits: AtomicU8,
    next: AtomicPtr<Entry>,
}

impl Entry {
    /// A pipe to which nothing has happened.
    pub(crate) fn new(key: u32) -> Arc<Entry> {
        Arc::new(Entry { key, bits: AtomicU8::new(0), next: AtomicPtr::new(ptr::null_mut()) })
    }
}

/// The list of one socket.
#[derive(Debug)]
pub(crate) struct ReadyList {
    /// The newest entry; each entry on the list stands for one strong count.
    head: AtomicPtr<Entry>,
}

impl ReadyList {
    /// An empty list.
    pub(crate) fn new() -> ReadyList {
        ReadyList { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Notes that `bits` happened to the pipe of `entry`.
    pub(crate) fn push(&self, entry: &Arc<Entry>, bits: Bits) {
        // Release: whoever takes the bits sees what happened.
        if entry.bits.fetch_or(bits.0, Ordering::Release) != 0 {
            return;
        }
        // The bits were empty: the entry is on no list, and only we put it on this one.
        let raw = Arc::into_raw(entry.clone()).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            entry.next.store(head, Ordering::Relaxed);
            // Release: whoever takes the list sees `next`.
            match self.head.compare_exchange_weak(head, raw, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether nothing has happened. Cheap, for the path on which nothing ever does.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes everything, oldest first.
    pub(crate) fn take(&self, mut each: impl FnMut(u32, Bits)) {
        let mut newest = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let mut oldest: *mut Entry = ptr::null_mut();
        // Turn the list round, so that pipes are served in the order of their edges.
        // SAFETY: what was on the list belongs to us now, one strong count each.
        while let Some(entry) = unsafe { newest.as_ref() } {
            let next = entry.next.load(Ordering::Relaxed);
            entry.next.store(oldest, Ordering::Relaxed);
            oldest = newest;
            newest = next;
        }
        while !oldest.is_null() {
            // SAFETY: as above; this gives the count back.
            let entry = unsafe { Arc::from_raw(oldest.cast_const()) };
            // Before the bits are taken: then another thread may put the entry on a list again.
            oldest = entry.next.load(Ordering::Relaxed);
            let bits = entry.bits.swap(0, Ordering::Acquire);
            each(entry.key, Bits(bits));
        }
    }
}

impl Drop for ReadyList {
    fn drop(&mut self) {
        self.take(|_, _| {});
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_once_in_the_order_of_their_first_edge() {
        let list = ReadyList::new();
        let (one, two) = (Entry::new(1), Entry::new(2));
        list.push(&one, Bits::READABLE);
        list.push(&two, Bits::WRITABLE);
        list.push(&one, Bits::CLOSED);
        assert!(!list.is_empty());
        let mut seen = Vec::new();
        list.take(|key, bits| seen.push((key, bits)));
        assert_eq!(seen, [(1, Bits(5)), (2, Bits(2))]);
        assert!(list.is_empty());
        drop(list);
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    #[test]
    fn loom_no_edge_is_lost() {
        loom::model(|| {
            let list = loom::sync::Arc::new(ReadyList::new());
            let entry = Entry::new(9);
            let other = (list.clone(), entry.clone());
            let producer = loom::thread::spawn(move || {
                other.0.push(&other.1, Bits::READABLE);
                other.0.push(&other.1, Bits::WRITABLE);
            });
            let mut seen = 0;
            list.take(|_, bits| seen |= bits.0);
            producer.join().unwrap();
            list.take(|_, bits| seen |= bits.0);
            assert_eq!(seen, 3);
        });
    }

    #[test]
    fn loom_two_producers_and_a_taker() {
        loom::model(|| {
            let list = loom::sync::Arc::new(ReadyList::new());
            let threads: Vec<_> = (0..2)
                .map(|key| {
                    let list = list.clone();
                    loom::thread::spawn(move || list.push(&Entry::new(key), Bits::READABLE))
                })
                .collect();
            let mut seen = Vec::new();
            list.take(|key, _| seen.push(key));
            for thread in threads {
                thread.join().unwrap();
            }
            list.take(|key, _| seen.push(key));
            seen.sort_unstable();
            assert_eq!(seen, [0, 1]);
        });
    }
}
