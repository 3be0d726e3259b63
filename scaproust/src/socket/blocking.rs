//! How a call blocks: it goes on until it would block, then it sleeps, then it goes on.

use std::time::Duration;

use crate::error::Error;
use crate::sync::{Descriptor, Epoch, Event, SignalMask, Sleep, Sleeper, Wait};

/// So often in a row a call does something before it comes back.
pub(crate) const TURNS: usize = 64;

/// A call that goes on until it would block, and sleeps then. The two are apart, so that a call of the
/// C face can be cancelled while it sleeps: it can be dropped between them, by any thread.
pub trait Blocked: Sized {
    /// What the call answers.
    type Output;

    /// Goes on. Without an answer the call is to sleep, if it says how, and then to go on. One that finds
    /// something to do again and again comes back now and then, after `TURNS`, so that its thread can be cancelled.
    ///
    /// # Errors
    /// Those of the call.
    fn proceed(&mut self) -> Result<Option<Self::Output>, Error>;

    /// How to sleep, after [`Blocked::proceed`] had no answer. Not at all if there is more to do.
    fn sleep(&mut self) -> Option<&mut Sleep>;

    /// Goes on to the end.
    ///
    /// # Errors
    /// Those of the call.
    fn finish(mut self) -> Result<Self::Output, Error> {
        loop {
            if let Some(output) = self.proceed()? {
                return Ok(output);
            }
            if let Some(sleep) = self.sleep() {
                sleep.run();
            }
        }
    }
}

/// Signals are held back while this lives; their handlers run when it goes.
pub(crate) struct HeldSignals(SignalMask);

impl HeldSignals {
    /// Holds them back from now on.
    pub(crate) fn begin() -> HeldSignals {
        HeldSignals(SignalMask::hold())
    }

    /// What the thread let in before.
    pub(crate) fn mask(&self) -> SignalMask {
        self.0
    }

    /// Whether a handler has run now, of a signal that was held back.
    pub(crate) fn has_let_one_in(&self) -> bool {
        self.0.has_let_one_in()
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Looks for a change while that pays, and reads from what was borrowed, `count` connections, meanwhile.
/// `hold` is called before that takes long. Without a change answers when it began.
pub(super) fn look_before_sleep(
    event: &Event,
    epoch: Epoch,
    wait: Wait,
    count: usize,
    mut fetch: impl FnMut(),
    mut hold: impl FnMut(),
) -> Result<(), Duration> {
    if count > 0 {
        // Reading takes its time.
        hold();
    }
    // The answer of the only peer to what was just sent cannot be here yet.
    if wait.gathers || count > 1 {
        fetch();
        if count > 0 && event.has_changed(epoch) {
            return Ok(());
        }
    }
    let look = || {
        fetch();
        event.has_changed(epoch).then_some(())
    };
    event.spin.look_first(Wait { gathers: wait.gathers && count == 0, ..wait }, look, hold)
}

/// Prepares a sleep until the sleeper's alarm rings or one of so many descriptors is ready. Without an alarm it is
/// looked again soon. Answers whether there was memory for it.
pub(super) fn prepare_sleep<'a>(
    sleep: &mut Sleep,
    sleeper: &Sleeper,
    (count, watched): (usize, impl Iterator<Item = &'a Descriptor>),
    deadline: Option<Duration>,
    signals: Option<&HeldSignals>,
) -> bool {
    let alarm = sleeper.descriptor();
    let count = if alarm.is_some() { 1 + count } else { 0 };
    let mut all = alarm.into_iter().chain(watched.copied());
    let all = (0..count).map(|_| all.next().unwrap_or_default());
    sleep.prepare(all, deadline, signals.map(HeldSignals::mask))
}
