//! What the I/O thread does: it polls, and serves what is ready in turns.
//!
//! A turn is a series of steps between two polls. Sources that are ready, mail and timers get one step
//! after the other, so none of the three waits for another one to be exhausted, and a source that
//! has more to do goes to the end of the queue. The turn ends when nothing is left, or its budget of
//! steps and time is spent; then the poller is asked for what is new, without waiting.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::{Events, Poll};

use super::nanoseconds;
use super::{Poller, Progress, Reactor, near};
use crate::sync::{contained, lock, now, thread_address};

/// Steps of each kind in one turn, at most.
const STEPS: usize = 64;
/// The time after which a turn ends, even if there is more to do.
const TURN_TIME: Duration = Duration::from_micros(200);

/// The poller counts in milliseconds; shorter waits need another call.
const NEAR: Duration = Duration::from_millis(1);
/// The longest sleep. It bounds how long the thread is out of reach if the host has closed the
/// descriptors by which it is woken.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// Between two looks, while the reactor is about to be stopped.
const NAP: Duration = Duration::from_micros(50);
/// A reactor that is not stopped within this time, in nanoseconds, after it was said to end, goes on as before.
const ENDING: u64 = 1_000_000;
/// Between two attempts to make a poller, when there is none.
const WITHOUT_POLLER: Duration = Duration::from_millis(10);

impl Reactor {
    /// The thread's life, until it is stopped.
    pub(super) fn run(&self) {
        self.thread.store(thread_address(), Ordering::Relaxed);
        let mut events = Events::with_capacity(256);
        let mut held = lock(&self.poll);
        while let Some(poll) = &mut *held
            && !self.stopping.load(Ordering::SeqCst)
        {
            events.clear();
            let is_ending = self.is_ending();
            let is_polled = self.poll(poll, &mut events, is_ending);
            // Notifications need not wake the thread from here on: it looks for new work before
            // it sleeps.
            self.wake_flag.set_awake();
            if !is_polled {
                self.replace_poller(poll);
            }
            lock(&self.sources).note_all(&events);
            self.turn();
            self.wake_flag.about_to_poll();
            if is_ending {
                let waited = self.stopped.wait_timeout(held, NAP);
                (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Whether the reactor is about to be stopped: then the thread must not sleep in the poller.
    fn is_ending(&self) -> bool {
        let since = self.ending.load(Ordering::SeqCst);
        let is_ending = since != 0 && nanoseconds().saturating_sub(since) < ENDING;
        if since != 0 && !is_ending {
            // It was not stopped after all, or it takes long.
            let _ = self.ending.compare_exchange(since, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
        is_ending
    }

    /// Waits for events, unless there is something to do. Answers whether the poller works.
    fn poll(&self, poll: &mut Poll, events: &mut Events, is_ending: bool) -> bool {
        if self.has_lost_poller.swap(false, Ordering::SeqCst) {
            return false;
        }
        let mut time = if is_ending { Duration::ZERO } else { self.time_to_sleep() };
        if !time.is_zero() && time < NEAR {
            near::pause(poll, time);
            time = Duration::ZERO;
        }
        match poll.poll(events, Some(time)) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    /// How long there is nothing to do. Looked at after the bell, so that what is set later wakes the thread.
    fn time_to_sleep(&self) -> Duration {
        if !lock(&self.mailbox).is_empty() || !lock(&self.sources).is_idle() {
            return Duration::ZERO;
        }
        let next = lock(&self.timers).next();
        next.map_or(LONGEST_SLEEP, |moment| moment.saturating_sub(now()).min(LONGEST_SLEEP))
    }

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

    // Each answers whether there was something. No lock is held during a step, and
    // a source that panics does not end the thread.

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

    /// The poller has failed: the host has closed a descriptor of it. Makes a new one, and tells every source.
    fn replace_poller(&self, poll: &mut Poll) {
        let Ok((new_poll, poller)) = Poller::new() else {
            self.has_lost_poller.store(true, Ordering::SeqCst);
            // Mail and timers are served meanwhile.
            return std::thread::sleep(WITHOUT_POLLER);
        };
        // Not closed: their numbers may be those of descriptors of the host by now.
        std::mem::forget(std::mem::replace(poll, new_poll));
        let mut current = self.poller.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::forget(current.replace(poller));
        drop(current);
        let sources = lock(&self.sources).all();
        for source in sources {
            contained(|| source.lost());
        }
    }
}
