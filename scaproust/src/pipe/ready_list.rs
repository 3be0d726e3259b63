//! The pipes of a socket that have had an edge: a lock-free list. Any thread pushes entries; the thread
//! that holds the socket's lock takes all of them.
//!
//! A pipe has one entry for each kind of edge, which is on the list at most once. The entry is marked before
//! it is pushed, and the mark is cleared after it was removed. So an edge that comes while the list is
//! processed is seen in this pass or the next.
//!
//! A thread that finds the mark set returns at once, although the entry may not be on the list yet: the
//! thread that has set the mark wakes the same waiters after its push. This is why the kinds do not share an
//! entry: a report of room does not wake threads that wait for a message.

use std::ptr;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// An edge of a pipe, as its socket sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The inbound lane has a message.
    Readable,
    /// The outbound lane has room.
    Writable,
    /// The peer has closed the pipe.
    Closed,
}

/// The entry of a pipe on its socket's list, for one kind of change.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The pipe's id in its socket.
    key: u32,
    change: Change,
    /// The change has happened and was not taken from the list yet.
    is_marked: AtomicBool,
    next: AtomicPtr<Entry>,
}

impl Entry {
    /// An entry that is not marked.
    pub(crate) fn new(key: u32, change: Change) -> Arc<Entry> {
        let next = AtomicPtr::new(ptr::null_mut());
        Arc::new(Entry { key, change, is_marked: AtomicBool::new(false), next })
    }
}

/// The list of one socket.
#[derive(Debug)]
pub(crate) struct ReadyList {
    /// The newest entry; the list owns one strong count of each entry on it.
    head: AtomicPtr<Entry>,
}

impl ReadyList {
    /// An empty list.
    pub(crate) fn new() -> ReadyList {
        ReadyList { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Marks the entry's change and pushes it unless it is marked. The caller must wake the waiters in either
    /// case.
    pub(crate) fn push(&self, entry: &Arc<Entry>) {
        // Release: the thread that clears the mark sees the change.
        if entry.is_marked.swap(true, Ordering::Release) {
            return;
        }
        // The mark was not set: the entry is not on the list, and only this thread pushes it.
        let raw = Arc::into_raw(entry.clone()).cast_mut();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            entry.next.store(head, Ordering::Relaxed);
            // Release: the thread that takes the list sees `next`.
            match self.head.compare_exchange_weak(head, raw, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether there is no entry: one relaxed load, for the hot path.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes all entries and calls `each` for them, oldest first.
    pub(crate) fn take(&self, mut each: impl FnMut(u32, Change)) {
        let mut newest = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let mut oldest: *mut Entry = ptr::null_mut();
        // Reverse the list, so that pipes are served in the order of their edges.
        // SAFETY: this thread owns the entries now, one strong count each.
        while let Some(entry) = unsafe { newest.as_ref() } {
            let next = entry.next.load(Ordering::Relaxed);
            entry.next.store(oldest, Ordering::Relaxed);
            oldest = newest;
            newest = next;
        }
        while !oldest.is_null() {
            // SAFETY: as above; this takes the count back.
            let entry = unsafe { Arc::from_raw(oldest.cast_const()) };
            // Before the mark is cleared: after that another thread may push the entry again.
            oldest = entry.next.load(Ordering::Relaxed);
            entry.is_marked.swap(false, Ordering::Acquire);
            each(entry.key, entry.change);
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
        let (one, two) = (Entry::new(1, Change::Readable), Entry::new(2, Change::Writable));
        let end = Entry::new(1, Change::Closed);
        for entry in [&one, &two, &end, &one] {
            list.push(entry);
        }
        assert!(!list.is_empty());
        let mut seen = Vec::new();
        list.take(|key, change| seen.push((key, change)));
        assert_eq!(seen, [(1, Change::Readable), (2, Change::Writable), (1, Change::Closed)]);
        assert!(list.is_empty());
        list.push(&two);
        drop(list);
        assert!([one, two, end].iter().all(|entry| Arc::strong_count(entry) == 1));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Event;

    #[test]
    fn loom_no_edge_is_lost() {
        loom::model(|| {
            let list = loom::sync::Arc::new(ReadyList::new());
            let entry = Entry::new(9, Change::Readable);
            let other = (list.clone(), entry.clone());
            let producer = loom::thread::spawn(move || {
                other.0.push(&other.1);
                other.0.push(&other.1);
            });
            let mut seen = 0;
            list.take(|_, _| seen += 1);
            producer.join().unwrap();
            list.take(|_, _| seen += 1);
            assert!(seen > 0);
        });
    }

    #[test]
    fn loom_two_producers_and_a_taker() {
        loom::model(|| {
            let list = loom::sync::Arc::new(ReadyList::new());
            let threads: Vec<_> = (0..2)
                .map(|key| {
                    let list = list.clone();
                    loom::thread::spawn(move || list.push(&Entry::new(key, Change::Readable)))
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

    /// A receiver that has read a message itself reports it while another thread reports the same change, or
    /// room. The receiver must see its message; if it slept for ever, the model would not end.
    #[test]
    fn loom_a_receiver_sees_what_it_has_read() {
        for of_other in [Change::Readable, Change::Writable] {
            loom::model(move || {
                let shared = loom::sync::Arc::new((ReadyList::new(), Event::new(), Event::new()));
                let readable = Entry::new(9, Change::Readable);
                let entry = match of_other {
                    Change::Readable => readable.clone(),
                    _ => Entry::new(9, of_other),
                };
                let other = shared.clone();
                let reporter = loom::thread::spawn(move || {
                    let (list, receivers, senders) = &*other;
                    list.push(&entry);
                    let sleepers = if of_other == Change::Readable { receivers } else { senders };
                    sleepers.notify_one();
                });
                let (list, receivers, _) = &*shared;
                list.push(&readable);
                receivers.notify_one();
                let mut is_seen = false;
                loop {
                    let epoch = receivers.epoch();
                    list.take(|_, change| is_seen |= change == Change::Readable);
                    if is_seen {
                        break;
                    }
                    receivers.wait(epoch, None);
                }
                reporter.join().unwrap();
            });
        }
    }
}
