//! A thread that does not keep the library loaded.
//!
//! A thread of the standard library has a thread-local destructor, and the loader does not unload a library
//! with pending destructors: dlclose(3) would have no effect while such a thread sleeps. This thread has
//! none, unless it uses a thread-local value with a destructor. So it must be ended before the library is
//! unloaded.

#[cfg(all(target_os = "linux", not(any(loom, simulated))))]
pub(crate) use plain::Thread;
#[cfg(simulated)]
pub(crate) use simulated::Thread;
#[cfg(all(not(simulated), any(not(target_os = "linux"), loom)))]
pub(crate) use standard::Thread;

/// Starts a thread with all signals blocked that no thread waits for.
///
/// # Errors
/// The system's.
pub(crate) fn start_detached(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    #[cfg(simulated)]
    let started = Ok(_ = crate::machine::spawn(name, body));
    #[cfg(not(simulated))]
    let started = {
        let builder = std::thread::Builder::new().name(name.to_owned());
        super::without_signals(|| builder.spawn(body)).map(drop)
    };
    started
}

/// The function that a thread runs.
type Body = Box<dyn FnOnce() + Send>;

#[cfg(all(target_os = "linux", not(any(loom, simulated))))]
mod plain {
    use std::borrow::Cow;
    use std::ffi::{CStr, c_void};
    use std::mem::MaybeUninit;
    use std::time::Duration;
    use std::{io, ptr};

    use super::Body;
    use crate::sync::system::timespec;
    use crate::sync::{contained, without_signals};

    /// As the standard library's.
    const STACK_SIZE: usize = 2 * 1024 * 1024;

    /// A running thread, to be joined.
    #[must_use = "a thread that is not joined keeps its stack"]
    pub(crate) struct Thread(libc::pthread_t);

    // SAFETY: any thread may join it. In some C libraries the number of a thread is a pointer, which this does not follow.
    unsafe impl Send for Thread {}

    /// The argument of a new thread.
    struct Start {
        name: Cow<'static, CStr>,
        body: Body,
    }

    impl Thread {
        /// Starts a thread with all signals blocked.
        ///
        /// # Errors
        /// The system's.
        pub(crate) fn start(name: Cow<'static, CStr>, body: Body) -> io::Result<Thread> {
            let start = Box::into_raw(Box::new(Start { name, body }));
            let mut attributes = MaybeUninit::uninit();
            let mut thread = MaybeUninit::uninit();
            // SAFETY: the attributes are initialised before they are used and destroyed after that; `run` takes
            // what `start` points to.
            let error = without_signals(|| unsafe {
                libc::pthread_attr_init(attributes.as_mut_ptr());
                libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK_SIZE);
                let error = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, start.cast());
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
                error
            });
            if error != 0 {
                // SAFETY: no thread was started, so `run` has not taken it.
                drop(unsafe { Box::from_raw(start) });
                return Err(io::Error::from_raw_os_error(error));
            }
            // SAFETY: initialised, as the call succeeded.
            Ok(Thread(unsafe { thread.assume_init() }))
        }

        /// Waits until the thread has ended.
        pub(crate) fn join(self) {
            // SAFETY: it is joined once, as this takes it.
            unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        }

        /// As [`Thread::join`], for at most `time`: a thread that takes longer is not joined.
        pub(crate) fn join_within(self, time: Duration) {
            let mut end = timespec(Duration::ZERO);
            // SAFETY: `end` is valid for writing.
            unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut end) };
            let end = Duration::new(u64::try_from(end.tv_sec).unwrap_or(0), end.tv_nsec as u32) + time;
            let end = timespec(end);
            // SAFETY: this takes the thread; `end` lives across the call.
            unsafe { libc::pthread_timedjoin_np(self.0, ptr::null_mut(), &raw const end) };
        }
    }

    extern "C" fn run(start: *mut c_void) -> *mut c_void {
        // SAFETY: made by `Thread::start` for this thread.
        let Start { name, body } = *unsafe { Box::from_raw(start.cast::<Start>()) };
        // SAFETY: the name ends with a zero.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        contained(body);
        ptr::null_mut()
    }
}

#[cfg(all(not(simulated), any(not(target_os = "linux"), loom)))]
mod standard {
    use std::borrow::Cow;
    use std::ffi::CStr;
    use std::io;
    use std::thread::{Builder, JoinHandle};
    use std::time::Duration;

    use super::Body;
    use crate::sync::without_signals;

    /// A running thread, to be joined.
    pub(crate) struct Thread(JoinHandle<()>);

    impl Thread {
        /// Starts a thread with all signals blocked.
        ///
        /// # Errors
        /// The system's.
        pub(crate) fn start(name: Cow<'static, CStr>, body: Body) -> io::Result<Thread> {
            let name = name.to_string_lossy().into_owned();
            without_signals(|| Builder::new().name(name).spawn(body)).map(Thread)
        }

        /// Waits until the thread has ended.
        pub(crate) fn join(self) {
            // The result only tells of a panic, which is contained in the thread.
            let _ = self.0.join();
        }

        /// Does nothing: the standard library cannot join with a time-out.
        pub(crate) fn join_within(self, _time: Duration) {}
    }
}

#[cfg(simulated)]
mod simulated {
    use std::borrow::Cow;
    use std::ffi::CStr;
    use std::io;
    use std::time::Duration;

    use super::Body;
    use crate::machine;

    /// A thread of the simulated machine.
    pub(crate) struct Thread(machine::Thread);

    impl Thread {
        /// Starts a thread.
        ///
        /// # Errors
        /// None.
        pub(crate) fn start(name: Cow<'static, CStr>, body: Body) -> io::Result<Thread> {
            Ok(Thread(machine::spawn(&name.to_string_lossy(), body)))
        }

        /// Waits until the thread has ended.
        pub(crate) fn join(self) {
            self.0.join();
        }

        /// As [`Thread::join`], for at most `time`.
        pub(crate) fn join_within(self, time: Duration) {
            self.0.join_within(time);
        }
    }
}
