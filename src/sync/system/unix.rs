//! Unix, and what Linux has besides.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// What can be waited for.
pub(crate) type Descriptor = RawFd;

/// A descriptor to wait for until it can be read, and whether that was so.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct Polled(libc::pollfd);

impl Polled {
    /// Not ready, as far as is known.
    pub(crate) fn new(descriptor: Descriptor) -> Polled {
        Polled(libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 })
    }

    /// Whether anything was reported: it can be read, or has failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }

    /// Whether it can be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.0.revents & libc::POLLIN != 0
    }
}

/// poll(2). Without a time it waits for ever. Answers how many are ready.
///
/// # Errors
/// The system call's, `Interrupted` among them.
#[cfg(all(target_os = "linux", not(portable)))]
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> io::Result<usize> {
    let time = time.map(|time| libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(time.subsec_nanos().cast_signed()),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = entries.len() as libc::nfds_t;
    // SAFETY: the entries are pollfds, valid for writing, and so many; the time lives across the call.
    let ready = unsafe { libc::ppoll(entries.as_mut_ptr().cast(), count, time, std::ptr::null()) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// poll(2), which rounds up to milliseconds here. Without a time it waits for ever. Answers how
/// many are ready.
///
/// # Errors
/// The system call's, `Interrupted` among them.
#[cfg(any(not(target_os = "linux"), portable))]
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> io::Result<usize> {
    let time = time.map(|time| time.as_micros().div_ceil(1000));
    let time = time.map_or(-1, |time| libc::c_int::try_from(time).unwrap_or(libc::c_int::MAX));
    let count = entries.len() as libc::nfds_t;
    // SAFETY: the entries are pollfds, valid for writing, and so many.
    let ready = unsafe { libc::poll(entries.as_mut_ptr().cast(), count, time) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// The present moment on the monotonic clock.
pub(crate) fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing; the monotonic clock exists on every Unix.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Runs `start` with every signal blocked, so that the threads it starts take none: the host's
/// handlers run on the host's threads.
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let mut all = std::mem::MaybeUninit::uninit();
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: both sets are valid for writing, and `all` is filled before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let result = start();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    result
}

/// Has `in_child` called in every forked child. It must not do more than touch atomics.
pub(in crate::sync) fn watch_forks(in_child: extern "C" fn()) {
    // SAFETY: the handler only touches atomics, which is allowed in a forked child.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    }
}
