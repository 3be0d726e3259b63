//! State that belongs to one process, and not to its forked children.
//!
//! A child has none of its parent's other threads, and a lock that one of them held stays locked for ever.
//! So the child never uses an inherited value. Of global state the first use after a fork makes a new one, and the
//! old one is leaked; what a program keeps itself says that it is another process's.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::system::watch_forks;
use super::{rank, spin, unload};

/// Incremented in the child at each fork.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// `in_child` is registered.
static WATCHES_FORKS: AtomicBool = AtomicBool::new(false);

/// Frees the values of a simulated world. The next world begins as a process does.
#[cfg(simulated)]
pub(crate) fn forget_world() {
    crate::machine::take_endings().into_iter().for_each(|forget| forget());
    unload::free_world();
    spin::forget();
    super::processors::forget_world();
}

/// Runs in a forked child; may be called twice for one fork.
extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    unload::forget();
    spin::forget();
    rank::forget();
}

/// Registers `in_child`, unless that is done. The flag is set after the registration: another thread at the
/// same time, and a child forked in between, register it once more.
fn ensure_forks_are_watched() {
    if !WATCHES_FORKS.load(Ordering::Acquire) {
        watch_forks(in_child);
        WATCHES_FORKS.store(true, Ordering::Release);
    }
}

/// A value that is made at its first use in each process.
pub(crate) struct PerProcess<T: 'static> {
    current: AtomicPtr<Stamped<T>>,
    make: fn() -> T,
}

struct Stamped<T> {
    generation: u32,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    /// A value that `make` makes. Several threads may call it at the same time; one result is used.
    pub(crate) const fn new(make: fn() -> T) -> PerProcess<T> {
        PerProcess { current: AtomicPtr::new(ptr::null_mut()), make }
    }

    /// The value of this process.
    pub(crate) fn get(&'static self) -> &'static T {
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: a published value is not freed before the library is unloaded.
        if let Some(stamped) = unsafe { current.as_ref() }
            && stamped.generation == GENERATION.load(Ordering::Relaxed)
        {
            return &stamped.value;
        }
        self.make(current)
    }

    #[cold]
    fn make(&'static self, old: *mut Stamped<T>) -> &'static T {
        ensure_forks_are_watched();
        #[cfg(simulated)]
        crate::machine::at_the_end(Box::new(|| self.current.store(ptr::null_mut(), Ordering::Release)));
        let generation = GENERATION.load(Ordering::Relaxed);
        let made = unload::keep(Box::new(Stamped { generation, value: (self.make)() }));
        let made_at = ptr::from_ref(made).cast_mut();
        match self.current.compare_exchange(old, made_at, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => &made.value,
            // Another thread was faster; the value made here is not used.
            // SAFETY: published, and not freed before the library is unloaded.
            Err(winner) => unsafe { &(*winner).value },
        }
    }
}

/// A value that only the process that has made it uses. A forked child inherits it in an unknown state: another thread of the
/// parent may have held a lock in it, and the two processes share its descriptors.
pub(crate) struct OfProcess<T> {
    generation: u32,
    value: T,
}

impl<T> OfProcess<T> {
    /// A value of the calling process.
    pub(crate) fn new(value: T) -> OfProcess<T> {
        ensure_forks_are_watched();
        OfProcess { generation: GENERATION.load(Ordering::Relaxed), value }
    }

    /// The value; `None` in a forked child of its process.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        (self.generation == GENERATION.load(Ordering::Relaxed)).then_some(&self.value)
    }
}

#[cfg(all(test, unix, not(loom)))]
mod tests {
    use super::*;

    static NUMBER: PerProcess<AtomicU32> = PerProcess::new(|| AtomicU32::new(7));

    #[test]
    fn a_forked_child_starts_anew() {
        NUMBER.get().store(8, Ordering::SeqCst);
        let own = OfProcess::new(9);
        // SAFETY: the child only reads atomics and leaves with `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let is_new = NUMBER.get().load(Ordering::SeqCst) == 7 && own.get().is_none();
            let status = i32::from(!(is_new && OfProcess::new(10).get() == Some(&10)));
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(status) };
        }
        let mut status = -1;
        // SAFETY: `status` is valid for writing.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!((NUMBER.get().load(Ordering::SeqCst), own.get()), (8, Some(&9)));
    }
}
