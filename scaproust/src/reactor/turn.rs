//! The loop of the I/O thread: it polls, and serves what is ready in turns.
//!
//! A turn is a series of steps between two polls. A ready source, the mailbox and a due timer are served
//! alternately, one step each, so none of the three starves another; a source that has more to do goes to the
//! end of the queue. A turn ends when nothing is left, or when its budget of steps or time is spent; then the
//! thread polls again without waiting.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::poller::{Events, Poll, PollerHandle};
use super::source::Progress;
use super::{Reactor, short_wait};
use crate::sync::{contained, lock, nanoseconds, now, thread_address, wait_timeout, yield_now};

/// The most steps of each kind in one turn.
const STEPS: usize = 64;
/// The time after which a turn ends, even if there is more to do.
const TURN_TIME: Duration = Duration::from_micros(200);

/// The resolution of the poller's timeout; shorter waits need another call.
const POLL_RESOLUTION: Duration = Duration::from_millis(1);
/// The longest sleep. It bounds how long the thread cannot be woken after the program has closed the
/// descriptors that wake it; and how long a test that runs the reactor itself does not see what other threads have changed.
const MAX_SLEEP: Duration =
    if cfg!(all(test, not(simulated))) { Duration::from_millis(10) } else { Duration::from_secs(5) };
/// The wait for an announced stop between two polls.
const STOP_WAIT: Duration = Duration::from_micros(50);
/// After this time, in nanoseconds, an announced stop is no longer expected.
const STOP_EXPECTED: u64 = 1_000_000;
/// The pause between two attempts to make a poller.
const POLLER_RETRY: Duration = Duration::from_millis(10);

/// Looks for events again and again for a time, and lets other threads run in between. Returns whether there are any.
///
/// # Errors
/// The poller's.
fn look(poll: &mut Poll, events: &mut Events, time: Duration) -> io::Result<bool> {
    let end = now().saturating_add(time);
    loop {
        poll.poll(events, Some(Duration::ZERO))?;
        if !events.is_empty() {
            return Ok(true);
        }
        if now() >= end {
            return Ok(false);
        }
        yield_now();
    }
}

/// Whether the poller works that has returned this.
fn has_worked<T>(polled: io::Result<T>) -> bool {
    polled.map_or_else(|error| error.kind() == io::ErrorKind::Interrupted, |_| true)
}

impl Reactor {
    /// Runs the thread until the reactor is stopped.
    pub(super) fn run(&self) {
        self.run_while(|| !self.is_stopping.load(Ordering::SeqCst));
    }

    /// Runs the thread until `goes_on`, which is called before each poll, returns `false`.
    pub(super) fn run_while(&self, goes_on: impl Fn() -> bool) {
        self.thread.store(thread_address(), Ordering::Relaxed);
        let mut events = Events::with_capacity(256);
        let mut held = lock(&self.poll);
        while let Some(poll) = &mut *held
            && goes_on()
        {
            events.clear();
            let expects_stop = self.expects_stop();
            let is_polled = self.poll(poll, &mut events, expects_stop);
            // From here on notifications need not wake the thread: it looks for new work before it sleeps.
            self.wake_flag.set_awake();
            if !is_polled {
                self.replace_poller(poll);
            }
            lock(&self.sources).note_all(&events);
            self.turn();
            let wakers = self.take_wakers();
            if !wakers.is_empty() {
                // A waker may do what takes the locks above `poll`, such as to close the last socket.
                drop(held);
                wakers.wake();
                held = lock(&self.poll);
            }
            self.wake_flag.about_to_poll();
            if expects_stop {
                // Releases `poll`, which `stop` takes.
                (held, _) = wait_timeout(&self.stopped, held, STOP_WAIT);
            }
        }
    }

    /// Whether the reactor is about to be stopped, and so the thread must not sleep in the poller.
    fn expects_stop(&self) -> bool {
        let announced = self.stop_announced.load(Ordering::SeqCst);
        let is_expected = announced != 0 && nanoseconds(now()).saturating_sub(announced) < STOP_EXPECTED;
        if announced != 0 && !is_expected {
            // The stop did not follow, or takes long.
            let _ = self.stop_announced.compare_exchange(announced, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
        is_expected
    }

    /// Waits for events, unless there is something to do. Returns whether the poller works.
    fn poll(&self, poll: &mut Poll, events: &mut Events, expects_stop: bool) -> bool {
        if self.has_lost_poller.swap(false, Ordering::SeqCst) {
            return false;
        }
        let mut time = if expects_stop { Duration::ZERO } else { self.time_to_sleep() };
        if !time.is_zero() && !self.spin.is_zero() {
            match look(poll, events, self.spin.min(time)) {
                Ok(false) => time = self.time_to_sleep(),
                found => return has_worked(found),
            }
        }
        if !time.is_zero() && time < POLL_RESOLUTION {
            short_wait::wait(poll, time);
            time = Duration::ZERO;
        }
        has_worked(poll.poll(events, Some(time)))
    }

    /// How long there is nothing to do. Must be computed after
    /// [`WakeFlag::about_to_poll`](super::WakeFlag::about_to_poll), so that work which is added later wakes
    /// the thread.
    fn time_to_sleep(&self) -> Duration {
        let has_wakers = lock(&self.wakers).as_ref().is_some_and(|wakers| !wakers.is_empty());
        if has_wakers || !lock(&self.mailbox).is_empty() || !lock(&self.sources).is_idle() {
            return Duration::ZERO;
        }
        let next = lock(&self.timers).next();
        next.map_or(MAX_SLEEP, |moment| moment.saturating_sub(now()).min(MAX_SLEEP))
    }

    /// Serves what is ready, within the budget of a turn.
    fn turn(&self) {
        let start = now();
        for _ in 0..STEPS {
            let now = now();
            let has_served = self.serve_ready() | self.serve_mail() | self.serve_timer(now);
            if !has_served || now.saturating_sub(start) > TURN_TIME {
                return;
            }
        }
    }

    // Each of these makes one step and returns whether there was one. No lock is held during a step, and a
    // panic of a source is contained.

    fn serve_ready(&self) -> bool {
        let next = lock(&self.sources).next();
        let Some((token, source, ready)) = next else { return false };
        if contained(|| source.ready(ready)) == Some(Progress::More) {
            lock(&self.sources).note(token, ready);
        }
        true
    }

    fn serve_mail(&self) -> bool {
        let next = lock(&self.mailbox).pop_front();
        next.map(|source| contained(|| source.woken())).is_some()
    }

    fn serve_timer(&self, now: Duration) -> bool {
        let due = lock(&self.timers).pop_due(now);
        due.map(|source| contained(|| source.timeout(now))).is_some()
    }

    /// Makes a new poller, after the program has closed a descriptor of the old one, and calls
    /// [`Source::lost`](super::Source::lost) of every source.
    fn replace_poller(&self, poll: &mut Poll) {
        let Ok((new_poll, poller)) = PollerHandle::new() else {
            self.has_lost_poller.store(true, Ordering::SeqCst);
            // The mailbox and timers are served meanwhile.
            return crate::sync::pause(POLLER_RETRY);
        };
        // Leaked, not closed: the numbers may belong to descriptors of the program by now.
        std::mem::forget(std::mem::replace(poll, new_poll));
        let mut current = self.poller.write();
        std::mem::forget(current.replace(poller));
        drop(current);
        let sources = lock(&self.sources).all();
        for source in sources {
            contained(|| source.lost());
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;

    #[test]
    fn a_look_ends_with_the_first_event_or_its_time() {
        let (mut poll, poller) = PollerHandle::new().unwrap();
        let mut events = Events::with_capacity(1);
        assert!(!look(&mut poll, &mut events, Duration::ZERO).unwrap());
        let waking = std::thread::spawn(move || poller.waker.wake().map(|()| poller));
        assert!(look(&mut poll, &mut events, Duration::MAX).unwrap());
        assert!(!events.is_empty());
        drop(waking.join().unwrap().unwrap());
    }
}
