//! One sleep of a blocked call: prepared, slept and judged in three steps.
//!
//! The step in the middle is plain data and a system call, so that a call of the C face can leave all
//! frames that have something to drop before it, and be cancelled there. A sleep ends when a
//! descriptor is ready, at the deadline, or when a signal handler has run: signals that the call holds
//! back come through while it sleeps, and at no other time.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use smallvec::SmallVec;

use super::system::poll_with;
use super::{CancelState, Descriptor, Polled, SignalMask, Uncancellable, now, poll};

/// How long a thread sleeps that the system lets wait for no descriptor, until it looks again.
const BLIND: Duration = Duration::from_millis(10);

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something is ready, or it is to be looked whether it is.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// A signal handler ran.
    Interrupted,
}

opaque!([] Sleep);

/// What a thread is to wait for, and how that went.
pub struct Sleep {
    entries: SmallVec<[Polled; 9]>,
    deadline: Option<Duration>,
    signals: Option<SignalMask>,
    /// How many descriptors are ready, or a negative errno.
    ready: c_int,
    /// The system would not wait for the descriptors: nothing is known of them.
    is_blind: bool,
}

impl Sleep {
    /// Nothing to wait for.
    pub(crate) fn new() -> Sleep {
        Sleep { entries: SmallVec::new(), deadline: None, signals: None, ready: 0, is_blind: false }
    }

    /// Prepares a sleep until one of the descriptors can be read, or the deadline. `signals` as the
    /// thread had them before it held them back, if it did. Answers whether there was memory for it.
    pub(crate) fn prepare(
        &mut self,
        descriptors: impl ExactSizeIterator<Item = Descriptor>,
        deadline: Option<Duration>,
        signals: Option<SignalMask>,
    ) -> bool {
        self.entries.clear();
        let count = if std::mem::take(&mut self.is_blind) { 0 } else { descriptors.len() };
        let has_room = self.entries.try_reserve(count).is_ok();
        if has_room {
            self.entries.extend(descriptors.take(count).map(Polled::new));
        }
        (self.deadline, self.signals) = (deadline, signals);
        has_room
    }

    /// Looks which descriptors are ready, without sleeping. Answers how many.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn look(&mut self) -> io::Result<usize> {
        poll(&mut self.entries, Some(Duration::ZERO))
    }

    /// Sleeps. The thread cannot be cancelled.
    pub fn run(&mut self) {
        let _uncancellable = Uncancellable::begin();
        // SAFETY: it is valid, and the thread cannot be cancelled.
        unsafe { Sleep::run_in(self, CancelState::DISABLED) };
    }

    /// Sleeps; meanwhile the thread can be cancelled if `state` says so, and after that it cannot.
    ///
    /// # Safety
    /// `this` must be valid. If the thread can be cancelled, no frame up to the C caller's may have
    /// something to drop.
    pub unsafe fn run_in(this: *mut Sleep, state: CancelState) {
        // SAFETY: as the caller promises, here and below. Nothing here has a destructor.
        let sleep = unsafe { &mut *this };
        let left = sleep.deadline.map(|deadline| deadline.saturating_sub(now()));
        let blind = Some(left.map_or(BLIND, |left| left.min(BLIND)));
        let (entries, count) = (sleep.entries.as_mut_ptr(), sleep.entries.len());
        state.set();
        let signals = sleep.signals.as_ref();
        // SAFETY: as above.
        sleep.ready = unsafe { poll_with(entries, count, if count == 0 { blind } else { left }, signals) };
        CancelState::DISABLED.set();
    }

    /// How it ended. When the system would not wait for the descriptors, since they are more than
    /// the process may have at once, the next sleep is a short one that waits for none.
    pub(crate) fn wake(&mut self) -> Wake {
        match self.result() {
            // A time may be rounded, and cut short when it is weeks.
            Ok(0) if self.deadline.is_some_and(|deadline| deadline <= now()) => Wake::TimedOut,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Wake::Interrupted,
            result => {
                self.is_blind |= result.is_err();
                Wake::Woken
            }
        }
    }

    /// How many descriptors are ready.
    ///
    /// # Errors
    /// The system's, `Interrupted` among them.
    pub(crate) fn result(&self) -> io::Result<usize> {
        usize::try_from(self.ready).map_err(|_| io::Error::from_raw_os_error(-self.ready))
    }

    /// Whether each descriptor may be ready, in the order in which they were given.
    pub(crate) fn readiness(&self) -> impl Iterator<Item = bool> {
        self.entries.iter().map(|entry| self.is_blind || entry.is_ready())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Notifier;

    fn sleep(sleep: &mut Sleep, descriptors: &[Descriptor], time: Option<Duration>) -> Wake {
        assert!(sleep.prepare(descriptors.iter().copied(), time.map(|time| now() + time), None));
        sleep.run();
        sleep.wake()
    }

    #[test]
    fn it_ends_with_a_descriptor_or_at_the_deadline() {
        let (first, second) = (Notifier::new().unwrap(), Notifier::new().unwrap());
        let descriptors = [first.descriptor(), second.descriptor()];
        let mut it = Sleep::new();
        assert_eq!(sleep(&mut it, &descriptors, Some(Duration::ZERO)), Wake::TimedOut);
        second.ring();
        assert_eq!(sleep(&mut it, &descriptors, None), Wake::Woken);
        assert_eq!(it.readiness().collect::<Vec<_>>(), [false, true]);
        second.silence();
        assert_eq!(sleep(&mut it, &descriptors, Some(Duration::ZERO)), Wake::TimedOut);
    }

    #[test]
    fn a_sleep_that_the_system_refuses_is_followed_by_one_without_descriptors() {
        let mut it = Sleep::new();
        it.ready = -libc::EINVAL;
        assert_eq!((it.wake(), it.is_blind), (Wake::Woken, true));
        let alarm = Notifier::new().unwrap();
        alarm.ring();
        assert_eq!(sleep(&mut it, &[alarm.descriptor()], Some(Duration::ZERO)), Wake::TimedOut);
        assert_eq!(sleep(&mut it, &[alarm.descriptor()], None), Wake::Woken);
    }
}
