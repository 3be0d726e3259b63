//! The notifier as loom sees it, without a descriptor.

use std::io;
use std::time::Duration;

use loom::sync::{Condvar, Mutex};

use crate::sync::{Descriptor, Wake};

#[derive(Debug)]
pub(crate) struct Notifier {
    is_notified: Mutex<bool>,
    changed: Condvar,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Notifier> {
        Ok(Notifier { is_notified: Mutex::new(false), changed: Condvar::new() })
    }

    pub(crate) fn descriptor(&self) -> Descriptor {
        -1
    }

    pub(crate) fn notify(&self) {
        *self.is_notified.lock().unwrap() = true;
        self.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        *self.is_notified.lock().unwrap() = false;
    }

    pub(crate) fn wait(&self, _deadline: Option<Duration>) -> Wake {
        let mut is_notified = self.is_notified.lock().unwrap();
        while !*is_notified {
            is_notified = self.changed.wait(is_notified).unwrap();
        }
        *is_notified = false;
        Wake::Woken
    }
}
