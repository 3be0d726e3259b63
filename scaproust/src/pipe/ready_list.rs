//! Which pipes of a socket have seen an edge: a lock-free list, filled by anyone and taken whole
//! by whoever holds the socket's lock.
//!
//! A pipe has an entry for each kind of edge, which is on the list at most once. It is marked before it is put
//! there, and the mark taken after it was removed, so an edge that comes while the list is being worked on is seen
//! now or next.
//!
//! Who finds the mark set has nothing to do, though the entry may not be on the list yet: the thread that
//! has set it wakes the same sleepers when it is. This is why the kinds do not share an entry: who reports
//! room wakes nobody that waits for a message.

use std::ptr;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// What can happen to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The inbound lane has a message.
    Readable,
    /// The outbound lane has room.
    Writable,
    /// The peer is gone.
    Closed,
}

/// A place on a socket's list, for one kind of change of a pipe.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The pipe's number in its socket.
    key: u32,
    change: Change,
    /// It has happened, and nobody has seen it yet.
    is_marked: AtomicBool,
    next: AtomicPtr<Entry>,
}

impl Entry {
    /// Nothing has happened yet.
    pub(crate) fn new(key: u32, change: Change) -> Arc<Entry> {
        let next = AtomicPtr::new(ptr::null_mut());
        Arc::new(Entry { key, change, is_marked: AtomicBool::new(false), next })
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

    /// Notes that what the entry stands for has happened. Whom that concerns must be woken in any case.
    pub(crate) fn push(&self, entry: &Arc<Entry>) {
        // Release: whoever takes the mark sees what happened.
        if entry.is_marked.swap(true, Ordering::Release) {
            return;
        }
        // The mark was not set: the entry is on no list, and only we put it on this one.
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
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes everything, oldest first.
    pub(crate) fn take(&self, mut each: impl FnMut(u32, Change)) {
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
            // Before the mark is taken: then another thread may put the entry on a list again.
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

    /// A receiver that reads for itself reports what has come while another thread reports the same, or room:
    /// it need not sleep for ever. Were it to, the model would not end.
    #[test]
    fn loom_a_receiver_hears_of_what_it_has_read() {
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
