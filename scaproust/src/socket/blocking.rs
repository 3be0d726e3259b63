//! What every blocking call shares: the alternation of work and sleep, blocked signals, and the check before
//! a sleep.
//!
//! Must not know what a call does.

use std::time::Duration;

use crate::error::Error;
use crate::sync::{Descriptor, Epoch, Event, SignalMask, Sleep, Sleeper, WaitKind, run_then_wake};

/// A call returns from [`BlockingCall::proceed`] after this many rounds of work, so that its thread can be
/// cancelled.
pub(crate) const TURNS: usize = 64;

/// A call that works until it would block, and then sleeps. Work and sleep are separate functions, so that a
/// thread of the C interface can be cancelled while it sleeps: between the two, any thread may drop the call.
pub trait BlockingCall: Sized {
    /// What the call returns.
    type Output;

    /// Works until the call is done or would block. Returns `None` if the call must sleep, as
    /// [`BlockingCall::sleep`] says, before the next `proceed`. A call that always finds work returns `None`
    /// after `TURNS` rounds.
    ///
    /// # Errors
    /// Those of the call.
    fn proceed(&mut self) -> Result<Option<Self::Output>, Error>;

    /// The sleep due after [`BlockingCall::proceed`] returned `None`; `None` if there is more work.
    fn sleep(&mut self) -> Option<&mut Sleep>;

    /// Works and sleeps until the call is done.
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

/// As [`BlockingCall::finish`]; unless the call `ends_by_signals`, it goes on after a signal handler has run. Wakes
/// the tasks that the call notifies, in this thread, whenever the call is outside its socket.
///
/// # Errors
/// Those of the call.
pub(crate) fn finish_and_wake<C: BlockingCall>(call: C, ends_by_signals: bool) -> Result<C::Output, Error> {
    let mut call = Some(call);
    loop {
        let outcome = run_then_wake(|| {
            let outcome = call.as_mut()?.proceed();
            let goes_on = match &outcome {
                Ok(output) => output.is_none(),
                Err(error) => *error == Error::Interrupted && !ends_by_signals,
            };
            if goes_on {
                return None;
            }
            call = None;
            outcome.transpose()
        });
        if let Some(outcome) = outcome {
            return outcome;
        }
        if let Some(sleep) = call.as_mut().and_then(BlockingCall::sleep) {
            sleep.run();
        }
    }
}

/// Signals are blocked in this thread while the value lives. When it is dropped, handlers of pending signals
/// run.
pub(crate) struct BlockedSignals(SignalMask);

impl BlockedSignals {
    /// Blocks signals from now on.
    pub(crate) fn begin() -> BlockedSignals {
        BlockedSignals(SignalMask::block_all())
    }

    /// The thread's signal mask from before.
    pub(crate) fn mask(&self) -> SignalMask {
        self.0
    }

    /// Delivers pending signals. Returns whether a handler has run.
    pub(crate) fn deliver_pending(&self) -> bool {
        self.0.deliver_pending()
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Spins until the event changes, for as long as that is expected to be cheaper than a sleep, and reads
/// meanwhile from the `count` acquired connections with `fetch`. `before_long_wait` is called before this may
/// take more than some microseconds; perhaps more than once. Without a change, fails with the moment at which
/// the wait began.
pub(super) fn spin_before_sleep(
    event: &Event,
    epoch: Epoch,
    wait: WaitKind,
    count: usize,
    has_deadline: bool,
    mut fetch: impl FnMut(),
    mut before_long_wait: impl FnMut(),
) -> Result<(), Duration> {
    if count > 0 {
        // Reading takes time.
        before_long_wait();
    }
    // Not done while a reply of the only connection is awaited, which cannot have come yet; nor if waits are usually long, since
    // poll(2) returns at once if something has come. A sleep without descriptors finds nothing before the deadline of its call.
    if (wait.prefers_batches || count > 1) && (has_deadline || !event.spin.is_typically_long()) {
        fetch();
        if count > 0 && event.has_changed(epoch) {
            return Ok(());
        }
    }
    let check = || {
        fetch();
        event.has_changed(epoch).then_some(())
    };
    event.spin.run(
        WaitKind { prefers_batches: wait.prefers_batches && count == 0, ..wait },
        check,
        before_long_wait,
    )
}

/// Prepares a sleep until the sleeper's notifier is signalled or one of the `count` descriptors is ready.
/// A sleeper without a notifier polls none of them: its sleep is short, and the call checks again. Returns
/// whether there was memory for the descriptors.
pub(super) fn prepare_sleep<'a>(
    sleep: &mut Sleep,
    sleeper: &Sleeper,
    (count, descriptors): (usize, impl Iterator<Item = &'a Descriptor>),
    deadline: Option<Duration>,
    signals: Option<&BlockedSignals>,
) -> bool {
    let notifier = sleeper.descriptor();
    let count = if notifier.is_some() { 1 + count } else { 0 };
    sleep.prepare(
        count,
        notifier.into_iter().chain(descriptors.copied()),
        deadline,
        signals.map(BlockedSignals::mask),
    )
}
