//! Windows.

use std::ffi::c_int;
use std::io;
use std::os::windows::io::RawSocket;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::no_signals::SignalMask;
use windows_sys::Win32::Networking::WinSock::{POLLRDNORM, WSAPOLLFD, WSAPoll};

/// What a thread can wait for.
pub(crate) type Descriptor = RawSocket;

/// A socket to wait for until it is readable, and the result.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct Polled(WSAPOLLFD);

impl Polled {
    /// An entry that is not ready yet.
    pub(crate) fn new(descriptor: Descriptor) -> Polled {
        // The same number, in the type that the interface gives it.
        Polled(WSAPOLLFD { fd: descriptor as usize, events: POLLRDNORM, revents: 0 })
    }

    /// Whether it is ready: it is readable or has failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Whether it is a standard stream: never, since those are no sockets.
pub(crate) fn is_standard<T>(_made: &T) -> bool {
    false
}

/// WSAPoll, with the time rounded up to milliseconds. Without a time it waits for ever. Returns the number of
/// ready entries.
///
/// # Errors
/// The system call's.
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> io::Result<usize> {
    // SAFETY: pointer and length of a slice.
    let ready = unsafe { poll_with(entries.as_mut_ptr(), entries.len(), time, None) };
    usize::try_from(ready).map_err(|_| io::Error::from_raw_os_error(-ready))
}

/// As [`poll`], but an error is a negative number. There are no signals.
///
/// # Safety
/// `entries` must point to `count` entries, valid for writing.
pub(in crate::sync) unsafe fn poll_with(
    entries: *mut Polled,
    count: usize,
    time: Option<Duration>,
    _signals: Option<&SignalMask>,
) -> c_int {
    if count == 0 {
        // WSAPoll fails without entries.
        std::thread::sleep(time.unwrap_or(Duration::MAX));
        return 0;
    }
    let time = time.map(|time| time.as_micros().div_ceil(1000));
    let time = time.map_or(-1, |time| i32::try_from(time).unwrap_or(i32::MAX));
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    // SAFETY: the entries are WSAPOLLFDs; the rest is the caller's promise.
    let ready = unsafe { WSAPoll(entries.cast(), count, time) };
    if ready < 0 { -io::Error::last_os_error().raw_os_error().unwrap_or(1) } else { ready }
}

/// The time on a monotonic clock. It is one day at the first call, so that callers can subtract from it.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed() + Duration::from_secs(24 * 60 * 60)
}

/// The number of processors that the process may run on; 1 if that is unknown.
pub(in crate::sync) fn processors() -> u32 {
    std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok()).unwrap_or(1)
}
