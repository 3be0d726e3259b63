//! The notifier as loom sees it, without a descriptor.

use std::io;
use std::time::Duration;

use crate::sync::{Descriptor, Mutex, Wake, lock};

#[derive(Debug)]
pub(crate) struct Notifier {
    is_notified: Mutex<bool>,
    changed: loom::sync::Condvar,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Notifier> {
        Ok(Notifier { is_notified: Mutex::new(false), changed: loom::sync::Condvar::new() })
    }

    pub(crate) fn descriptor(&self) -> Descriptor {
        -1
    }

    pub(crate) fn notify(&self) {
        *lock(&self.is_notified) = true;
        self.changed.notify_all();
    }

    pub(crate) fn clear(&self) {
        *lock(&self.is_notified) = false;
    }

    pub(crate) fn wait(&self, _deadline: Option<Duration>) -> Wake {
        let mut is_notified = lock(&self.is_notified);
        while !*is_notified {
            is_notified = self.changed.wait(is_notified).unwrap();
        }
        *is_notified = false;
        Wake::Woken
    }
}
