//! When a message is written: at once by the thread that sends it, or together with those that follow.
//!
//! Owns this decision for all connections of a socket. A thread that sends faster than each message can be written is
//! a flood, whether its messages go to one connection or are spread over a thousand: from then on they gather in the
//! lanes. What has gathered is written by the sender, when it is much; by the sender, before it blocks in any call; or
//! by the I/O thread, which is woken when gathering begins. It ends as soon as less gathers than is worth waiting for.
//!
//! Bursts that end as their thread blocks need no I/O thread. After such a burst it looks again, seldom, without being
//! woken, so that a burst which is different waits no longer than a flood. While it does so, messages of the next burst
//! gather sooner, since that costs nothing.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::connection::{Connection, nanoseconds};
use crate::reactor::{Reactor, Source};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, PerProcess, lock, now, thread_address};

/// A message is prompt if it is sent within this time, in nanoseconds, after the write before it has ended.
const PROMPT: u64 = 1_000;
/// So many prompt writes in a row are made one by one. They cost no more than to wake the I/O thread.
const AT_ONCE: u32 = 8;
/// So many are, while the I/O thread need not be woken.
const AT_ONCE_WATCHED: u32 = 1;
/// Gathering goes on if so many bytes have come between two looks of the I/O thread.
const WORTH_WAITING: usize = 16 * 1024;
/// The time between two looks of the I/O thread.
const LOOK: Duration = Duration::from_micros(50);
/// The time between two looks of the I/O thread when the senders write by themselves.
const LOOK_SELDOM: Duration = Duration::from_micros(250);

/// How long a publisher lets its receivers catch up, at first,
const CATCH_UP: u64 = 50_000;
/// and in the end, in nanoseconds. A receiver that has lost its processor needs milliseconds, and a message in each short
/// pause would wake all the others.
const CATCH_UP_MOST: u64 = 2_000_000;

/// The batching of one socket.
#[derive(Default)]
pub(crate) struct Batching {
    /// Prompt writes in a row.
    prompt: AtomicU32,
    /// When the last write of any connection ended, in nanoseconds of the monotonic clock.
    last_write: AtomicU64,
    /// A sender has found a lane full.
    was_full: AtomicBool,
    /// When the last pause for receivers that lag behind has ended, and how long it was, in nanoseconds.
    last_pause: (AtomicU64, AtomicU64),
    /// The number of connections in `gathering`.
    connections: AtomicU32,
    /// The I/O thread will look soon, whether messages gather or not, since a thread that sent many has blocked. Changed
    /// under `gathering`.
    is_watched: AtomicBool,
    gathering: Mutex<Gathering>,
}

#[derive(Default)]
struct Gathering {
    connections: Vec<Arc<Connection>>,
    /// The socket is being closed: nothing gathers any more.
    is_over: bool,
    /// The thread whose messages they are, or [`SEVERAL`].
    thread: usize,
    /// The time before the next look.
    pause: Duration,
    /// When the next look is due. A timer that comes earlier is left from a gathering before.
    due: Duration,
    /// Since the last look a thread has blocked, and has written what had gathered.
    has_blocked: bool,
    /// Of the connections, also when there are none any more.
    reactor: Weak<Reactor>,
}

/// No thread has this address: messages of several threads gather.
const SEVERAL: usize = 0;

/// Sockets for which messages gather, of the whole process.
#[derive(Default)]
struct Registry {
    count: AtomicUsize,
    sockets: Mutex<Vec<Arc<Batching>>>,
}

static REGISTRY: PerProcess<Registry> = PerProcess::new(Registry::default);

/// Writes what has gathered of the messages of the calling thread, which is about to block. A thread that blocks because
/// the lanes of `full` have no room has written what they hold; there the flood goes on after that.
#[inline]
pub(crate) fn before_blocking(full: Option<&Arc<Batching>>) {
    if REGISTRY.get().count.load(Ordering::Relaxed) > 0 {
        write_own(full);
    }
}

#[cold]
fn write_own(full: Option<&Arc<Batching>>) {
    let thread = thread_address();
    let sockets = lock(&REGISTRY.get().sockets).clone();
    for socket in sockets {
        if full.is_some_and(|full| Arc::ptr_eq(full, &socket)) {
            continue;
        }
        let is_own = {
            let mut gathering = lock(&socket.gathering);
            let is_own = [thread, SEVERAL].contains(&gathering.thread);
            gathering.has_blocked |= is_own;
            is_own
        };
        if is_own {
            socket.stop();
        }
    }
}

/// How many writes in a row were prompt, before one message for so many connections that came so many nanoseconds after the
/// last write. To end a call that has written to many takes a moment, too.
fn prompt_after(before: u32, since: u64, connections: u32) -> u32 {
    let is_prompt = since < PROMPT + PROMPT / 4 * u64::from(connections);
    if is_prompt { before.saturating_add(connections) } else { 0 }
}

impl Batching {
    /// The moment at which a call begins to send, if [`Batching::begin_send`] may want it: to put a message into many lanes
    /// takes longer than what is prompt.
    #[inline]
    pub(crate) fn moment(&self) -> Option<u64> {
        let matters = self.last_write.load(Ordering::Relaxed) > 0 && self.connections() == 0;
        matters.then(nanoseconds)
    }

    /// A call that began at this moment sends a message on so many idle connections. `follows` says that the socket has
    /// received none since the message before.
    pub(crate) fn begin_send(&self, follows: bool, began: Option<u64>, connections: usize) {
        let began = began.unwrap_or_else(nanoseconds);
        let since = began.saturating_sub(self.last_write.load(Ordering::Relaxed));
        let prompt = match follows {
            false => 0,
            true if self.was_full.swap(false, Ordering::Relaxed) => AT_ONCE,
            true => prompt_after(
                self.prompt.load(Ordering::Relaxed),
                since,
                u32::try_from(connections).unwrap_or(u32::MAX),
            ),
        };
        self.prompt.store(prompt, Ordering::Relaxed);
    }

    /// A receiver is more than half a lane behind: the sender makes a pause, which is twice as long as the one before if
    /// that has brought nothing.
    pub(crate) fn let_receivers_catch_up(&self) {
        let (ended, length) = &self.last_pause;
        let last = length.load(Ordering::Relaxed);
        let is_next = nanoseconds().saturating_sub(ended.load(Ordering::Relaxed)) < last;
        let pause = if is_next { (2 * last).min(CATCH_UP_MOST) } else { CATCH_UP };
        std::thread::sleep(Duration::from_nanos(pause));
        length.store(pause, Ordering::Relaxed);
        ended.store(nanoseconds(), Ordering::Relaxed);
    }

    /// Whether messages are to gather.
    pub(super) fn gathers(&self) -> bool {
        let at_once = if self.is_watched.load(Ordering::Relaxed) { AT_ONCE_WATCHED } else { AT_ONCE };
        self.prompt.load(Ordering::Relaxed) >= at_once || self.connections() > 0
    }

    /// The number of connections for which messages gather.
    pub(super) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// A sender has found a lane full.
    pub(super) fn note_full(&self) {
        self.was_full.store(true, Ordering::Relaxed);
    }

    /// A connection has written.
    pub(super) fn wrote(&self) {
        self.last_write.store(nanoseconds(), Ordering::Relaxed);
    }

    /// Messages gather for this connection from now on. Answers whether the I/O thread must be woken for it; nothing if the
    /// socket is being closed, and they do not gather.
    pub(super) fn add(self: &Arc<Self>, connection: Arc<Connection>) -> Option<bool> {
        let thread = thread_address();
        let mut gathering = lock(&self.gathering);
        if gathering.is_over {
            return None;
        }
        let reactor = Arc::downgrade(connection.reactor());
        gathering.connections.push(connection);
        let count = u32::try_from(gathering.connections.len()).unwrap_or(u32::MAX);
        self.connections.store(count, Ordering::Relaxed);
        if gathering.connections.len() > 1 {
            if gathering.thread != thread {
                gathering.thread = SEVERAL;
            }
            return Some(false);
        }
        gathering.thread = thread;
        gathering.reactor = reactor;
        gathering.pause = LOOK;
        let registry = REGISTRY.get();
        lock(&registry.sockets).push(self.clone());
        registry.count.fetch_add(1, Ordering::Relaxed);
        Some(!self.is_watched.load(Ordering::Relaxed))
    }

    /// Ends the gathering for good. A thread that has sent a message before the socket was closed may come later.
    pub(crate) fn close(self: &Arc<Self>) {
        lock(&self.gathering).is_over = true;
        self.stop();
    }

    /// Ends the gathering: everything is written, and the next message at once.
    fn stop(self: &Arc<Self>) {
        let connections = {
            let mut gathering = lock(&self.gathering);
            if gathering.connections.is_empty() {
                return;
            }
            self.connections.store(0, Ordering::Relaxed);
            let registry = REGISTRY.get();
            let mut sockets = lock(&registry.sockets);
            if let Some(place) = sockets.iter().position(|other| Arc::ptr_eq(other, self)) {
                sockets.swap_remove(place);
                registry.count.fetch_sub(1, Ordering::Relaxed);
            }
            std::mem::take(&mut gathering.connections)
        };
        for connection in connections {
            connection.stop_gathering();
        }
    }

    /// Writes what has gathered, and sees whether to look again.
    fn look(self: Arc<Self>) {
        let (connections, has_blocked, reactor) = {
            let mut gathering = lock(&self.gathering);
            let has_blocked = std::mem::take(&mut gathering.has_blocked);
            (gathering.connections.clone(), has_blocked, gathering.reactor.upgrade())
        };
        let mut found = Found { is_gathering: !connections.is_empty(), has_blocked, ..Found::default() };
        for connection in connections {
            match connection.write_gathered() {
                Some(written) => found.bytes += written,
                None => found.is_written = true,
            }
        }
        let mut gathering = lock(&self.gathering);
        let (Some(pause), Some(reactor)) = (found.next_look(gathering.pause), reactor) else {
            // What gathers from here on wakes the I/O thread, and what has begun to is written now.
            self.is_watched.store(false, Ordering::Relaxed);
            drop(gathering);
            self.prompt.store(0, Ordering::Relaxed);
            return self.stop();
        };
        self.is_watched.store(has_blocked, Ordering::Relaxed);
        gathering.pause = pause;
        gathering.due = now() + pause;
        let due = gathering.due;
        drop(gathering);
        reactor.at(due, self);
    }
}

/// What a look of the I/O thread has found.
#[derive(Default)]
struct Found {
    /// Messages gather.
    is_gathering: bool,
    /// The senders have written by themselves since the look before.
    is_written: bool,
    /// So much had gathered.
    bytes: usize,
    /// As in [`Gathering`].
    has_blocked: bool,
}

impl Found {
    /// The time until the next look, if there is to be one.
    fn next_look(&self, last: Duration) -> Option<Duration> {
        // A burst of messages whose thread has blocked, and so has written it, may be followed by another one.
        if self.is_written || (self.has_blocked && !self.is_gathering) {
            Some(LOOK_SELDOM)
        } else {
            (self.bytes >= WORTH_WAITING).then(|| (2 * last).min(4 * LOOK))
        }
    }
}

impl Source for Batching {
    fn woken(self: Arc<Self>) {
        self.look();
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        if lock(&self.gathering).due <= now {
            self.look();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_many_messages_each_at_once_after_the_write_before() {
        let prompt = |sends: &[u64]| sends.iter().fold(0, |before, since| prompt_after(before, *since, 1));
        assert_eq!(prompt(&[300; 8]), AT_ONCE);
        assert_eq!(prompt(&[300, 300, 5_000, 300]), 1);
        assert_eq!(prompt(&[30_000; 1000]), 0);
        // A publisher writes each to many.
        assert_eq!((prompt_after(3, 10_000, 1), prompt_after(3, 10_000, 64)), (0, 67));
    }

    #[test]
    fn a_burst_gathers_sooner_while_the_io_thread_looks_anyway() {
        let batching = Batching::default();
        for (is_watched, prompt) in [(false, AT_ONCE), (true, AT_ONCE_WATCHED)] {
            batching.is_watched.store(is_watched, Ordering::Relaxed);
            batching.prompt.store(prompt - 1, Ordering::Relaxed);
            assert!(!batching.gathers());
            batching.prompt.store(prompt, Ordering::Relaxed);
            assert!(batching.gathers());
        }
    }

    #[test]
    fn the_io_thread_looks_again_after_a_flood_or_a_burst_that_ended_in_a_block() {
        let next = |found: Found| found.next_look(LOOK);
        let (is_gathering, has_blocked) = (true, true);
        assert_eq!(next(Found::default()), None);
        assert_eq!(next(Found { has_blocked, ..Found::default() }), Some(LOOK_SELDOM));
        // Its thread did not write this one.
        assert_eq!(next(Found { is_gathering, has_blocked, bytes: 100, ..Found::default() }), None);
        let flood = Found { is_gathering, bytes: WORTH_WAITING, ..Found::default() };
        assert_eq!(next(flood), Some(2 * LOOK));
        assert_eq!(next(Found { is_gathering, is_written: true, ..Found::default() }), Some(LOOK_SELDOM));
    }

    #[test]
    fn a_message_that_does_not_follow_ends_a_flood() {
        let batching = Batching::default();
        batching.note_full();
        batching.begin_send(true, None, 1);
        assert!(batching.gathers());
        batching.begin_send(false, None, 1);
        assert!(!batching.gathers());
    }
}
