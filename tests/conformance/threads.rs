//! Whether another thread of this process sleeps, which no two systems tell in the same way.

use std::sync::atomic::{AtomicI32, Ordering};

/// A thread, as another one may ask for it. There is none before it was told.
#[derive(Default)]
pub struct Thread(AtomicI32);

impl Thread {
    /// The calling thread is the one.
    pub fn tell(&self) {
        self.0.store(system::own_number(), Ordering::Relaxed);
    }

    /// Whether it was told, and sleeps.
    pub fn is_asleep(&self) -> bool {
        let number = self.0.load(Ordering::Relaxed);
        number != 0 && system::is_asleep(number)
    }
}

#[cfg(target_os = "linux")]
mod system {
    pub fn own_number() -> i32 {
        // SAFETY: a plain call.
        unsafe { libc::gettid() }
    }

    pub fn is_asleep(thread: i32) -> bool {
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
        // SAFETY: the place is as long as `count` says, and zeros are valid in it.
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
