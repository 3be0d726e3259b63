//! Whether the I/O thread must be woken for something new, or looks for it anyway.
//!
//! Owns one flag. Must not know how the thread is woken, nor what is new.

use crate::sync::atomic::{AtomicBool, Ordering};

/// The flag: the thread is awake, and looks for new work before it sleeps.
#[derive(Debug)]
pub(super) struct WakeFlag(AtomicBool);

impl WakeFlag {
    /// The thread may be asleep.
    pub(super) fn new() -> WakeFlag {
        WakeFlag(AtomicBool::new(false))
    }

    /// Something new is there. Whether the thread must be woken, which is the caller's duty then.
    pub(super) fn request(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }

    /// The thread is awake: what is new from now on, its own work included, rings no bell.
    pub(super) fn set_awake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// The thread is about to look whether there is anything to do, and to sleep if there is not: what
    /// comes later rings again.
    pub(super) fn about_to_poll(&self) {
        // Not a plain store: what was done before a bell that did not ring is seen after this.
        self.0.swap(false, Ordering::SeqCst);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex};

    /// The bell, and what the reactor has around it: what is new, and the poller's own memory of being woken.
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

        /// One turn of the thread and the sleep before it, and how many letters it found.
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

    /// The thread finds every letter without being woken by anything else: were one to lie there while it sleeps, the
    /// model would not end.
    #[test]
    fn loom_every_letter_is_found() {
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
