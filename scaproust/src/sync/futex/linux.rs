//! The futex on Linux: futex(2), always with a time-out.
//!
//! Only with a time-out does a signal handler that was installed with `SA_RESTART` end the wait.

use std::time::Duration;

use crate::sync::Wake;
use crate::sync::atomic::AtomicU32;
use crate::sync::system::timespec;

/// The system call that takes a time of the width of [`libc::timespec`]: where a word has 32 bits, its seconds may have 64.
const FUTEX: libc::c_long = {
    let has_long_time = size_of::<libc::timespec>() > 2 * size_of::<libc::c_long>();
    if has_long_time && !cfg!(target_arch = "x86_64") { FUTEX_TIME64 } else { libc::SYS_futex }
};
/// futex_time64, a number that the libc crate lacks: one for all processors, but that of MIPS counts from 4000.
const FUTEX_TIME64: libc::c_long = if cfg!(target_arch = "mips") { 4422 } else { 422 };

/// An atomic word with sleepers.
#[derive(Debug)]
pub(crate) struct Futex {
    /// The word. A thread that changes it must call [`Futex::wake`].
    pub(crate) word: AtomicU32,
}

impl Futex {
    /// A word that starts at zero.
    pub(crate) fn new() -> Futex {
        Futex { word: AtomicU32::new(0) }
    }

    /// Sleeps while the word is `expected`, until [`Futex::wake`], the deadline, or a signal.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wake {
        // A year stands for no deadline, since there must be a time-out.
        let until = deadline.unwrap_or_else(|| crate::sync::now() + Duration::from_secs(365 * 24 * 3600));
        let until = timespec(until);
        // SAFETY: the word and the time live across the call; the kernel only reads them.
        let result = unsafe {
            libc::syscall(
                FUTEX,
                self.word.as_ptr(),
                libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
                expected,
                &raw const until,
                std::ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            )
        };
        if result == 0 {
            return Wake::Woken;
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::ETIMEDOUT) if deadline.is_some() => Wake::TimedOut,
            Some(libc::EINTR) => Wake::Interrupted,
            _ => Wake::Woken,
        }
    }

    /// Wakes at most `count` sleepers.
    pub(crate) fn wake(&self, count: i32) {
        // SAFETY: the kernel does not access the word here; its address names the sleepers.
        unsafe {
            libc::syscall(FUTEX, self.word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, count);
        }
    }
}
