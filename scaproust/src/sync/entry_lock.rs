//! The way into something that can be closed: a count of who is inside, and a lock, in one word.
//!
//! A call that comes in, does something under the lock and leaves again costs two atomic
//! operations, and not four. A door stays where it is for ever, so that one can knock at it without
//! knowing whether there is still something behind it.

use std::time::Duration;

use super::atomic::Ordering;
use super::{Futex, now};

/// There is something behind the door.
const OPEN: u32 = 1 << 31;
/// It is being closed: nobody comes in any more.
const CLOSING: u32 = 1 << 30;
/// Somebody has the lock.
const LOCKED: u32 = 1 << 29;
/// Somebody sleeps until the lock is free.
const WANTED: u32 = 1 << 28;
/// One that sleeps has waited too long for the lock: those that come now queue up behind it.
const STARVED: u32 = 1 << 27;
/// Those inside.
const INSIDE: u32 = STARVED - 1;
/// So long one sleeper may be overtaken by those that come later. (loom has no time.)
const PATIENCE: Duration = if cfg!(loom) { Duration::ZERO } else { Duration::from_millis(1) };
/// So often one looks whether the lock is free before sleeping.
const LOOKS: u32 = if cfg!(loom) { 0 } else { 100 };

/// A door.
#[derive(Debug)]
pub(crate) struct EntryLock {
    word: Futex,
    /// What those sleep on who want the lock.
    queue: Futex,
}

impl EntryLock {
    /// A closed door.
    pub(crate) fn new() -> EntryLock {
        EntryLock { word: Futex::new(), queue: Futex::new() }
    }

    /// Opens it: there is something behind it now.
    pub(crate) fn open(&self) {
        // Release: who enters sees it. Those that knock at closed doors may be counted.
        self.word.word.fetch_or(OPEN, Ordering::Release);
    }

    /// Enters, if it is open; answers whether it was.
    pub(crate) fn enter(&self) -> bool {
        // Acquire: what is behind it is seen as it was put there.
        let before = self.word.word.fetch_add(1, Ordering::Acquire);
        let is_open = before & (OPEN | CLOSING) == OPEN;
        if !is_open {
            self.leave();
        }
        is_open
    }

    /// Enters and takes the lock, if it is open; answers whether it was.
    #[inline]
    pub(crate) fn enter_locked(&self) -> bool {
        let word = &self.word.word;
        let seen = word.load(Ordering::Relaxed);
        let is_free = seen & (OPEN | CLOSING | LOCKED | STARVED) == OPEN;
        // Acquire: as above, and what was done under the lock is seen.
        if is_free
            && word.compare_exchange(seen, (seen + 1) | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return true;
        }
        self.enter_locked_late()
    }

    #[cold]
    fn enter_locked_late(&self) -> bool {
        let is_open = self.enter();
        if is_open {
            self.lock();
        }
        is_open
    }

    /// Leaves.
    pub(crate) fn leave(&self) {
        self.give(1);
    }

    /// Gives the lock back.
    pub(crate) fn unlock(&self) {
        self.give(LOCKED);
    }

    /// Gives the lock back and leaves.
    #[inline]
    pub(crate) fn unlock_and_leave(&self) {
        self.give(LOCKED | 1);
    }

    #[inline]
    fn give(&self, what: u32) {
        // Release: what was done inside happens before it is closed, or the lock taken again.
        let before = self.word.word.fetch_sub(what, Ordering::Release);
        if before & (WANTED | CLOSING) != 0 {
            self.wake(before, what);
        }
    }

    #[cold]
    fn wake(&self, before: u32, what: u32) {
        if before & WANTED != 0 && what & LOCKED != 0 {
            self.word.word.fetch_and(!WANTED, Ordering::Relaxed);
            self.queue.word.fetch_add(1, Ordering::Release);
            self.queue.wake(1);
        }
        if before & CLOSING != 0 && what & INSIDE != 0 && before & INSIDE == 1 {
            self.word.wake(i32::MAX);
        }
    }

    /// Takes the lock. It may be taken by who is not inside, and knows that there is something.
    pub(crate) fn lock(&self) {
        if !self.take(LOCKED, LOCKED | STARVED) {
            self.lock_late();
        }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> bool {
        self.word.word.fetch_or(LOCKED, Ordering::Acquire) & LOCKED == 0
    }

    /// Takes the lock, and leaves `mark` behind; not if there is any of `blocking`.
    #[inline]
    fn take(&self, mark: u32, blocking: u32) -> bool {
        let before = self.word.word.fetch_or(mark, Ordering::Acquire);
        if before & blocking == 0 {
            return true;
        }
        if before & LOCKED == 0 {
            // It was free, and another one is to have it.
            self.unlock();
        }
        false
    }

    #[cold]
    fn lock_late(&self) {
        let word = &self.word.word;
        // A thread that has slept leaves the mark behind, for others that may still sleep, and takes the
        // lock whenever it is free: each of these is woken in its turn.
        let (mut mark, mut blocking) = (LOCKED, LOCKED | STARVED);
        let mut slept_at = None;
        let mut starves = 0;
        loop {
            for _ in 0..LOOKS {
                if word.load(Ordering::Relaxed) & blocking == 0 {
                    break;
                }
                std::hint::spin_loop();
            }
            if self.take(mark, blocking) {
                if starves != 0 {
                    word.fetch_and(!STARVED, Ordering::Relaxed);
                }
                return;
            }
            let turn = self.queue.word.load(Ordering::Acquire);
            if slept_at.is_some_and(|moment| now() >= moment + PATIENCE) {
                starves = STARVED;
            }
            if word.fetch_or(WANTED | starves, Ordering::Relaxed) & blocking != 0 {
                slept_at.get_or_insert_with(now);
                self.queue.wait(turn, None);
                (mark, blocking) = (LOCKED | WANTED, LOCKED);
            }
        }
    }

    /// Begins to close it: keeps everybody out. Answers whether it was open, and nobody else is
    /// closing it.
    pub(crate) fn begin_closing(&self) -> bool {
        let mark = |word| (word & (OPEN | CLOSING) == OPEN).then_some(word | CLOSING);
        self.word.word.fetch_update(Ordering::Acquire, Ordering::Relaxed, mark).is_ok()
    }

    /// Waits until the last one has left.
    pub(crate) fn wait_until_empty(&self) {
        loop {
            let word = self.word.word.load(Ordering::Acquire);
            if word & INSIDE == 0 {
                return;
            }
            self.word.wait(word, None);
        }
    }

    /// Closes it: there is nothing behind it any more.
    pub(crate) fn close(&self) {
        self.word.word.fetch_and(!(OPEN | CLOSING), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_knocks_at_a_closed_door_is_not_inside() {
        let door = EntryLock::new();
        assert!(!door.enter() && !door.enter_locked() && !door.begin_closing());
        door.open();
        assert!(door.enter() && door.enter_locked());
        assert!(door.begin_closing() && !door.begin_closing() && !door.enter_locked());
        door.unlock_and_leave();
        door.leave();
        door.wait_until_empty();
        door.close();
        door.open();
        assert!(door.enter_locked());
    }

    #[test]
    fn many_threads_take_turns() {
        const THREADS: usize = 8;
        const TURNS: usize = 20_000;
        let door = EntryLock::new();
        door.open();
        let count = std::cell::UnsafeCell::new(0);
        struct Shared<'a>(&'a EntryLock, &'a std::cell::UnsafeCell<usize>);
        // SAFETY: the cell is used under the door's lock.
        unsafe impl Sync for Shared<'_> {}
        let shared = &Shared(&door, &count);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(move || {
                    let Shared(door, count) = shared;
                    for turn in 0..TURNS {
                        if turn % 2 == 0 {
                            assert!(door.enter_locked())
                        } else {
                            door.lock()
                        }
                        // SAFETY: we have the lock.
                        unsafe { *count.get() += 1 };
                        if turn % 2 == 0 { door.unlock_and_leave() } else { door.unlock() }
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
        // SAFETY: the callers have the lock; loom watches that they do.
        shared.1.with_mut(|count| unsafe { *count += 1 });
    }

    #[test]
    fn loom_the_lock_keeps_one_out_and_wakes_him() {
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
            // SAFETY: we have the lock.
            assert_eq!(shared.1.with(|count| unsafe { *count }), 2);
        });
    }

    /// With no patience, the second one that sleeps keeps others from overtaking it.
    #[test]
    fn loom_the_lock_reaches_each_of_three() {
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
            // SAFETY: we have the lock.
            assert_eq!(shared.1.with(|count| unsafe { *count }), 5);
            assert_eq!(shared.0.word.word.load(Ordering::Relaxed) & STARVED, 0);
        });
    }

    #[test]
    fn loom_closing_waits_for_who_is_inside() {
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
            // Without the lock: nobody is inside any more.
            add_one(&shared);
            shared.0.close();
            thread.join().unwrap();
        });
    }
}
