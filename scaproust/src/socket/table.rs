//! A table of values by small numbers. A value is open until it is closed. Look-ups take no lock of the
//! table.
//!
//! Each number has an [`EntryLock`], which counts the calls inside; closing waits until none is left.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use crate::sync::{EntryLock, Mutex, contained, keep, lock, rank};

/// How many slots are allocated at a time.
const SEGMENT: usize = 256;

/// Aligned against false sharing: different threads use neighbouring slots.
#[repr(align(128))]
struct Slot<T> {
    entry: EntryLock,
    /// From `Arc::into_raw` while the entry lock is open.
    value: AtomicPtr<T>,
}

impl<T> Slot<T> {
    fn new() -> Slot<T> {
        Slot { entry: EntryLock::new(), value: AtomicPtr::new(std::ptr::null_mut()) }
    }
}

/// Numbers for at most `LIMIT` values.
pub(crate) struct Table<T: 'static, const LIMIT: usize> {
    /// Never freed: a call may try to enter a slot whose value is gone.
    segments: Vec<OnceLock<&'static [Slot<T>]>>,
    numbers: Mutex<Numbers, rank::SocketNumbers>,
    /// The first number that was never used. Written under the lock of the numbers.
    end: AtomicI32,
}

/// The allocator of numbers.
#[derive(Default)]
struct Numbers {
    /// Numbers that were used before and are free; the last one freed is used first.
    free: Vec<i32>,
    /// How many numbers are in use.
    open: usize,
}

impl<T: Send + Sync, const LIMIT: usize> Table<T, LIMIT> {
    /// An empty table.
    pub(crate) fn new() -> Table<T, LIMIT> {
        let segments = (0..LIMIT.div_ceil(SEGMENT)).map(|_| OnceLock::new()).collect();
        Table { segments, numbers: Mutex::new(Numbers::default()), end: AtomicI32::new(0) }
    }

    /// Inserts the value that `make` returns for a free number and its entry lock. Returns the number.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], or that of `make`.
    pub(crate) fn open(
        &self,
        make: impl FnOnce(i32, &'static EntryLock) -> Result<Arc<T>, Error>,
    ) -> Result<i32, Error> {
        let mut numbers = lock(&self.numbers);
        if numbers.open >= LIMIT {
            return Err(Error::TooManySockets);
        }
        let id = numbers.free.last().copied().unwrap_or_else(|| self.end());
        let number = usize::try_from(id).map_err(|_| Error::TooManySockets)?;
        let segment = self.segments[number / SEGMENT].get_or_init(|| {
            let slots: Vec<_> = (0..SEGMENT).map(|_| Slot::new()).collect();
            keep(Box::new(slots)).as_slice()
        });
        let slot = &segment[number % SEGMENT];
        let value = make(id, &slot.entry)?;
        if numbers.free.pop().is_none() {
            self.end.store(id + 1, Ordering::Release);
        }
        numbers.open += 1;
        slot.value.store(Arc::into_raw(value).cast_mut(), Ordering::Relaxed);
        slot.entry.open();
        Ok(id)
    }

    #[inline]
    fn slot(&self, id: i32) -> Option<&'static Slot<T>> {
        let number = usize::try_from(id).ok()?;
        Some(&self.segments.get(number / SEGMENT)?.get()?[number % SEGMENT])
    }

    /// Enters a call.
    ///
    /// # Errors
    /// [`Error::Closed`] if nothing is open under this number.
    pub(crate) fn enter(&self, id: i32) -> Result<Call<T>, Error> {
        let slot = self.slot(id).ok_or(Error::Closed)?;
        if slot.entry.enter() { Ok(Call { slot }) } else { Err(Error::Closed) }
    }

    /// Enters a call also if another thread is closing the number, which waits in [`Closing::finish`] until the call has left.
    pub(crate) fn enter_while_there(&self, id: i32) -> Option<Call<T>> {
        let slot = self.slot(id)?;
        slot.entry.enter_while_there().then(|| Call { slot })
    }

    /// Enters a call, and takes its lock.
    ///
    /// # Errors
    /// [`Error::Closed`] if nothing is open under this number.
    #[inline]
    pub(crate) fn enter_locked(&self, id: i32) -> Result<Call<T>, Error> {
        let slot = self.slot(id).ok_or(Error::Closed)?;
        if slot.entry.enter_locked() { Ok(Call { slot }) } else { Err(Error::Closed) }
    }

    /// Closes a number: lets no call enter, calls `interrupt` to end the calls inside, waits until they have
    /// left, and passes the value to `teardown`. Returns whether the table is empty then. The number is free
    /// afterwards even if one of the two panics.
    ///
    /// # Errors
    /// [`Error::Closed`] if nothing is open under this number, or another thread is closing it.
    pub(crate) fn close(
        &self,
        id: i32,
        interrupt: impl FnOnce(&T),
        teardown: impl FnOnce(Arc<T>),
    ) -> Result<bool, Error> {
        let closing = self.begin_closing(id)?;
        contained(|| interrupt(&closing));
        Ok(closing.finish(teardown))
    }

    /// The first phase of [`Table::close`]: lets no call enter.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn begin_closing(&self, id: i32) -> Result<Closing<'_, T, LIMIT>, Error> {
        let slot = self.slot(id).ok_or(Error::Closed)?;
        if slot.entry.begin_closing() { Ok(Closing { table: self, id, slot }) } else { Err(Error::Closed) }
    }

    /// Runs `then` if the table is empty; no number is opened meanwhile.
    pub(crate) fn if_empty(&self, then: impl FnOnce()) {
        let numbers = lock(&self.numbers);
        if numbers.open == 0 {
            then();
        }
    }

    /// Whether there is exactly one value at the moment.
    pub(crate) fn is_last(&self) -> bool {
        lock(&self.numbers).open == 1
    }

    /// The end of the range of numbers that may be in use. Waits for no lock: a number that is being opened may be missing.
    pub(crate) fn end(&self) -> i32 {
        self.end.load(Ordering::Acquire)
    }

    /// As [`Table::end`], with the numbers that other threads are opening.
    pub(crate) fn end_after_openings(&self) -> i32 {
        let _numbers = lock(&self.numbers);
        self.end()
    }
}

/// A number that is being closed. Its value stays until [`Closing::finish`].
#[must_use = "the number stays taken until the closing is finished"]
pub(crate) struct Closing<'a, T: 'static, const LIMIT: usize> {
    table: &'a Table<T, LIMIT>,
    id: i32,
    slot: &'static Slot<T>,
}

impl<T, const LIMIT: usize> Closing<'_, T, LIMIT> {
    /// Whether calls are inside, for which [`Closing::finish`] would wait.
    pub(crate) fn has_calls(&self) -> bool {
        self.slot.entry.has_calls()
    }

    /// The last phase of [`Table::close`]: waits until the calls inside have left, passes the value to
    /// `teardown`, and frees the number. Returns whether the table is empty then.
    pub(crate) fn finish(self, teardown: impl FnOnce(Arc<T>)) -> bool {
        let Closing { table, id, slot } = self;
        slot.entry.wait_until_empty();
        let value = slot.value.load(Ordering::Relaxed);
        // SAFETY: only the thread that closes the entry takes the value; every call has left, and none can
        // enter.
        let value = unsafe { Arc::from_raw(value.cast_const()) };
        contained(|| teardown(value));
        let mut numbers = lock(&table.numbers);
        slot.entry.close();
        numbers.open -= 1;
        if numbers.open == 0 {
            // As in the C library: once nothing is open, numbers begin at zero again.
            *numbers = Numbers::default();
            table.end.store(0, Ordering::Relaxed);
            return true;
        }
        numbers.free.push(id);
        false
    }
}

impl<T, const LIMIT: usize> Deref for Closing<'_, T, LIMIT> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the entry was open, and the value stays until `finish`, which takes the closing.
        unsafe { &*self.slot.value.load(Ordering::Relaxed) }
    }
}

opaque!([T] Call<T>);

/// A call inside. The value is not freed before the call leaves.
pub struct Call<T: 'static> {
    slot: &'static Slot<T>,
}

impl<T> Call<T> {
    /// Leaves, and releases the lock, which the caller holds.
    pub(crate) fn unlock_and_leave(self) {
        std::mem::ManuallyDrop::new(self).slot.entry.unlock_and_leave();
    }
}

impl<T> Deref for Call<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the entry was open when the call entered, and the value stays until it leaves.
        unsafe { &*self.slot.value.load(Ordering::Relaxed) }
    }
}

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        self.slot.entry.leave();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn open(table: &Table<i32, 3>) -> Result<i32, Error> {
        table.open(|id, _| Ok(Arc::new(id * 10)))
    }

    fn close(table: &Table<i32, 3>, id: i32) -> Result<bool, Error> {
        table.close(id, |_| {}, drop)
    }

    #[test]
    fn numbers_are_small_and_reused() {
        let table = Table::new();
        assert_eq!([open(&table), open(&table), open(&table)], [Ok(0), Ok(1), Ok(2)]);
        assert_eq!(open(&table), Err(Error::TooManySockets));
        assert_eq!(table.enter(2).map(|call| *call), Ok(20));
        assert_eq!(close(&table, 1), Ok(false));
        assert_eq!(close(&table, 1), Err(Error::Closed));
        for id in [1, -1, 3, 256, i32::MAX, i32::MIN] {
            assert_eq!(table.enter(id).map(|call| *call), Err(Error::Closed), "{id}");
        }
        assert_eq!(open(&table), Ok(1));
        assert_eq!([close(&table, 0), close(&table, 1), close(&table, 2)], [Ok(false), Ok(false), Ok(true)]);
        assert_eq!([open(&table), open(&table)], [Ok(0), Ok(1)]);
    }

    #[test]
    fn a_number_is_closed_despite_a_panic() {
        let table = Table::new();
        assert_eq!([open(&table), open(&table)], [Ok(0), Ok(1)]);
        let is_dropped = std::cell::Cell::new(false);
        let teardown = |value| {
            drop(value);
            is_dropped.set(true);
        };
        assert_eq!(table.close(0, |_| panic!("asked for by the test"), teardown), Ok(false));
        assert!(is_dropped.get() && table.enter(0).is_err());
        assert_eq!(table.close(1, |_| {}, |_| panic!("asked for by the test")), Ok(true));
        assert_eq!(open(&table), Ok(0));
    }

    #[test]
    fn a_number_stays_free_when_making_its_value_fails() {
        let table = Table::<i32, 3>::new();
        assert_eq!(table.open(|_, _| Err(Error::InvalidArgument)), Err(Error::InvalidArgument));
        assert_eq!(open(&table), Ok(0));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc as LoomArc;
    use loom::sync::atomic::AtomicBool;

    /// A value that records whether it was freed.
    struct Value(LoomArc<AtomicBool>);

    impl Drop for Value {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// A thread calls `enter`, and looks at the value if that succeeds, while another closes the number.
    fn never_sees_a_freed_value(
        enter: impl Fn(&Table<Value, 1>) -> Option<Call<Value>> + Copy + Send + Sync + 'static,
    ) {
        loom::model(move || {
            let freed = LoomArc::new(AtomicBool::new(false));
            let table = LoomArc::new(Table::<Value, 1>::new());
            table.open(|_, _| Ok(Arc::new(Value(freed.clone())))).unwrap();
            let caller = {
                let table = table.clone();
                loom::thread::spawn(move || {
                    if let Some(call) = enter(&table) {
                        assert!(!call.0.load(Ordering::Relaxed));
                    }
                })
            };
            assert_eq!(table.close(0, |_| {}, drop), Ok(true));
            assert!(freed.load(Ordering::Relaxed));
            caller.join().unwrap();
            assert!(enter(&table).is_none());
        });
    }

    #[test]
    fn loom_a_call_never_sees_a_freed_value() {
        never_sees_a_freed_value(|table| table.enter(0).ok());
    }

    #[test]
    fn loom_a_call_during_closing_never_sees_a_freed_value() {
        never_sees_a_freed_value(|table| table.enter_while_there(0));
    }

    #[test]
    fn loom_only_one_of_two_threads_closes() {
        loom::model(|| {
            let freed = LoomArc::new(AtomicBool::new(false));
            let table = LoomArc::new(Table::<Value, 1>::new());
            table.open(|_, _| Ok(Arc::new(Value(freed.clone())))).unwrap();
            let other = {
                let table = table.clone();
                loom::thread::spawn(move || table.close(0, |_| {}, drop).is_ok())
            };
            let mine = table.close(0, |_| {}, drop).is_ok();
            assert!(mine ^ other.join().unwrap());
        });
    }
}
