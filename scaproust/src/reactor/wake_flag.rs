//! Whether the I/O thread must be woken for new work, or will look for it anyway.
//!
//! Owns one flag. Must not know how the thread is woken, nor what the work is.

use crate::sync::atomic::{AtomicBool, Ordering};

/// Set while the thread is awake, which then looks for new work before it sleeps, or a thread is about to
/// wake it.
#[derive(Debug)]
pub(super) struct WakeFlag(AtomicBool);

impl WakeFlag {
    /// A flag for a thread that may be asleep.
    pub(super) fn new() -> WakeFlag {
        WakeFlag(AtomicBool::new(false))
    }

    /// Announces new work. Returns whether the caller must wake the thread.
    pub(super) fn request(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// The thread is awake: work that is added from now on, also by itself, does not wake it.
    pub(super) fn set_awake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The thread is about to look for work, and to sleep if there is none: work that is added later wakes
    /// it.
    pub(super) fn about_to_poll(&self) {
        // Not a plain store: it synchronises with each `request` that did not wake the thread, whose work is
        // seen after this.
        self.0.swap(false, Ordering::SeqCst);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex};

    /// The flag with its surroundings in the reactor: the mailbox, and the poller's memory of being woken.
    struct Model {
        wake_flag: WakeFlag,
        mailbox: Mutex<usize>,
        is_woken: Mutex<bool>,
        woken: Condvar,
    }

    impl Model {
        fn send(&self) {
            *self.mailbox.lock().unwrap() += 1;
            if self.wake_flag.request() {
                *self.is_woken.lock().unwrap() = true;
                self.woken.notify_one();
            }
        }

        /// One turn of the thread and the sleep before it. Returns how many entries the mailbox had.
        fn turn(&self) -> usize {
            self.wake_flag.about_to_poll();
            if *self.mailbox.lock().unwrap() == 0 {
                let mut is_woken = self.is_woken.lock().unwrap();
                while !*is_woken {
                    is_woken = self.woken.wait(is_woken).unwrap();
                }
                *is_woken = false;
            }
            self.wake_flag.set_awake();
            std::mem::take(&mut *self.mailbox.lock().unwrap())
        }
    }

    /// The thread finds every entry of the mailbox without being woken by anything else: if it slept with an
    /// entry in the mailbox, the model would not end.
    #[test]
    fn loom_every_entry_is_found() {
        loom::model(|| {
            let model = Arc::new(Model {
                wake_flag: WakeFlag::new(),
                mailbox: Mutex::new(0),
                is_woken: Mutex::new(false),
                woken: Condvar::new(),
            });
            let other = model.clone();
            let sender = loom::thread::spawn(move || (0..2).for_each(|_| other.send()));
            let mut found = 0;
            while found < 2 {
                found += model.turn();
            }
            sender.join().unwrap();
        });
    }
}
