//! A descriptor that one thread makes readable for another one that sleeps in poll(2).

use std::io;
use std::time::Duration;

use super::{Descriptor, Wake};

#[cfg(not(loom))]
pub(crate) use self::descriptor::Alarm;
#[cfg(loom)]
pub(crate) use self::model::Alarm;

/// A descriptor to wait for besides an alarm, and whether it was ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// The descriptor, waited for until it can be read.
    pub(crate) descriptor: Descriptor,
    /// Reading it will not block; it may find the end.
    pub(crate) is_ready: bool,
}

#[cfg(not(loom))]
mod descriptor {
    use super::super::level::Level;
    use super::super::{Polled, poll};
    use super::{Descriptor, Duration, Wake, Watched, io};

    /// A descriptor that is readable from the time it rings until it is silenced.
    #[derive(Debug)]
    pub(crate) struct Alarm(Level);

    impl Alarm {
        /// An alarm that is silent.
        ///
        /// # Errors
        /// The operating system's.
        pub(crate) fn new() -> io::Result<Alarm> {
            Level::new().map(Alarm)
        }

        /// The descriptor, for poll(2) and its like.
        pub(crate) fn descriptor(&self) -> Descriptor {
            self.0.descriptor()
        }

        /// Makes the descriptor readable.
        pub(crate) fn ring(&self) {
            self.0.raise();
        }

        /// Makes the descriptor silent again.
        pub(crate) fn silence(&self) {
            self.0.lower();
        }

        /// Sleeps until it rings, one of `watched` is ready, the deadline has passed or a signal
        /// came, and silences it.
        pub(crate) fn wait(&self, watched: &mut [Watched], deadline: Option<Duration>) -> Wake {
            let mut entries = smallvec::SmallVec::<[Polled; 9]>::new();
            entries.push(Polled::new(self.descriptor()));
            entries.extend(watched.iter().map(|watched| Polled::new(watched.descriptor)));
            let left = deadline.map(|deadline| deadline.saturating_sub(super::super::now()));
            match poll(&mut entries, left) {
                Ok(0) => return Wake::TimedOut,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Wake::Interrupted,
                // Nothing is known: the caller looks again.
                Err(_) => return Wake::Woken,
            }
            if entries[0].is_ready() {
                self.silence();
            }
            for (watched, entry) in watched.iter_mut().zip(&entries[1..]) {
                watched.is_ready = entry.is_ready();
            }
            Wake::Woken
        }
    }
}

/// What loom can explore: nothing but the ringing.
#[cfg(loom)]
mod model {
    use super::super::{Mutex, lock};
    use super::{Descriptor, Duration, Wake, Watched, io};

    #[derive(Debug)]
    pub(crate) struct Alarm {
        is_ringing: Mutex<bool>,
        changed: loom::sync::Condvar,
    }

    impl Alarm {
        pub(crate) fn new() -> io::Result<Alarm> {
            Ok(Alarm { is_ringing: Mutex::new(false), changed: loom::sync::Condvar::new() })
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

        pub(crate) fn wait(&self, _watched: &mut [Watched], _deadline: Option<Duration>) -> Wake {
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
    fn it_rings_once_and_other_descriptors_end_the_wait_too() {
        let (alarm, other) = (Alarm::new().unwrap(), Alarm::new().unwrap());
        let mut watched = [Watched { descriptor: other.descriptor(), is_ready: false }];
        assert_eq!(alarm.wait(&mut watched, Some(Duration::ZERO)), Wake::TimedOut);
        alarm.ring();
        assert_eq!((alarm.wait(&mut watched, None), watched[0].is_ready), (Wake::Woken, false));
        assert_eq!(alarm.wait(&mut watched, Some(Duration::ZERO)), Wake::TimedOut);
        other.ring();
        assert_eq!((alarm.wait(&mut watched, None), watched[0].is_ready), (Wake::Woken, true));
    }
}
