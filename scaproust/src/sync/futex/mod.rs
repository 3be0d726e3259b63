//! A futex: a word that threads sleep on until it changes, or until a signal handler runs.
//!
//! On Linux this is futex(2), on Windows WaitOnAddress. Other systems have no such call in common,
//! so there each sleeper has a pipe and sleeps in poll(2); `--cfg portable` selects that on Linux, for
//! tests. Under loom it is a lock and a condition variable, without signals.

#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
mod linux;
#[cfg(loom)]
mod modelled;
#[cfg(all(unix, not(any(loom, simulated)), any(not(target_os = "linux"), portable)))]
mod pipes;
#[cfg(simulated)]
mod simulated;
#[cfg(all(windows, not(any(loom, simulated))))]
mod windows;

#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
pub(crate) use linux::Futex;
#[cfg(loom)]
pub(crate) use modelled::Futex;
#[cfg(all(unix, not(any(loom, simulated)), any(not(target_os = "linux"), portable)))]
pub(crate) use pipes::Futex;
#[cfg(simulated)]
pub(crate) use simulated::Futex;
#[cfg(all(windows, not(any(loom, simulated))))]
pub(crate) use windows::Futex;

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::sync::Wake;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    #[test]
    fn a_wake_ends_one_wait_and_a_changed_word_prevents_one() {
        let futex = Futex::new();
        assert_eq!(futex.wait(1, None), Wake::Woken);
        std::thread::scope(|scope| {
            let sleepers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        while futex.word.load(Ordering::SeqCst) == 0 {
                            assert_eq!(futex.wait(0, None), Wake::Woken);
                        }
                    })
                })
                .collect();
            futex.word.store(1, Ordering::SeqCst);
            for _ in sleepers {
                futex.wake(1);
            }
        });
    }

    #[test]
    fn a_wait_that_timed_out_leaves_no_sleeper() {
        let futex = Futex::new();
        let soon = || Some(crate::sync::now() + Duration::from_millis(1));
        for _ in 0..3 {
            assert_eq!(futex.wait(0, soon()), Wake::TimedOut);
        }
        // There is no sleeper: this wake must not end the next wait.
        futex.wake(1);
        assert_eq!(futex.wait(0, soon()), Wake::TimedOut);
    }

    /// The handler may run before the sleep has begun, so another thread sends the signal until the wait is
    /// over.
    #[cfg(unix)]
    #[test]
    fn a_signal_handler_with_sa_restart_ends_a_wait() {
        extern "C" fn handler(_: libc::c_int) {}
        let futex = Futex::new();
        // SAFETY: the handler does nothing, and the structure is valid when it is all zeros.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
        // As a number, since it is a pointer in some C libraries.
        // SAFETY: a plain call.
        let this = unsafe { libc::pthread_self() } as usize;
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    // SAFETY: the thread lives until this one is joined.
                    unsafe { libc::pthread_kill(this as libc::pthread_t, libc::SIGUSR1) };
                    std::thread::yield_now();
                }
            });
            assert_eq!(futex.wait(0, None), Wake::Interrupted);
            is_over.store(true, Ordering::SeqCst);
        });
    }
}
