//! Unix.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use libc::c_int;

mod cancellation;
pub use cancellation::{CancelState, CancellationCleanup, Uncancellable};

/// What a thread can wait for.
pub(crate) type Descriptor = RawFd;

/// A descriptor to wait for until it is readable, and the result.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct Polled(libc::pollfd);

impl Polled {
    /// An entry that is not ready yet.
    pub(crate) fn new(descriptor: Descriptor) -> Polled {
        Polled(libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 })
    }

    /// Whether it is ready: it is readable or has failed.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Whether the descriptor is a standard stream's, 0, 1 or 2.
pub(crate) fn is_standard(made: &impl AsRawFd) -> bool {
    made.as_raw_fd() <= libc::STDERR_FILENO
}

/// poll(2). Without a time it waits for ever. Returns the number of ready entries.
///
/// # Errors
/// The system call's, `Interrupted` among them.
pub(crate) fn poll(entries: &mut [Polled], time: Option<Duration>) -> io::Result<usize> {
    let _uncancellable = Uncancellable::begin();
    // SAFETY: pointer and length of a slice; the thread cannot be cancelled.
    let ready = unsafe { poll_with(entries.as_mut_ptr(), entries.len(), time, None) };
    usize::try_from(ready).map_err(|_| io::Error::from_raw_os_error(-ready))
}

/// A time in the system's type.
pub(in crate::sync) fn timespec(time: Duration) -> libc::timespec {
    // SAFETY: plain data, for which all zeros are valid. It has padding where seconds are longer than words.
    let mut system: libc::timespec = unsafe { std::mem::zeroed() };
    // More seconds than the type has become the 68 years that every such type has.
    system.tv_sec = time.as_secs().try_into().unwrap_or(i32::MAX.into());
    system.tv_nsec = time.subsec_nanos().cast_signed().into();
    system
}

/// As [`poll`], but an error is a negative errno. `signals` is the thread's signal mask while it sleeps.
///
/// A thread that is cancelled here unwinds through this frame, in which nothing has a destructor.
///
/// # Safety
/// `entries` must point to `count` entries, valid for writing. If the thread can be cancelled, no frame
/// between this one and the C caller's may have something to drop.
#[cfg(all(target_os = "linux", not(portable)))]
pub(in crate::sync) unsafe fn poll_with(
    entries: *mut Polled,
    count: usize,
    time: Option<Duration>,
    signals: Option<&SignalMask>,
) -> c_int {
    unsafe extern "C-unwind" {
        // Not the libc crate's, which says that it does not unwind.
        #[link_name = "ppoll"]
        fn poll_cancellable(
            entries: *mut Polled,
            count: libc::nfds_t,
            time: *const libc::timespec,
            signals: *const SignalMask,
        ) -> c_int;
    }
    let time = time.map(timespec);
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let signals = signals.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: as the caller promises; the time and the set live across the call.
    let ready = unsafe { poll_cancellable(entries, count as libc::nfds_t, time, signals) };
    if ready < 0 { -errno() } else { ready }
}

/// As [`poll`], but an error is a negative errno. The time is rounded up to milliseconds. `signals` is the
/// thread's signal mask while it sleeps; a signal that arrives in the few instructions between the change of
/// the mask and the sleep does not end the sleep.
///
/// # Safety
/// `entries` must point to `count` entries, valid for writing. If the thread can be cancelled, no frame
/// between this one and the C caller's may have something to drop.
#[cfg(any(not(target_os = "linux"), portable))]
pub(in crate::sync) unsafe fn poll_with(
    entries: *mut Polled,
    count: usize,
    time: Option<Duration>,
    signals: Option<&SignalMask>,
) -> c_int {
    unsafe extern "C-unwind" {
        // Not the libc crate's, which says that it does not unwind.
        #[link_name = "poll"]
        fn poll_cancellable(entries: *mut Polled, count: libc::nfds_t, time: c_int) -> c_int;
    }
    let time = time.map(|time| time.as_micros().div_ceil(1000));
    let time = time.map_or(-1, |time| c_int::try_from(time).unwrap_or(c_int::MAX));
    let before = signals.map(SignalMask::set);
    // SAFETY: as the caller promises.
    let ready = unsafe { poll_cancellable(entries, count as libc::nfds_t, time) };
    let ready = if ready < 0 { -errno() } else { ready };
    before.map(|before| before.set());
    ready
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// The time on the monotonic clock.
pub(crate) fn now() -> Duration {
    let mut time = timespec(Duration::ZERO);
    // SAFETY: `time` is valid for writing; the monotonic clock exists on every Unix.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The number of processors that the process may run on; 1 if that is unknown.
pub(in crate::sync) fn processors() -> u32 {
    // One system call; the standard library would also read files of the thread's control groups. The query
    // is for the process's first thread, since others may each be bound to a processor of their own.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let count = {
        // SAFETY: plain data, for which all zeros are valid.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is valid for writing, with this size.
        let result = unsafe { libc::sched_getaffinity(libc::getpid(), size_of_val(&set), &raw mut set) };
        // SAFETY: as above.
        (result == 0).then(|| unsafe { libc::CPU_COUNT(&set) }.unsigned_abs())
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let count = std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
    count.unwrap_or(1)
}

/// A thread's signal mask: the signals that are blocked.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// Blocks every signal in this thread except those that an instruction raises. Returns the mask before.
    pub(crate) fn block_all() -> SignalMask {
        let mut all = std::mem::MaybeUninit::uninit();
        // SAFETY: the set is valid for writing, and filled before it is read.
        let all = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            for signal in
                [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS]
            {
                libc::sigdelset(all.as_mut_ptr(), signal);
            }
            all.assume_init()
        };
        SignalMask(all).set()
    }

    /// Makes this the thread's mask and returns the one before. The handlers of pending signals that this
    /// unblocks run now.
    pub(crate) fn set(&self) -> SignalMask {
        let mut before = std::mem::MaybeUninit::uninit();
        // SAFETY: the sets are valid; the call fills the second one.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, before.as_mut_ptr());
            SignalMask(before.assume_init())
        }
    }

    /// Delivers pending signals that this mask does not block. Returns whether a handler has run.
    pub(crate) fn deliver_pending(&self) -> bool {
        let time = timespec(Duration::ZERO);
        let null = std::ptr::null_mut();
        // SAFETY: no descriptors; the time and the set live across the call.
        let result = unsafe { libc::pselect(0, null, null, null, &raw const time, &raw const self.0) };
        result < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    }
}

impl std::fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignalMask")
    }
}

/// Runs `start` with every signal blocked. The threads that it starts inherit that, so the host's handlers
/// run on the host's threads only.
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let before = SignalMask::block_all();
    let result = start();
    before.set();
    result
}

/// Registers a function that is called in every forked child. It may only access atomics.
pub(in crate::sync) fn watch_forks(in_child: extern "C" fn()) {
    // SAFETY: the handler only accesses atomics, which is allowed in a forked child.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    }
}
