//! Batching: whether a message is written at once by the thread that sends it, or together with those that follow.
//!
//! Owns this decision for all connections of a socket. Messages that are each sent within a microsecond of the write
//! before are a flood, whether they go to one connection or are spread over a thousand. In a flood messages *gather*:
//! they stay in the lanes, and pushes to a lane are not reported one by one. Receivers within the process are told of
//! messages in the same way (`socket/held.rs`). Gathered messages are written
//!
//! * by the sender, when a lane holds enough of them;
//! * by the sender, before it blocks in any call on any socket;
//! * by the I/O thread, which is woken when gathering begins and then checks at intervals.
//!
//! Gathering ends at a check that finds fewer bytes than [`WORTH_GATHERING`], unless the senders have written meanwhile.
//!
//! A burst whose thread blocks at its end needs no I/O thread. After such a burst the I/O thread checks once more after
//! [`LONG_INTERVAL`], so that a burst which does not end in a blocking call is written no later than in a flood. While
//! that check is due the next burst gathers from its second message, since the I/O thread need not be woken for it.
//!
//! After a burst that no blocking call has ended, another one is expected: the next burst gathers from its second message
//! too, and the I/O thread is woken to write it. Bursts are no longer expected after one with fewer messages than [`FLOOD`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::gathers::{Gathers, OtherTeller};
use crate::reactor::{Reactor, Source};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, PerProcess, lock, nanoseconds, now, processors, rank, thread_address};

/// A message is prompt if it is sent within this time, in nanoseconds, after the previous write has ended.
const PROMPT_GAP: u64 = 1_000;
/// On one processor a prompt write counts as this many: a receiver on the same processor runs after each of them.
const ONE_PROCESSOR_WEIGHT: u32 = 4;
/// The number of prompt writes in a row from which messages gather. To write so many costs as much as to wake the I/O
/// thread.
const FLOOD: u32 = 8;
/// As [`FLOOD`], where a burst is expected, or while the I/O thread need not be woken.
const EXPECTED_FLOOD: u32 = 1;
/// Gathering ends after so many writes in a row that were not worth it. A few are chance.
const IN_VAIN: u32 = 8;
/// Gathering goes on if so many bytes were written at a check of the I/O thread.
const WORTH_GATHERING: usize = 16 * 1024;
/// The first interval between two checks of the I/O thread; it doubles up to four times this.
const INTERVAL: Duration = Duration::from_micros(50);
/// The interval between two checks when the senders write what they have sent.
const LONG_INTERVAL: Duration = Duration::from_micros(250);

/// The batching of one socket.
#[derive(Default)]
pub(crate) struct Batching {
    /// The number of prompt writes in a row.
    prompt_writes: AtomicU32,
    /// When the last write of any connection ended, in nanoseconds of the monotonic clock.
    last_write: AtomicU64,
    /// A sender has found a lane full since the last [`Batching::begin_send`].
    was_full: AtomicBool,
    /// The number of places where messages gather: those in `gathering`.
    places: AtomicU32,
    /// A check is due soon, also if nothing gathers: a thread has blocked at the end of a burst. Changed under `gathering`.
    is_check_due: AtomicBool,
    /// The last messages that gathered were a burst, which the I/O thread has written: the next ones are expected to be one
    /// too.
    expects_burst: AtomicBool,
    /// The number of the last writes of gathered messages, by senders and in a row, that were not worth it.
    in_vain: AtomicU32,
    /// The address of the thread that has sent the messages which gather, or have last gathered, for the receivers within the
    /// process; [`SEVERAL_THREADS`]; or 0 if none have.
    publisher: AtomicUsize,
    gathering: Mutex<Gathering, rank::Gathering>,
}

#[derive(Default)]
struct Gathering {
    /// Where messages gather.
    places: Vec<Arc<dyn Gathers>>,
    /// The place of the receivers within the process, if messages to them have gathered.
    receivers: Option<Weak<dyn Gathers>>,
    /// The socket is being closed: nothing gathers any more.
    is_over: bool,
    /// The address of the thread that has sent the messages, or [`SEVERAL_THREADS`].
    thread: usize,
    /// The interval before the next check.
    interval: Duration,
    /// When the next check is due. A timer that fires earlier is left from an earlier gathering.
    check_at: Duration,
    /// Since the last check a thread has blocked, and has written its gathered messages before.
    has_blocked: bool,
    /// The reactor of the places; kept when there are none.
    reactor: Weak<Reactor>,
}

/// Messages of several threads gather. No thread has this address.
const SEVERAL_THREADS: usize = usize::MAX;

/// The sockets of the process for which messages gather.
#[derive(Default)]
struct Registry {
    /// The length of `sockets`, which is read without a lock.
    count: AtomicUsize,
    sockets: Mutex<Vec<Arc<Batching>>, rank::GatheringSockets>,
}

static REGISTRY: PerProcess<Registry> = PerProcess::new(Registry::default);

/// Writes the gathered messages of the calling thread, which is about to block. `full` is the socket, if the thread blocks
/// because the lanes of a socket are full: these were written already, or their receivers told at a quarter of the lane, and
/// gathering goes on there.
#[inline]
pub(crate) fn before_blocking(full: Option<&Arc<Batching>>) {
    if do_messages_gather() {
        write_own(full);
    }
}

/// Whether messages gather anywhere.
#[inline]
pub(crate) fn do_messages_gather() -> bool {
    REGISTRY.get().count.load(Ordering::Relaxed) > 0
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
            let is_own = [gathering.thread, socket.publisher.load(Ordering::Relaxed)]
                .iter()
                .any(|sender| [thread, SEVERAL_THREADS].contains(sender));
            gathering.has_blocked |= is_own;
            is_own
        };
        if is_own {
            socket.stop(OtherTeller::IsAwaited);
        }
    }
}

/// The new number of prompt writes in a row, for a message that is sent on this number of `connections`, `gap` nanoseconds
/// after the last write. The gap that counts as prompt grows with their number, since a call that has written to many
/// connections takes longer to return.
fn prompt_after(prompt_writes: u32, gap: u64, connections: u32, has_one_processor: bool) -> u32 {
    let is_prompt = gap < PROMPT_GAP + PROMPT_GAP / 4 * u64::from(connections);
    if is_prompt {
        prompt_writes.saturating_add(connections.saturating_mul(weight(has_one_processor)))
    } else {
        0
    }
}

/// As how many a prompt write counts.
fn weight(has_one_processor: bool) -> u32 {
    if has_one_processor { ONE_PROCESSOR_WEIGHT } else { 1 }
}

impl Batching {
    /// The present moment in nanoseconds, for [`Batching::begin_send`]; `None` if it cannot matter there. It is taken when
    /// the call begins, because to put a message into many lanes takes longer than [`PROMPT_GAP`].
    #[inline]
    pub(crate) fn moment(&self) -> Option<u64> {
        let matters = self.last_write.load(Ordering::Relaxed) > 0 && self.places() == 0;
        matters.then(|| nanoseconds(now()))
    }

    /// Notes that a call which began at `began` sends a message on this number of idle `connections`. `follows` says that the
    /// socket has received nothing since it sent the previous message.
    pub(crate) fn begin_send(&self, follows: bool, began: Option<u64>, connections: usize) {
        let began = began.unwrap_or_else(|| nanoseconds(now()));
        let gap = began.saturating_sub(self.last_write.load(Ordering::Relaxed));
        let prompt_writes = match follows {
            false => 0,
            true if self.was_full.swap(false, Ordering::Relaxed) => FLOOD,
            true => prompt_after(
                self.prompt_writes.load(Ordering::Relaxed),
                gap,
                u32::try_from(connections).unwrap_or(u32::MAX),
                processors() == 1,
            ),
        };
        self.prompt_writes.store(prompt_writes, Ordering::Relaxed);
    }

    /// Whether a message is to be left in its lane, to gather with those that follow.
    pub(crate) fn should_gather(&self) -> bool {
        let is_expected =
            self.is_check_due.load(Ordering::Relaxed) || self.expects_burst.load(Ordering::Relaxed);
        let flood = if is_expected { EXPECTED_FLOOD } else { FLOOD };
        self.prompt_writes.load(Ordering::Relaxed) >= flood || self.places() > 0
    }

    /// Whether messages that each go to one of so many `receivers` are a flood: messages gather, or after a message for each of them
    /// there were enough more. A receiver of one message is to be told of it anyway.
    pub(crate) fn is_flood_to_each_of(&self, receivers: usize) -> bool {
        let more = self.prompt_writes.load(Ordering::Relaxed).saturating_sub(FLOOD);
        (more / weight(processors() == 1)) as usize >= receivers || self.places() > 0
    }

    /// Whether the last message was sent promptly, so that others may follow it.
    pub(super) fn is_prompt(&self) -> bool {
        self.prompt_writes.load(Ordering::Relaxed) > 0
    }

    /// The number of places where messages gather.
    pub(super) fn places(&self) -> u32 {
        self.places.load(Ordering::Relaxed)
    }

    /// Notes that a sender has found a lane full.
    pub(super) fn note_full(&self) {
        self.was_full.store(true, Ordering::Relaxed);
        self.in_vain.store(0, Ordering::Relaxed);
    }

    /// The next messages are a flood.
    #[cfg(test)]
    pub(crate) fn expect_flood(&self) {
        self.prompt_writes.store(FLOOD, Ordering::Relaxed);
    }

    /// Notes that a message was written, or receivers within the process were told of it.
    pub(crate) fn note_write(&self) {
        self.last_write.store(nanoseconds(now()), Ordering::Relaxed);
    }

    /// Notes that messages gather in this place from now on, which `reactor` serves. Returns whether the I/O thread must be woken
    /// for them; `None` if the socket is being closed, and they must not gather.
    pub(crate) fn add(self: &Arc<Self>, place: Arc<dyn Gathers>, reactor: &Arc<Reactor>) -> Option<bool> {
        let thread = thread_address();
        let mut gathering = lock(&self.gathering);
        if gathering.is_over {
            return None;
        }
        gathering.places.push(place);
        let count = u32::try_from(gathering.places.len()).unwrap_or(u32::MAX);
        self.places.store(count, Ordering::Relaxed);
        if gathering.places.len() > 1 {
            if gathering.thread != thread {
                gathering.thread = SEVERAL_THREADS;
            }
            return Some(false);
        }
        gathering.thread = thread;
        gathering.reactor = Arc::downgrade(reactor);
        gathering.interval = INTERVAL;
        let registry = REGISTRY.get();
        lock(&registry.sockets).push(self.clone());
        registry.count.fetch_add(1, Ordering::Relaxed);
        Some(!self.is_check_due.load(Ordering::Relaxed))
    }

    /// As [`Batching::add`], for the place of the receivers within the process.
    pub(crate) fn add_receivers(
        self: &Arc<Self>,
        place: Arc<dyn Gathers>,
        reactor: &Arc<Reactor>,
    ) -> Option<bool> {
        lock(&self.gathering).receivers = Some(Arc::downgrade(&place));
        self.add(place, reactor)
    }

    /// Notes that this thread has sent a message to receivers within the process while messages to them gather, or the `first` one
    /// of these. The caller holds the socket's lock.
    #[inline]
    pub(crate) fn note_publisher(&self, first: bool) {
        let thread = thread_address();
        if first {
            self.publisher.store(thread, Ordering::Relaxed);
        } else if self.publisher.load(Ordering::Relaxed) != thread {
            self.publisher.store(SEVERAL_THREADS, Ordering::Relaxed);
        }
    }

    /// Ends gathering for good. A thread that has sent a message before the socket was closed may call
    /// [`Batching::add`] after this.
    pub(crate) fn close(self: &Arc<Self>) {
        lock(&self.gathering).is_over = true;
        self.stop(OtherTeller::IsAwaited);
    }

    /// Notes that a sender has written gathered messages, and whether gathering was worth it. Ends it after [`IN_VAIN`] writes
    /// that were not. The thread is delivering edges.
    pub(crate) fn note_write_by_sender(self: &Arc<Self>, is_worth_it: bool) {
        if is_worth_it {
            return self.in_vain.store(0, Ordering::Relaxed);
        }
        let in_vain = self.in_vain.fetch_add(1, Ordering::Relaxed) + 1;
        if in_vain >= IN_VAIN {
            self.in_vain.store(0, Ordering::Relaxed);
            self.end_flood(OtherTeller::IsNotAwaited);
        }
    }

    /// The messages are no flood any more: ends gathering.
    fn end_flood(self: &Arc<Self>, other: OtherTeller) {
        self.prompt_writes.store(0, Ordering::Relaxed);
        self.stop(other);
    }

    /// Ends gathering: writes everything, and lets each further message be written at once. If another teller is awaited, no
    /// receiver within the process is still to be told of something afterwards, also if another thread ends gathering at the
    /// same time.
    fn stop(self: &Arc<Self>, other: OtherTeller) {
        let (places, receivers) = {
            let mut gathering = lock(&self.gathering);
            self.places.store(0, Ordering::Relaxed);
            (std::mem::take(&mut gathering.places), gathering.receivers.as_ref().and_then(Weak::upgrade))
        };
        if places.is_empty() {
            receivers.into_iter().for_each(|place| place.stop_gathering(other));
            return;
        }
        places.into_iter().for_each(|place| place.stop_gathering(other));
        // Last: until then a thread that is about to block finds the socket.
        let registry = REGISTRY.get();
        let mut sockets = lock(&registry.sockets);
        if let Some(place) = sockets.iter().position(|other| Arc::ptr_eq(other, self)) {
            sockets.swap_remove(place);
            registry.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Writes the gathered messages, and ends gathering or sets a timer for the next check. Called by the I/O thread.
    fn check(self: Arc<Self>) {
        let (places, has_blocked, reactor) = {
            let mut gathering = lock(&self.gathering);
            let has_blocked = std::mem::take(&mut gathering.has_blocked);
            (gathering.places.clone(), has_blocked, gathering.reactor.upgrade())
        };
        let mut found = Found { is_gathering: !places.is_empty(), has_blocked, ..Found::default() };
        for place in places {
            match place.write_gathered() {
                Some((bytes, messages)) => {
                    found.bytes += bytes;
                    found.messages += messages;
                }
                None => found.sender_writes = true,
            }
        }
        let mut gathering = lock(&self.gathering);
        let (Some(interval), Some(reactor)) = (found.next_interval(gathering.interval), reactor) else {
            // Messages that begin to gather after this wake the I/O thread; those that have begun before are written now.
            self.is_check_due.store(false, Ordering::Relaxed);
            let expected_burst = self.expects_burst.load(Ordering::Relaxed);
            self.expects_burst.store(found.is_burst(gathering.interval, expected_burst), Ordering::Relaxed);
            drop(gathering);
            return self.end_flood(OtherTeller::IsAwaited);
        };
        self.is_check_due.store(has_blocked, Ordering::Relaxed);
        gathering.interval = interval;
        gathering.check_at = now() + interval;
        let check_at = gathering.check_at;
        drop(gathering);
        reactor.at(check_at, self);
    }
}

/// What a check of the I/O thread has found.
#[derive(Default)]
struct Found {
    /// Messages gather.
    is_gathering: bool,
    /// A sender has written gathered messages since the last check.
    sender_writes: bool,
    /// The number of bytes that the check has written.
    bytes: usize,
    /// The number of messages that the check has written.
    messages: u32,
    /// As in [`Gathering`].
    has_blocked: bool,
}

impl Found {
    /// The interval until the next check, after the interval `last`; `None` if gathering ends.
    fn next_interval(&self, last: Duration) -> Option<Duration> {
        // A burst whose thread has written it and blocked may be followed by another one.
        if self.sender_writes || (self.has_blocked && !self.is_gathering) {
            Some(LONG_INTERVAL)
        } else {
            (self.bytes >= WORTH_GATHERING).then(|| (2 * last).min(4 * INTERVAL))
        }
    }

    /// Whether the messages were a burst, after a check that ends gathering. `interval` is the one before the check. An
    /// expected burst counts only if it was long: a shorter one would cost less if each message was written by itself.
    fn is_burst(&self, interval: Duration, was_expected: bool) -> bool {
        if !self.is_gathering || self.has_blocked {
            return was_expected;
        }
        interval == INTERVAL && (self.messages >= FLOOD || !was_expected)
    }
}

impl Source for Batching {
    fn woken(self: Arc<Self>) {
        self.check();
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        if lock(&self.gathering).check_at <= now {
            self.check();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_eight_prompt_writes_in_a_row() {
        let prompt = |gaps: &[u64]| gaps.iter().fold(0, |before, gap| prompt_after(before, *gap, 1, false));
        assert_eq!(prompt(&[300; 8]), FLOOD);
        assert_eq!(prompt(&[300, 300, 5_000, 300]), 1);
        assert_eq!(prompt(&[30_000; 1000]), 0);
        // On one processor two are enough.
        assert_eq!(prompt_after(prompt_after(0, 300, 1, true), 300, 1, true), FLOOD);
        // A message of a publisher counts once for each connection.
        assert_eq!((prompt_after(3, 10_000, 1, false), prompt_after(3, 10_000, 64, false)), (0, 67));
    }

    #[test]
    fn a_burst_gathers_sooner_while_a_check_is_due_or_if_it_is_expected() {
        let batching = Batching::default();
        let flags = [&batching.is_check_due, &batching.expects_burst];
        for (values, flood) in
            [([false, false], FLOOD), ([true, false], EXPECTED_FLOOD), ([false, true], EXPECTED_FLOOD)]
        {
            flags.iter().zip(values).for_each(|(flag, value)| flag.store(value, Ordering::Relaxed));
            batching.prompt_writes.store(flood - 1, Ordering::Relaxed);
            assert!(!batching.should_gather());
            batching.prompt_writes.store(flood, Ordering::Relaxed);
            assert!(batching.should_gather());
        }
    }

    #[test]
    fn checks_go_on_after_a_flood_or_a_burst_whose_thread_blocks() {
        let next = |found: Found| found.next_interval(INTERVAL);
        let (is_gathering, has_blocked) = (true, true);
        assert_eq!(next(Found::default()), None);
        assert_eq!(next(Found { has_blocked, ..Found::default() }), Some(LONG_INTERVAL));
        // A second burst, which its thread has not written.
        assert_eq!(next(Found { is_gathering, has_blocked, bytes: 100, ..Found::default() }), None);
        let flood = Found { is_gathering, bytes: WORTH_GATHERING, ..Found::default() };
        assert_eq!(next(flood), Some(2 * INTERVAL));
        assert_eq!(
            next(Found { is_gathering, sender_writes: true, ..Found::default() }),
            Some(LONG_INTERVAL)
        );
    }

    #[test]
    fn a_burst_is_expected_after_a_first_one_and_as_long_as_they_are_long() {
        let is_burst = |messages, interval, was_expected| {
            Found { is_gathering: true, messages, ..Found::default() }.is_burst(interval, was_expected)
        };
        assert!(is_burst(1, INTERVAL, false));
        assert!(is_burst(FLOOD, INTERVAL, true));
        assert!(!is_burst(FLOOD - 1, INTERVAL, true));
        assert!(!is_burst(100, 2 * INTERVAL, true), "it was the end of a flood");
        // A burst whose thread has blocked was not written by the I/O thread.
        assert!(Found { has_blocked: true, ..Found::default() }.is_burst(INTERVAL, true));
    }

    #[test]
    fn a_flood_ends_after_several_writes_in_vain_in_a_row() {
        let batching = Arc::new(Batching::default());
        let is_flood = |batching: &Batching| batching.prompt_writes.load(Ordering::Relaxed) >= FLOOD;
        let write = |is_worth_it| batching.note_write_by_sender(is_worth_it);
        batching.prompt_writes.store(FLOOD, Ordering::Relaxed);
        (1..IN_VAIN).for_each(|_| write(false));
        write(true);
        (1..IN_VAIN).for_each(|_| write(false));
        batching.note_full();
        batching.prompt_writes.store(FLOOD, Ordering::Relaxed);
        (1..IN_VAIN).for_each(|_| write(false));
        assert!(is_flood(&batching));
        write(false);
        assert!(!is_flood(&batching));
    }

    #[test]
    fn a_message_received_in_between_ends_a_flood() {
        let batching = Batching::default();
        batching.note_full();
        batching.begin_send(true, None, 1);
        assert!(batching.should_gather());
        batching.begin_send(false, None, 1);
        assert!(!batching.should_gather());
    }
}
