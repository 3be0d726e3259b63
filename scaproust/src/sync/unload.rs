//! What lives as long as the library is loaded, and is freed when a host unloads it.
//!
//! Owns the list of such values, the moment when they go, and what is called then and when exit(3) begins. Nothing is freed when the process
//! ends: its other threads may still be inside a call then, while dlclose(3) is only for a library
//! that nobody is inside of. Only Linux is asked for the moment; elsewhere such values stay.

use std::sync::atomic::{AtomicPtr, Ordering};

#[cfg(all(target_os = "linux", not(loom)))]
pub(super) use list::forget;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use list::keep;

/// Keeps a value for ever.
#[cfg(any(not(target_os = "linux"), loom))]
pub(crate) fn keep<T: Send + Sync>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

/// There is nothing to forget.
#[cfg(any(not(target_os = "linux"), loom))]
pub(super) fn forget() {}

/// A function that exit(3) calls, or null.
static BEFORE_EXIT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
/// A function that unloading calls, or null.
static BEFORE_UNLOAD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Has a function called when exit(3) begins, where that is known. It must not wait for a lock: the thread that exits may
/// have been interrupted by a signal while it held one.
pub(crate) fn before_exit(call: fn()) {
    BEFORE_EXIT.store(call as *mut (), Ordering::Release);
}

/// Has a function called when the library is unloaded, before the values are freed.
pub(crate) fn before_unload(call: fn()) {
    BEFORE_UNLOAD.store(call as *mut (), Ordering::Release);
}

#[cfg(all(target_os = "linux", not(loom)))]
mod list {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    /// The values of this process, the last one first.
    static KEPT: AtomicPtr<Kept> = AtomicPtr::new(ptr::null_mut());

    /// A value, and how to free it.
    struct Kept {
        next: *mut Kept,
        value: *mut (),
        free: unsafe fn(*mut ()),
    }

    /// Keeps a value until the library is unloaded.
    pub(crate) fn keep<T: Send + Sync>(value: Box<T>) -> &'static T {
        #[cfg(not(test))]
        super::moment::prepare();
        let value = Box::into_raw(value);
        // SAFETY: `free` is called once, for a pointer that `Box::into_raw` gave.
        let free = |value: *mut ()| unsafe { drop(Box::from_raw(value.cast::<T>())) };
        let kept = Box::into_raw(Box::new(Kept { next: ptr::null_mut(), value: value.cast(), free }));
        let mut next = KEPT.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else knows it yet.
            unsafe { (*kept).next = next };
            match KEPT.compare_exchange_weak(next, kept, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: it is freed when nobody is inside the library any more.
                Ok(_) => return unsafe { &*value },
                Err(other) => next = other,
            }
        }
    }

    /// In a forked child: what its parent kept is left alone, as a lock in it may be held for ever.
    pub(in crate::sync) fn forget() {
        KEPT.store(ptr::null_mut(), Ordering::Relaxed);
        #[cfg(not(test))]
        super::moment::forget();
    }

    /// Frees every value.
    ///
    /// # Safety
    /// Nobody may use any of them any more.
    pub(super) unsafe fn free_all() {
        let mut next = KEPT.swap(ptr::null_mut(), Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: made by `keep`, and taken out of the list; nobody uses the value.
            unsafe {
                let kept = Box::from_raw(next);
                (kept.free)(kept.value);
                next = kept.next;
            }
        }
    }
}

/// When the loader unloads the library, and not when the process ends. An exit runs the handlers of
/// atexit(3) before the functions of `.fini_array`. Unloading runs ours in `.fini_array` first:
/// these go backwards, and the compiler's own one, which runs handlers, stands at the start.
///
/// (A test's process must not do it: threads of the test's own may still run.)
#[cfg(all(target_os = "linux", not(any(loom, test))))]
mod moment {
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

    /// The process ends, or it cannot be known.
    static IS_EXITING: AtomicBool = AtomicBool::new(false);
    /// `exiting` is called when the process ends.
    static IS_PREPARED: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".fini_array")]
    static UNLOADED: extern "C" fn() = unloaded;

    /// Has an exit told apart from unloading.
    pub(super) fn prepare() {
        if IS_PREPARED.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: the handler only touches an atomic, and may be called twice.
        if unsafe { libc::atexit(exiting) } != 0 {
            IS_EXITING.store(true, Ordering::Relaxed);
        }
        IS_PREPARED.store(true, Ordering::Relaxed);
    }

    /// In a forked child: if its parent was in the middle of `prepare`, the C library's lock there may be
    /// held for ever, and the child does without.
    pub(super) fn forget() {
        if !IS_PREPARED.swap(true, Ordering::Relaxed) {
            IS_EXITING.store(true, Ordering::Relaxed);
        }
    }

    /// Calls what was stored by `before_exit` or `before_unload`, if anything was.
    fn call(stored: &AtomicPtr<()>) {
        let stored = stored.load(Ordering::Acquire);
        if !stored.is_null() {
            // SAFETY: what those two store is such a function.
            let stored = unsafe { std::mem::transmute::<*mut (), fn()>(stored) };
            crate::sync::contained(stored);
        }
    }

    extern "C" fn exiting() {
        IS_EXITING.store(true, Ordering::Relaxed);
        call(&super::BEFORE_EXIT);
    }

    extern "C" fn unloaded() {
        if !IS_EXITING.load(Ordering::Relaxed) {
            call(&super::BEFORE_UNLOAD);
            // SAFETY: the library is being unloaded, so nobody is inside it.
            unsafe { super::list::free_all() };
        }
    }
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use super::list::{forget, free_all, keep};
    use std::ptr;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn what_was_kept_stays_until_all_of_it_is_freed() {
        struct Counted<'a>(&'a AtomicU32);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        // The list is the process's, whose other tests keep things too: its child frees them.
        static FREED: AtomicU32 = AtomicU32::new(0);
        // SAFETY: the child has one thread, and ends without returning.
        let child = unsafe { libc::fork() };
        if child == 0 {
            forget();
            let first = keep(Box::new(Mutex::new(Counted(&FREED))));
            let second = keep(Box::new(Counted(&FREED)));
            let is_kept = FREED.load(Ordering::Relaxed) == 0 && ptr::eq(second.0, &raw const FREED);
            let is_kept = is_kept && first.lock().is_ok();
            // SAFETY: neither is used again.
            unsafe { free_all() };
            let is_freed = FREED.load(Ordering::Relaxed) == 2;
            // SAFETY: ends the child without running its parent's exit handlers.
            unsafe { libc::_exit(i32::from(!(is_kept && is_freed))) };
        }
        let mut status = -1;
        // SAFETY: `status` is valid for writing.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((waited, status), (child, 0));
    }
}
