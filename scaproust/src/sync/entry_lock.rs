//! A lock combined with a count of the calls in flight, in one word, for an object that can be closed.
//!
//! A call that enters, works under the lock and leaves costs two atomic operations instead of four. An
//! entry lock outlives the object that it guards, so a thread may try to enter without knowing whether the
//! object is still there.

use std::time::Duration;

use super::atomic::Ordering;
use super::rank::{self, Rank as _};
use super::{Futex, now};

/// There is an object: calls may enter unless it is being closed.
const OPEN: u32 = 1 << 31;
/// The object is being closed; without `OPEN`, its last call has left.
const CLOSING: u32 = 1 << 30;
/// The lock is held.
const LOCKED: u32 = 1 << 29;
/// A thread sleeps until the lock is free.
const WANTED: u32 = 1 << 28;
/// A sleeper has waited too long for the lock: threads that come now queue up behind it.
const STARVED: u32 = 1 << 27;
/// The bits of the in-flight count.
const IN_FLIGHT: u32 = STARVED - 1;
/// How long a sleeper may be overtaken by threads that come later. (loom has no time,
/// and with shuttle it hardly passes.)
const STARVATION_THRESHOLD: Duration =
    if cfg!(any(loom, shuttle)) { Duration::ZERO } else { Duration::from_millis(1) };
/// How often a thread checks whether the lock is free before it sleeps.
const SPINS: u32 = if cfg!(any(loom, shuttle)) { 0 } else { 100 };

/// A lock and an in-flight count. See the [module](self).
#[derive(Debug)]
pub(crate) struct EntryLock {
    /// The bits above. The thread that closes the object sleeps on it.
    state: Futex,
    /// A counter of wake-ups. Threads that wait for the lock sleep on it.
    queue: Futex,
}

impl EntryLock {
    /// A closed entry lock.
    pub(crate) fn new() -> EntryLock {
        EntryLock { state: Futex::new(), queue: Futex::new() }
    }

    /// Lets calls enter: there is an object now.
    pub(crate) fn open(&self) {
        // Release: calls that enter see the object. Failed attempts may be in the count for a moment.
        self.state.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Enters, if the lock is open. Returns whether it is.
    pub(crate) fn enter(&self) -> bool {
        // Acquire: the object is seen as it was when `open` was called.
        let before = self.state.word.fetch_add(1, Ordering::Acquire);
        let is_open = before & (OPEN | CLOSING) == OPEN;
        if !is_open {
            self.leave();
        }
        is_open
    }

    /// As [`EntryLock::enter`], but also while the object is being closed, until its last call has left.
    pub(crate) fn enter_while_there(&self) -> bool {
        let is_there = self.state.word.fetch_add(1, Ordering::Acquire) & OPEN != 0;
        if !is_there {
            self.leave();
        }
        is_there
    }

    /// Enters and takes the lock, if that is open. Returns whether it is.
    #[inline]
    pub(crate) fn enter_locked(&self) -> bool {
        rank::Socket::check();
        let word = &self.state.word;
        let seen = word.load(Ordering::Relaxed);
        let is_free = seen & (OPEN | CLOSING | LOCKED | STARVED) == OPEN;
        // Acquire: as above, and what was written under the lock is seen.
        if is_free
            && word.compare_exchange(seen, (seen + 1) | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            note_lock();
            return true;
        }
        self.enter_locked_slow()
    }

    #[cold]
    fn enter_locked_slow(&self) -> bool {
        let is_open = self.enter();
        if is_open {
            self.lock();
        }
        is_open
    }

    /// Leaves.
    pub(crate) fn leave(&self) {
        self.release(1);
    }

    /// Releases the lock.
    pub(crate) fn unlock(&self) {
        rank::Socket::note_released();
        self.release(LOCKED);
    }

    /// Releases the lock and leaves.
    #[inline]
    pub(crate) fn unlock_and_leave(&self) {
        rank::Socket::note_released();
        self.release(LOCKED | 1);
    }

    #[inline]
    fn release(&self, what: u32) {
        // Release: what was written by this call is seen by the next holder, and by the thread that closes.
        let before = self.state.word.fetch_sub(what, Ordering::Release);
        debug_assert!(before & what & LOCKED == what & LOCKED, "the lock is not held");
        if before & (WANTED | CLOSING) != 0 {
            self.wake(before, what);
        }
    }

    #[cold]
    fn wake(&self, before: u32, what: u32) {
        if before & WANTED != 0 && what & LOCKED != 0 {
            self.state.word.fetch_and(!WANTED, Ordering::Relaxed);
            self.queue.word.fetch_add(1, Ordering::Release);
            self.queue.wake(1);
        }
        if before & CLOSING != 0 && what & IN_FLIGHT != 0 && before & IN_FLIGHT == 1 {
            self.state.wake(i32::MAX);
        }
    }

    /// Takes the lock, without entering. The caller knows that there is an object.
    pub(crate) fn lock(&self) {
        rank::Socket::check();
        if !self.try_acquire(LOCKED, LOCKED | STARVED) {
            self.lock_slow();
        }
        note_lock();
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> bool {
        let is_free = self.state.word.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0;
        if is_free {
            note_lock();
        }
        is_free
    }

    /// Sets the bits of `mark`, which has `LOCKED`, and returns whether that took the lock: not if any bit of
    /// `blocking` is set.
    #[inline]
    fn try_acquire(&self, mark: u32, blocking: u32) -> bool {
        let before = self.state.word.fetch_or(mark, Ordering::Acquire);
        if before & blocking == 0 {
            return true;
        }
        if before & LOCKED == 0 {
            // It was free, but a starved thread has precedence.
            self.release(LOCKED);
        }
        false
    }

    #[cold]
    fn lock_slow(&self) {
        let word = &self.state.word;
        // A thread that has slept keeps `WANTED` set, for others that may still sleep, and takes the lock
        // even if one is starved: each of these is woken in turn.
        let (mut mark, mut blocking) = (LOCKED, LOCKED | STARVED);
        let mut slept_at = None;
        let mut starved = 0;
        loop {
            for _ in 0..SPINS {
                if word.load(Ordering::Relaxed) & blocking == 0 {
                    break;
                }
                std::hint::spin_loop();
            }
            if self.try_acquire(mark, blocking) {
                if starved != 0 {
                    word.fetch_and(!STARVED, Ordering::Relaxed);
                }
                return;
            }
            let turn = self.queue.word.load(Ordering::Acquire);
            if slept_at.is_some_and(|moment| now() >= moment + STARVATION_THRESHOLD) {
                starved = STARVED;
            }
            if word.fetch_or(WANTED | starved, Ordering::Relaxed) & blocking != 0 {
                slept_at.get_or_insert_with(now);
                self.queue.wait(turn, None);
                (mark, blocking) = (LOCKED | WANTED, LOCKED);
            }
        }
    }

    /// Begins to close the object: no call can enter any more. Returns `false` if it is closed, or being
    /// closed.
    pub(crate) fn begin_closing(&self) -> bool {
        let mark = |word| (word & (OPEN | CLOSING) == OPEN).then_some(word | CLOSING);
        self.state.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, mark).is_ok()
    }

    /// Whether a call is in flight, or a failed attempt to enter.
    pub(crate) fn has_calls(&self) -> bool {
        self.state.word.load(Ordering::Relaxed) & IN_FLIGHT != 0
    }

    /// Waits until no call is in flight. From then on not even [`EntryLock::enter_while_there`] enters.
    pub(crate) fn wait_until_empty(&self) {
        let mark = |word| (word & IN_FLIGHT == 0).then_some(word & !OPEN);
        while let Err(word) = self.state.word.fetch_update(Ordering::Acquire, Ordering::Acquire, mark) {
            self.state.wait(word, None);
        }
    }

    /// Closes the lock: there is no object any more.
    pub(crate) fn close(&self) {
        self.state.word.fetch_and(!(OPEN | CLOSING), Ordering::Release);
    }
}

/// Notes that the thread holds the lock, until `unlock` or `unlock_and_leave`.
#[inline]
fn note_lock() {
    std::mem::forget(rank::Socket::note_acquired());
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn enter_fails_while_closed() {
        let entry = EntryLock::new();
        assert!(!entry.enter() && !entry.enter_locked() && !entry.begin_closing());
        entry.open();
        assert!(entry.enter() && entry.enter_locked());
        assert!(entry.begin_closing() && !entry.begin_closing());
        entry.unlock_and_leave();
        assert!(!entry.enter_locked() && entry.has_calls());
        entry.leave();
        assert!(!entry.has_calls() && entry.enter_while_there());
        entry.leave();
        entry.wait_until_empty();
        assert!(!entry.enter_while_there());
        entry.close();
        assert!(!entry.enter_while_there());
        entry.open();
        assert!(entry.enter_locked());
    }

    #[test]
    fn many_threads_take_turns() {
        const THREADS: usize = 8;
        const TURNS: usize = 20_000;
        let entry = EntryLock::new();
        entry.open();
        let count = std::cell::UnsafeCell::new(0);
        struct Shared<'a>(&'a EntryLock, &'a std::cell::UnsafeCell<usize>);
        // SAFETY: the cell is used under the lock.
        unsafe impl Sync for Shared<'_> {}
        let shared = &Shared(&entry, &count);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(move || {
                    let Shared(entry, count) = shared;
                    for turn in 0..TURNS {
                        if turn % 2 == 0 {
                            assert!(entry.enter_locked())
                        } else {
                            entry.lock()
                        }
                        // SAFETY: this thread holds the lock.
                        unsafe { *count.get() += 1 };
                        if turn % 2 == 0 { entry.unlock_and_leave() } else { entry.unlock() }
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), THREADS * TURNS);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    struct Guarded(EntryLock, UnsafeCell<u32>);

    fn add_one(shared: &Guarded) {
        // SAFETY: the callers hold the lock, or no other thread is left; loom checks that.
        shared.1.with_mut(|count| unsafe { *count += 1 });
    }

    #[test]
    fn loom_the_lock_excludes_and_wakes_a_waiter() {
        loom::model(|| {
            let shared = Arc::new(Guarded(EntryLock::new(), UnsafeCell::new(0)));
            shared.0.open();
            let twin = shared.clone();
            let thread = loom::thread::spawn(move || {
                assert!(twin.0.enter_locked());
                add_one(&twin);
                twin.0.unlock_and_leave();
            });
            shared.0.lock();
            add_one(&shared);
            shared.0.unlock();
            thread.join().unwrap();
            shared.0.lock();
            // SAFETY: this thread holds the lock.
            assert_eq!(shared.1.with(|count| unsafe { *count }), 2);
        });
    }

    /// With a threshold of zero, the second sleep of a thread keeps others from overtaking it.
    #[test]
    fn loom_each_of_three_threads_gets_the_lock() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        model.check(|| {
            let shared = Arc::new(Guarded(EntryLock::new(), UnsafeCell::new(0)));
            shared.0.open();
            let turns = |shared: &Guarded| {
                for _ in 0..2 {
                    assert!(shared.0.enter_locked());
                    add_one(shared);
                    shared.0.unlock_and_leave();
                }
            };
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let twin = shared.clone();
                    loom::thread::spawn(move || turns(&twin))
                })
                .collect();
            shared.0.lock();
            add_one(&shared);
            shared.0.unlock();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            shared.0.lock();
            // SAFETY: this thread holds the lock.
            assert_eq!(shared.1.with(|count| unsafe { *count }), 5);
            assert_eq!(shared.0.state.word.load(Ordering::Relaxed) & STARVED, 0);
        });
    }

    #[test]
    fn loom_closing_waits_for_calls_in_flight() {
        loom::model(|| {
            let shared = Arc::new(Guarded(EntryLock::new(), UnsafeCell::new(0)));
            shared.0.open();
            let twin = shared.clone();
            let thread = loom::thread::spawn(move || {
                if twin.0.enter_locked() {
                    add_one(&twin);
                    twin.0.unlock_and_leave();
                }
            });
            assert!(shared.0.begin_closing());
            shared.0.wait_until_empty();
            // Without the lock: no call is in flight.
            add_one(&shared);
            shared.0.close();
            thread.join().unwrap();
        });
    }
}
