//! Whether another thread of this process sleeps; each system has its own way to find out.

use std::sync::atomic::{AtomicI32, Ordering};

/// A thread whose state another thread may query. It is empty until the thread has registered.
#[derive(Default)]
pub(crate) struct Thread(AtomicI32);

impl Thread {
    /// Registers the calling thread.
    pub(crate) fn register(&self) {
        self.0.store(system::own_number(), Ordering::Relaxed);
    }

    /// Whether the thread has registered, and sleeps.
    pub(crate) fn is_asleep(&self) -> bool {
        let number = self.0.load(Ordering::Relaxed);
        number != 0 && system::is_asleep(number)
    }
}

#[cfg(target_os = "linux")]
mod system {
    pub(super) fn own_number() -> i32 {
        // SAFETY: a plain call.
        unsafe { libc::gettid() }
    }

    pub(super) fn is_asleep(thread: i32) -> bool {
        let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
        status.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S'))
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    pub fn own_number() -> i32 {
        // SAFETY: plain calls.
        let port = unsafe { libc::pthread_mach_thread_np(libc::pthread_self()) };
        port.cast_signed()
    }

    pub fn is_asleep(thread: i32) -> bool {
        let mut info = std::mem::MaybeUninit::<libc::thread_basic_info>::zeroed();
        let mut count = libc::THREAD_BASIC_INFO_COUNT;
        // SAFETY: the place has the length `count`, and zeros are valid in it.
        let info = unsafe {
            libc::thread_info(
                thread.cast_unsigned(),
                libc::THREAD_BASIC_INFO.cast_unsigned(),
                info.as_mut_ptr().cast(),
                &raw mut count,
            );
            info.assume_init()
        };
        info.run_state == libc::TH_STATE_WAITING
    }
}

#[cfg(windows)]
mod system {
    use std::time::Duration;
    use windows_sys::Win32::Foundation::{CloseHandle, FILETIME};
    use windows_sys::Win32::System::Threading::{
        GetCurrentThreadId, GetThreadTimes, OpenThread, THREAD_QUERY_LIMITED_INFORMATION,
    };

    /// Longer than the resolution of a thread's run time.
    const STEP: Duration = Duration::from_millis(40);

    pub(super) fn own_number() -> i32 {
        // SAFETY: a plain call.
        unsafe { GetCurrentThreadId() }.cast_signed()
    }

    /// The system has no query for this: a thread that has not run for a while counts as asleep.
    pub(super) fn is_asleep(thread: i32) -> bool {
        let before = time_run(thread);
        std::thread::sleep(STEP);
        before == time_run(thread)
    }

    fn time_run(thread: i32) -> [(u32, u32); 2] {
        const NONE: FILETIME = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
        let [mut begin, mut end, mut kernel, mut user] = [NONE; 4];
        // SAFETY: the places are valid for writing, and the handle is closed once.
        unsafe {
            let handle = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, 0, thread.cast_unsigned());
            GetThreadTimes(handle, &raw mut begin, &raw mut end, &raw mut kernel, &raw mut user);
            CloseHandle(handle);
        }
        [kernel, user].map(|time| (time.dwLowDateTime, time.dwHighDateTime))
    }
}
