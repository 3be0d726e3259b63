//! Values that live as long as the library is loaded, and are freed when a host unloads it.
//!
//! Owns the list of these values, and the functions to call when the library is unloaded and when exit(3)
//! begins. Nothing is freed when the process ends: its other threads may still be inside a call then, whereas
//! dlclose(3) requires that none is. Only on Linux is the unloading noticed; elsewhere the values are leaked.

use std::sync::atomic::{AtomicPtr, Ordering};

#[cfg(all(target_os = "linux", not(loom)))]
pub(super) use list::forget;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use list::keep;

/// Keeps a value until the process ends.
#[cfg(any(not(target_os = "linux"), loom))]
pub(crate) fn keep<T: Send + Sync>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

/// Does nothing: there is no list.
#[cfg(any(not(target_os = "linux"), loom))]
pub(super) fn forget() {}

/// Frees the values of a simulated world, whose threads have ended.
#[cfg(simulated)]
pub(super) fn free_world() {
    // SAFETY: no thread of the world is left.
    unsafe { list::free_all() };
}

/// The function to call when exit(3) begins, or null.
static BEFORE_EXIT: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
/// The function to call when the library is unloaded, or null.
static BEFORE_UNLOAD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// Registers a function that is called when exit(3) begins, on Linux. It must not wait for a lock: the thread
/// that exits may have been interrupted by a signal while it held one.
pub(crate) fn before_exit(call: fn()) {
    BEFORE_EXIT.store(call as *mut (), Ordering::Release);
}

/// Registers a function that is called when the library is unloaded, before the values are freed; on Linux.
pub(crate) fn before_unload(call: fn()) {
    BEFORE_UNLOAD.store(call as *mut (), Ordering::Release);
}

#[cfg(all(target_os = "linux", not(loom)))]
mod list {
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    /// The values, the newest one first.
    static KEPT: AtomicPtr<Kept> = AtomicPtr::new(ptr::null_mut());
    /// The first of those that a forked child has inherited, or null.
    static INHERITED: AtomicPtr<Kept> = AtomicPtr::new(ptr::null_mut());

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
            // SAFETY: no other thread knows it yet.
            unsafe { (*kept).next = next };
            match KEPT.compare_exchange_weak(next, kept, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: it is freed only when no thread is inside the library any more.
                Ok(_) => return unsafe { &*value },
                Err(other) => next = other,
            }
        }
    }

    /// In a forked child: never frees its parent's values, as a lock in one of them may be held for ever. They stay in the
    /// list, where a checker of leaks finds them.
    pub(in crate::sync) fn forget() {
        INHERITED.store(KEPT.load(Ordering::Relaxed), Ordering::Relaxed);
        #[cfg(not(test))]
        super::moment::forget();
    }

    /// Frees every value of this process.
    ///
    /// # Safety
    /// None of them may be used any more.
    pub(super) unsafe fn free_all() {
        let inherited = INHERITED.load(Ordering::Relaxed);
        let mut next = KEPT.swap(inherited, Ordering::Acquire);
        while next != inherited {
            // SAFETY: made by `keep`, and taken out of the list; the value is not used, as the caller promises.
            unsafe {
                let kept = Box::from_raw(next);
                (kept.free)(kept.value);
                next = kept.next;
            }
        }
    }
}

/// Tells an unloading of the library from the end of the process. An exit runs the handlers of atexit(3)
/// before the functions of `.fini_array`. Unloading runs the function below first: those of `.fini_array`
/// run from last to first, and the compiler's own, which runs the handlers, is the first.
///
/// Not in tests, whose own threads may still run at the end of the process.
#[cfg(all(target_os = "linux", not(any(loom, test))))]
mod moment {
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

    /// The process ends, or this cannot be told.
    static IS_EXITING: AtomicBool = AtomicBool::new(false);
    /// `exiting` is registered with atexit(3).
    static IS_PREPARED: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".fini_array")]
    static UNLOADED: extern "C" fn() = unloaded;

    /// Registers `exiting`, unless that is done.
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

    /// In a forked child: if its parent was in the middle of `prepare`, the C library's lock may be held for
    /// ever, so the child does not call atexit(3), and frees nothing.
    pub(super) fn forget() {
        if !IS_PREPARED.swap(true, Ordering::Relaxed) {
            IS_EXITING.store(true, Ordering::Relaxed);
        }
    }

    /// Calls the function that `before_exit` or `before_unload` has stored, if any.
    fn call(stored: &AtomicPtr<()>) {
        let stored = stored.load(Ordering::Acquire);
        if !stored.is_null() {
            // SAFETY: those two store functions of this type.
            let stored = unsafe { std::mem::transmute::<*mut (), fn()>(stored) };
            crate::sync::contained(stored);
        }
    }

    extern "C" fn exiting() {
        IS_EXITING.store(true, Ordering::Relaxed);
        crate::sync::rank::forget();
        call(&super::BEFORE_EXIT);
    }

    extern "C" fn unloaded() {
        if !IS_EXITING.load(Ordering::Relaxed) {
            call(&super::BEFORE_UNLOAD);
            // The C library calls `exiting` next, for which nothing is left to do: what it would use is freed here.
            super::BEFORE_EXIT.store(std::ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: the library is being unloaded, so no thread is inside it.
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
    fn kept_values_live_until_all_are_freed() {
        struct Counted<'a>(&'a AtomicU32);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        // Other tests of the process keep values in the same list: a forked child has its own.
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
