//! One sleep of a blocked call, in three steps: prepare, run, and read the result.
//!
//! The second step uses only plain data and a system call. So a call of the C interface can return from all
//! frames that have destructors before it, and be cancelled there. A sleep ends when a descriptor is ready,
//! at the deadline, or when a signal handler has run: signals that the call blocks are unblocked while it
//! sleeps, and at no other time.

use std::ffi::c_int;
use std::io;
use std::time::Duration;

use smallvec::SmallVec;

use super::system::poll_with;
use super::{CancelState, Descriptor, Polled, SignalMask, Uncancellable, now, poll};

/// The longest sleep of a thread that cannot wait for its descriptors. Then it checks again.
const BLIND_SLEEP: Duration = Duration::from_millis(10);

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something may be ready or have changed.
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// A signal handler ran.
    Interrupted,
}

opaque!([] Sleep);

/// What a thread waits for, and the result.
pub struct Sleep {
    entries: SmallVec<[Polled; 9]>,
    deadline: Option<Duration>,
    signals: Option<SignalMask>,
    /// The number of ready descriptors, or a negative errno. `None` until the sleep has ended: its thread may be cancelled before.
    ready: Option<c_int>,
    /// The system refused to wait for the descriptors: their readiness is unknown.
    is_blind: bool,
}

impl Sleep {
    /// A sleep without descriptors or deadline.
    pub(crate) fn new() -> Sleep {
        Sleep { entries: SmallVec::new(), deadline: None, signals: None, ready: None, is_blind: false }
    }

    /// Prepares a sleep until one of the first `count` descriptors is readable, or the deadline. `signals` is
    /// the thread's signal mask from before it blocked signals, if it did. Returns `false` when out of
    /// memory.
    pub(crate) fn prepare(
        &mut self,
        count: usize,
        descriptors: impl Iterator<Item = Descriptor>,
        deadline: Option<Duration>,
        signals: Option<SignalMask>,
    ) -> bool {
        self.entries.clear();
        let count = if std::mem::take(&mut self.is_blind) { 0 } else { count };
        let has_room = self.entries.try_reserve(count).is_ok();
        if has_room {
            self.entries.extend(descriptors.take(count).map(Polled::new));
        }
        (self.deadline, self.signals, self.ready) = (deadline, signals, None);
        has_room
    }

    /// Polls the descriptors without sleeping. Returns how many are ready.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn poll_now(&mut self) -> io::Result<usize> {
        poll(&mut self.entries, Some(Duration::ZERO))
    }

    /// Sleeps. The thread cannot be cancelled meanwhile.
    pub fn run(&mut self) {
        let _uncancellable = Uncancellable::begin();
        // SAFETY: it is valid, and the thread cannot be cancelled.
        unsafe { Sleep::run_in(self, CancelState::DISABLED) };
    }

    /// Sleeps with the cancellation state `state`, and then disables cancellation.
    ///
    /// # Safety
    /// `this` must be valid. If the thread can be cancelled, no frame up to the C caller's may have
    /// something to drop.
    pub unsafe fn run_in(this: *mut Sleep, state: CancelState) {
        // SAFETY: as the caller promises, here and below. Nothing here has a destructor.
        let sleep = unsafe { &mut *this };
        let left = sleep.deadline.map(|deadline| deadline.saturating_sub(now()));
        let blind = Some(left.map_or(BLIND_SLEEP, |left| left.min(BLIND_SLEEP)));
        let (entries, count) = (sleep.entries.as_mut_ptr(), sleep.entries.len());
        state.set();
        let signals = sleep.signals.as_ref();
        // SAFETY: as above.
        sleep.ready =
            Some(unsafe { poll_with(entries, count, if count == 0 { blind } else { left }, signals) });
        CancelState::DISABLED.set();
    }

    /// How the sleep ended; one that did not end is interrupted. If the system refused the descriptors, since they are
    /// more than the process may have at once, the next sleep is a short one without descriptors.
    pub(crate) fn wake(&mut self) -> Wake {
        match self.result() {
            // The system may round the time, and shorten one of weeks.
            Ok(0) if self.deadline.is_some_and(|deadline| deadline <= now()) => Wake::TimedOut,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Wake::Interrupted,
            result => {
                self.is_blind |= result.is_err();
                Wake::Woken
            }
        }
    }

    /// The number of ready descriptors.
    ///
    /// # Errors
    /// The system's, `Interrupted` among them.
    pub(crate) fn result(&self) -> io::Result<usize> {
        let ready = self.ready.ok_or(io::ErrorKind::Interrupted)?;
        usize::try_from(ready).map_err(|_| io::Error::from_raw_os_error(-ready))
    }

    /// Whether each descriptor may be ready, in the order of [`Sleep::prepare`].
    pub(crate) fn readiness(&self) -> impl Iterator<Item = bool> {
        self.entries.iter().map(|entry| self.is_blind || entry.is_ready())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Notifier;

    fn sleep(sleep: &mut Sleep, descriptors: &[Descriptor], time: Option<Duration>) -> Wake {
        assert!(sleep.prepare(
            descriptors.len(),
            descriptors.iter().copied(),
            time.map(|time| now() + time),
            None
        ));
        sleep.run();
        sleep.wake()
    }

    #[test]
    fn a_ready_descriptor_or_the_deadline_ends_a_sleep() {
        let (first, second) = (Notifier::new().unwrap(), Notifier::new().unwrap());
        let descriptors = [first.descriptor(), second.descriptor()];
        let mut it = Sleep::new();
        assert_eq!(sleep(&mut it, &descriptors, Some(Duration::ZERO)), Wake::TimedOut);
        second.notify();
        assert_eq!(sleep(&mut it, &descriptors, None), Wake::Woken);
        assert_eq!(it.readiness().collect::<Vec<_>>(), [false, true]);
        second.clear();
        assert_eq!(sleep(&mut it, &descriptors, Some(Duration::ZERO)), Wake::TimedOut);
    }

    #[test]
    fn a_refused_sleep_is_followed_by_one_without_descriptors() {
        let mut it = Sleep::new();
        it.ready = Some(-libc::EINVAL);
        assert_eq!((it.wake(), it.is_blind), (Wake::Woken, true));
        let notifier = Notifier::new().unwrap();
        notifier.notify();
        assert_eq!(sleep(&mut it, &[notifier.descriptor()], Some(Duration::ZERO)), Wake::TimedOut);
        assert_eq!(sleep(&mut it, &[notifier.descriptor()], None), Wake::Woken);
    }
}
