//! A descriptor that one thread makes readable for another one that sleeps in poll(2).

use std::io;
use std::time::Duration;

use super::{Descriptor, Wake};

#[cfg(not(loom))]
pub(crate) use self::descriptor::Notifier;
#[cfg(loom)]
pub(crate) use self::model::Notifier;

#[cfg(not(loom))]
mod descriptor {
    use super::super::level::Level;
    use super::super::{Sleep, Uncancellable};
    use super::{Descriptor, Duration, Wake, io};

    /// A descriptor that is readable from the time it rings until it is silenced.
    #[derive(Debug)]
    pub(crate) struct Notifier(Level);

    impl Notifier {
        /// An alarm that is silent.
        ///
        /// # Errors
        /// The operating system's.
        pub(crate) fn new() -> io::Result<Notifier> {
            Level::new().map(Notifier)
        }

        /// The descriptor, for poll(2) and its like.
        pub(crate) fn descriptor(&self) -> Descriptor {
            self.0.descriptor()
        }

        /// Makes the descriptor readable.
        pub(crate) fn ring(&self) {
            let _uncancellable = Uncancellable::begin();
            self.0.raise();
        }

        /// Makes the descriptor silent again.
        pub(crate) fn silence(&self) {
            let _uncancellable = Uncancellable::begin();
            self.0.lower();
        }

        /// Sleeps until it rings, the deadline has passed or a signal came, and silences it.
        pub(crate) fn wait(&self, deadline: Option<Duration>) -> Wake {
            let mut sleep = Sleep::new();
            sleep.prepare(std::iter::once(self.descriptor()), deadline, None);
            sleep.run();
            let wake = sleep.wake();
            if wake == Wake::Woken {
                self.silence();
            }
            wake
        }
    }
}

/// What loom can explore: nothing but the ringing.
#[cfg(loom)]
mod model {
    use super::super::{Mutex, lock};
    use super::{Descriptor, Duration, Wake, io};

    #[derive(Debug)]
    pub(crate) struct Notifier {
        is_ringing: Mutex<bool>,
        changed: loom::sync::Condvar,
    }

    impl Notifier {
        pub(crate) fn new() -> io::Result<Notifier> {
            Ok(Notifier { is_ringing: Mutex::new(false), changed: loom::sync::Condvar::new() })
        }

        pub(crate) fn descriptor(&self) -> Descriptor {
            -1
        }

        pub(crate) fn ring(&self) {
            *lock(&self.is_ringing) = true;
            self.changed.notify_all();
        }

        pub(crate) fn silence(&self) {
            *lock(&self.is_ringing) = false;
        }

        pub(crate) fn wait(&self, _deadline: Option<Duration>) -> Wake {
            let mut is_ringing = lock(&self.is_ringing);
            while !*is_ringing {
                is_ringing = self.changed.wait(is_ringing).unwrap();
            }
            *is_ringing = false;
            Wake::Woken
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_rings_once() {
        let alarm = Notifier::new().unwrap();
        assert_eq!(alarm.wait(Some(Duration::ZERO)), Wake::TimedOut);
        alarm.ring();
        assert_eq!(alarm.wait(None), Wake::Woken);
        assert_eq!(alarm.wait(Some(Duration::ZERO)), Wake::TimedOut);
    }
}
