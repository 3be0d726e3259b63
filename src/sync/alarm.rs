//! A descriptor that one thread makes readable for another one that sleeps in poll(2).

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::Wake;

#[cfg(not(loom))]
pub(crate) use self::descriptor::Alarm;
#[cfg(loom)]
pub(crate) use self::model::Alarm;

/// Sleeps until the descriptor can be read or the time is over; it may be woken before that.
pub(crate) fn await_readable(descriptor: RawFd, time: Duration) {
    let mut entry = [libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 }];
    // Whoever waits looks again in any case.
    let _ = poll(&mut entry, Some(time));
}

/// poll(2). Without a time it waits for ever. Answers how many are ready.
#[cfg(all(target_os = "linux", not(portable)))]
pub(super) fn poll(entries: &mut [libc::pollfd], time: Option<Duration>) -> io::Result<usize> {
    let time = time.map(|time| libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(time.subsec_nanos().cast_signed()),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = entries.len() as libc::nfds_t;
    // SAFETY: the entries are valid for writing, and so many; the time lives across the call.
    let ready = unsafe { libc::ppoll(entries.as_mut_ptr(), count, time, std::ptr::null()) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// poll(2), which rounds up to milliseconds here. Without a time it waits for ever.
#[cfg(any(not(target_os = "linux"), portable))]
pub(super) fn poll(entries: &mut [libc::pollfd], time: Option<Duration>) -> io::Result<usize> {
    let time = time.map(|time| time.as_micros().div_ceil(1000));
    let time = time.map_or(-1, |time| libc::c_int::try_from(time).unwrap_or(libc::c_int::MAX));
    let count = entries.len() as libc::nfds_t;
    // SAFETY: the entries are valid for writing, and so many.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), count, time) };
    usize::try_from(ready).map_err(|_| io::Error::last_os_error())
}

/// A descriptor to wait for besides an alarm, and whether it was ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// The descriptor, waited for until it can be read.
    pub(crate) descriptor: RawFd,
    /// Reading it will not block; it may find the end.
    pub(crate) is_ready: bool,
}

#[cfg(not(loom))]
mod descriptor {
    use super::super::level::Level;
    use super::{Duration, RawFd, Wake, Watched, io, poll};

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
        pub(crate) fn descriptor(&self) -> RawFd {
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
            let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let mut entries = smallvec::SmallVec::<[libc::pollfd; 9]>::new();
            entries.push(entry(self.descriptor()));
            entries.extend(watched.iter().map(|watched| entry(watched.descriptor)));
            let left = deadline.map(|deadline| deadline.saturating_sub(super::super::now()));
            match poll(&mut entries, left) {
                Ok(0) => return Wake::TimedOut,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Wake::Interrupted,
                // Nothing is known: the caller looks again.
                Err(_) => return Wake::Woken,
            }
            if entries[0].revents != 0 {
                self.silence();
            }
            for (watched, entry) in watched.iter_mut().zip(&entries[1..]) {
                watched.is_ready = entry.revents != 0;
            }
            Wake::Woken
        }
    }
}

/// What loom can explore: nothing but the ringing.
#[cfg(loom)]
mod model {
    use super::super::{Mutex, lock};
    use super::{Duration, Wake, Watched, io};

    #[derive(Debug)]
    pub(crate) struct Alarm {
        is_ringing: Mutex<bool>,
        changed: loom::sync::Condvar,
    }

    impl Alarm {
        pub(crate) fn new() -> io::Result<Alarm> {
            Ok(Alarm { is_ringing: Mutex::new(false), changed: loom::sync::Condvar::new() })
        }

        pub(crate) fn descriptor(&self) -> std::os::fd::RawFd {
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
