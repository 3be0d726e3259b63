//! A thread that interrupts the callers of a program with signals, which the process handles.

use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{mem, ptr, thread};

/// Whether an interrupted system call is restarted (SA_RESTART).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signals {
    Restart,
    Interrupt,
}

/// The time between two signals to all callers: less than any call blocks for.
const INTERVAL: Duration = Duration::from_micros(200);

/// The threads that are interrupted, while they exist.
#[derive(Debug, Default)]
pub(super) struct Targets(Mutex<Vec<c_int>>);

impl Targets {
    /// Adds the calling thread.
    pub(super) fn add_this_thread(&self) {
        // SAFETY: it has no arguments.
        let id = unsafe { libc::gettid() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    /// Sends signals until `is_over`. A thread that has ended does not get them.
    pub(super) fn interrupt(&self, signals: Signals, is_over: impl Fn() -> bool) {
        handle(signals);
        while !is_over() {
            for id in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
                // SAFETY: only numbers; a thread of another process is not found.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), *id, libc::SIGUSR1) };
            }
            thread::sleep(INTERVAL);
        }
    }
}

/// Installs a handler that does nothing but interrupt.
fn handle(signals: Signals) {
    extern "C" fn nothing(_signal: c_int) {}
    let handler: extern "C" fn(c_int) = nothing;
    // SAFETY: all zeros are an action without flags; the handler takes one argument.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = if signals == Signals::Restart { libc::SA_RESTART } else { 0 };
        assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut()), 0);
    }
}
