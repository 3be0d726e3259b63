//! TLS handshakes are performed by the I/O thread, or in a flood of them by threads of their own.
//!
//! A handshake takes up to a millisecond, in which the I/O thread serves no other connection. A thousand peers that connect
//! at once would stop all others for a second. So the I/O thread spends a small part of its time on them; what is more than
//! that waits in a queue, for threads that run while there is any: for each second processor one, so that the others are left to
//! messages.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::connection::Connection;
use crate::sync::{Mutex, PerProcess, contained, lock, now, processors, rank, start_detached};

/// One part in so many of the I/O thread's time is for handshakes.
const SHARE: u32 = 8;
/// The time that the I/O thread may spend on handshakes at once.
const BURST: Duration = Duration::from_millis(2);
/// The most threads for handshakes, on any machine.
const MAX_THREADS: usize = 4;

static HANDSHAKES: PerProcess<Mutex<Handshakes, rank::Handshakes>> = PerProcess::new(Mutex::default);

/// The handshakes that wait, and the time that the I/O thread has spent on others.
#[derive(Default)]
struct Handshakes {
    budget: Budget,
    /// Connections with something to read.
    waiting: VecDeque<Weak<Connection>>,
    /// The number of threads that run.
    threads: usize,
}

/// The time of the I/O thread.
#[derive(Debug, Default)]
struct Budget {
    /// The time that was spent and has not passed [`SHARE`] times since.
    spent: Duration,
    /// When `spent` was last reduced.
    since: Duration,
}

impl Budget {
    /// Whether another handshake may be performed at `now`.
    fn allows(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.since) / SHARE;
        self.spent = self.spent.saturating_sub(passed);
        self.since = now;
        self.spent < BURST
    }

    /// Notes that one took so long.
    fn note(&mut self, time: Duration) {
        self.spent += time;
    }
}

/// Reads from a connection in its handshake: at once, or by another thread. Called by the I/O thread.
pub(super) fn proceed(connection: &Arc<Connection>) {
    let is_allowed = !connection.is_being_read() && {
        let mut handshakes = lock(HANDSHAKES.get());
        handshakes.waiting.is_empty() && handshakes.budget.allows(now())
    };
    if is_allowed || !enqueue(connection) {
        let begin = now();
        connection.proceed();
        lock(HANDSHAKES.get()).budget.note(now().saturating_sub(begin));
    }
}

/// Puts a connection into the queue. Returns whether it is there; not so if no thread can be started.
fn enqueue(connection: &Arc<Connection>) -> bool {
    let mut handshakes = lock(HANDSHAKES.get());
    if handshakes.threads == 0 || !handshakes.waiting.is_empty() && handshakes.threads < most_threads() {
        // Under the lock, so that the thread finds the connection.
        let has_started = start_detached("nanomsg-tls", work).is_ok();
        handshakes.threads += usize::from(has_started);
    }
    let has_thread = handshakes.threads > 0;
    if has_thread && connection.begin_to_wait() {
        handshakes.waiting.push_back(Arc::downgrade(connection));
    }
    has_thread
}

/// The most threads for handshakes on this machine.
fn most_threads() -> usize {
    usize::try_from(processors() / 2).map_or(1, |half| half.clamp(1, MAX_THREADS))
}

/// The body of a thread.
fn work() {
    while let Some(connection) = next() {
        if let Some(connection) = connection.upgrade() {
            contained(|| connection.end_to_wait());
        }
    }
}

/// The next connection. `None`: the thread ends.
fn next() -> Option<Weak<Connection>> {
    let mut handshakes = lock(HANDSHAKES.get());
    let next = handshakes.waiting.pop_front();
    if next.is_none() {
        handshakes.threads -= 1;
        handshakes.waiting = VecDeque::new();
    }
    next
}

/// Has all handshakes of the process performed by other threads, for a while.
#[cfg(all(test, not(any(loom, simulated))))]
pub(super) fn exhaust_budget() {
    lock(HANDSHAKES.get()).budget.note(Duration::from_secs(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_a_share_of_the_time_with_bursts() {
        let mut budget = Budget::default();
        let mut now = Duration::from_secs(1);
        let handshake = Duration::from_millis(1);
        let mut performed = 0;
        while budget.allows(now) {
            budget.note(handshake);
            performed += 1;
        }
        assert_eq!(performed, 2);
        for _ in 0..8000 {
            now += Duration::from_millis(1);
            if budget.allows(now) {
                budget.note(handshake);
                performed += 1;
            }
        }
        assert_eq!(performed, 2 + 8000 / SHARE);
    }
}
