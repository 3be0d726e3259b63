//! The processors that a thread may run on.

/// Whether the calling thread may run on each of the processors.
///
/// # Errors
/// The system's; `Unsupported` where there is no such call.
pub(crate) fn may_run_on(processors: &[usize]) -> std::io::Result<bool> {
    own::may_run_on(processors)
}

/// Lets the calling thread run on these processors only, if there are any and the system can do that.
pub(crate) fn run_on(processors: &[usize]) {
    if !processors.is_empty() {
        own::run_on(processors);
    }
}

#[cfg(all(target_os = "linux", not(simulated)))]
mod own {
    use std::io;
    use std::mem::size_of;

    /// The processors of a set.
    const MOST: usize = libc::CPU_SETSIZE as usize;

    fn empty() -> libc::cpu_set_t {
        // SAFETY: plain data, for which all zeros are valid: no processor.
        unsafe { std::mem::zeroed() }
    }

    pub(super) fn may_run_on(processors: &[usize]) -> io::Result<bool> {
        let mut allowed = empty();
        // SAFETY: `allowed` is valid for writing so many bytes.
        if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut allowed) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the number is within the set.
        Ok(processors.iter().all(|number| *number < MOST && unsafe { libc::CPU_ISSET(*number, &allowed) }))
    }

    pub(super) fn run_on(processors: &[usize]) {
        let mut wanted = empty();
        for number in processors.iter().filter(|number| **number < MOST) {
            // SAFETY: the number is within the set.
            unsafe { libc::CPU_SET(*number, &mut wanted) };
        }
        // It fails if all of them were taken from the process meanwhile: then the thread runs anywhere.
        // SAFETY: `wanted` is valid for reading so many bytes.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const wanted) };
    }
}

#[cfg(any(not(target_os = "linux"), simulated))]
mod own {
    use std::io;

    pub(super) fn may_run_on(_processors: &[usize]) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn run_on(_processors: &[usize]) {}
}
