//! Global state that is made anew in a forked child.
//!
//! A child has none of its parent's other threads, and a lock that one of them held stays locked for ever.
//! So the child never uses an inherited value: the first use after a fork makes a new one, and the old one
//! is leaked.

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

#[cfg(all(test, unix, not(loom)))]
mod tests {
    use super::*;

    static NUMBER: PerProcess<AtomicU32> = PerProcess::new(|| AtomicU32::new(7));

    #[test]
    fn a_forked_child_starts_anew() {
        NUMBER.get().store(8, Ordering::SeqCst);
        // SAFETY: the child only reads atomics and leaves with `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0);
        if child == 0 {
            let status = i32::from(NUMBER.get().load(Ordering::SeqCst) != 7);
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(status) };
        }
        let mut status = -1;
        // SAFETY: `status` is valid for writing.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!(NUMBER.get().load(Ordering::SeqCst), 8);
    }
}
