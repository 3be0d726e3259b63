//! A thread that does not keep the library loaded.
//!
//! The standard library gives each of its threads something to do at its end, and the loader unloads no
//! library that has such work to do: dlclose(3) would not unload ours while a thread of it sleeps. This one
//! has no such work, unless it uses a thread-local value that has a destructor. So whoever unloads the
//! library has to end it first.

#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) use plain::Thread;
#[cfg(any(not(target_os = "linux"), loom))]
pub(crate) use standard::Thread;

/// What a thread does.
type Body = Box<dyn FnOnce() + Send>;

#[cfg(all(target_os = "linux", not(loom)))]
mod plain {
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

    /// What is handed to a new thread.
    struct Start {
        name: &'static CStr,
        body: Body,
    }

    impl Thread {
        /// Starts a thread that takes no signals.
        ///
        /// # Errors
        /// The system's.
        pub(crate) fn start(name: &'static CStr, body: Body) -> io::Result<Thread> {
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
                // SAFETY: there is no thread that has taken it.
                drop(unsafe { Box::from_raw(start) });
                return Err(io::Error::from_raw_os_error(error));
            }
            // SAFETY: set, as the call went well.
            Ok(Thread(unsafe { thread.assume_init() }))
        }

        /// Waits until the thread has ended.
        pub(crate) fn join(self) {
            // SAFETY: it is joined once, as this takes it.
            unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        }

        /// As [`Thread::join`], for so long at most: a thread that takes longer is left alone.
        pub(crate) fn join_within(self, time: Duration) {
            let mut end = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: the place is valid for writing.
            unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut end) };
            let end = Duration::new(end.tv_sec.cast_unsigned(), end.tv_nsec as u32) + time;
            let end = timespec(end);
            // SAFETY: as above; the moment lives across the call.
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

#[cfg(any(not(target_os = "linux"), loom))]
mod standard {
    use std::ffi::CStr;
    use std::io;
    use std::thread::{Builder, JoinHandle};
    use std::time::Duration;

    use super::Body;
    use crate::sync::without_signals;

    /// A running thread, to be joined.
    pub(crate) struct Thread(JoinHandle<()>);

    impl Thread {
        /// Starts a thread that takes no signals.
        ///
        /// # Errors
        /// The system's.
        pub(crate) fn start(name: &'static CStr, body: Body) -> io::Result<Thread> {
            let name = name.to_string_lossy().into_owned();
            without_signals(|| Builder::new().name(name).spawn(body)).map(Thread)
        }

        /// Waits until the thread has ended.
        pub(crate) fn join(self) {
            // A panic of the thread has gone no further.
            let _ = self.0.join();
        }

        /// There is no way to wait for a given time: the thread is left alone.
        pub(crate) fn join_within(self, _time: Duration) {}
    }
}
