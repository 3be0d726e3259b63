//! The threads of the machine, what each waits for, and when.
//!
//! Which of those that can run does is decided by the seed (`coroutines`) or, with `--cfg shuttle`, by the crate of that
//! name (`shuttled`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[cfg(not(shuttle))]
use super::coroutines::{Handle, current, suspend};
#[cfg(shuttle)]
use super::shuttled::{Handle, current, suspend};
use super::{Machine, with};

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A lock, condition or futex at this address.
    Address(usize),
    /// The readiness of a descriptor.
    Descriptor(i32),
    /// An event of a poller.
    Poller(usize),
    /// The end of a thread.
    End(usize),
}

/// The threads of the machine.
#[derive(Default)]
pub(super) struct Threads {
    pub(super) all: Vec<ThreadState>,
    /// Those that can run.
    pub(super) runnable: Vec<usize>,
    /// Those that wait, by what they wait for.
    waiting: BTreeMap<Key, Vec<usize>>,
    /// Those that wait for a moment.
    timers: BTreeSet<(Duration, usize)>,
    pub(super) steps: u64,
}

pub(super) struct ThreadState {
    name: String,
    pub(super) handle: Handle,
    /// What it waits for.
    keys: Vec<Key>,
    deadline: Option<Duration>,
    /// It was woken, and not by its deadline.
    is_woken: bool,
    pub(super) has_ended: bool,
    /// The ranks of the locks that it holds.
    ranks: u64,
    /// What the library keeps for the thread.
    place: *const (),
}

/// A thread, to be joined.
#[must_use]
#[derive(Debug)]
pub(crate) struct Thread(pub(super) usize);

impl Thread {
    /// Waits until the thread has ended.
    pub(crate) fn join(self) {
        while !self.has_ended() {
            block(&[Key::End(self.0)], None);
        }
    }

    /// As [`Thread::join`], for at most `time`.
    pub(crate) fn join_within(self, time: Duration) {
        self.join_until(super::now() + time);
    }

    /// As [`Thread::join`], at most until the deadline.
    pub(crate) fn join_until(&self, deadline: Duration) {
        while !self.has_ended() && block(&[Key::End(self.0)], Some(deadline)) {}
    }

    /// Whether the thread has ended.
    pub(crate) fn has_ended(&self) -> bool {
        with(|machine| machine.threads.all[self.0].has_ended)
    }
}

/// How many steps all threads have taken together.
pub(crate) fn steps() -> u64 {
    with(|machine| machine.threads.steps)
}

/// A number of the thread that runs, which is never 0.
pub(crate) fn current_thread() -> usize {
    current() + 1
}

/// Replaces the set of ranks of the thread that runs. Returns the one before.
pub(crate) fn exchange_ranks(change: impl FnOnce(u64) -> u64) -> u64 {
    with(|machine| {
        let ranks = &mut machine.threads.all[current()].ranks;
        let before = *ranks;
        *ranks = change(before);
        before
    })
}

/// What [`set_thread_place`] has set for the thread that runs; null at first.
pub(crate) fn thread_place() -> *const () {
    with(|machine| machine.threads.all[current()].place)
}

/// Sets the pointer that belongs to the thread that runs.
pub(crate) fn set_thread_place(place: *const ()) {
    with(|machine| machine.threads.all[current()].place = place);
}

/// Waits until one of the keys is woken, or until the deadline. Returns whether it was woken.
pub(crate) fn block(keys: &[Key], deadline: Option<Duration>) -> bool {
    with(|machine| {
        let number = current();
        for key in keys {
            machine.threads.waiting.entry(*key).or_default().push(number);
        }
        // Not at once: the scheduler is never on time.
        let late = machine.settings.latest_timer;
        let deadline = deadline.map(|deadline| deadline.saturating_add(machine.time_up_to(late)));
        if let Some(deadline) = deadline {
            machine.threads.timers.insert((deadline, number));
        }
        let thread = &mut machine.threads.all[number];
        thread.keys = keys.to_vec();
        thread.deadline = deadline;
        thread.is_woken = false;
    });
    suspend();
    with(|machine| machine.threads.all[current()].is_woken)
}

/// Wakes at most `count` threads that wait for `key`.
pub(crate) fn wake(key: Key, count: usize) {
    with(|machine| machine.wake(key, count));
}

/// Waits for a time.
pub(crate) fn sleep(time: Duration) {
    block(&[], Some(super::now() + time));
}

impl Machine {
    pub(super) fn wake(&mut self, key: Key, count: usize) {
        for _ in 0..count {
            let Some(waiting) = self.threads.waiting.get_mut(&key).filter(|waiting| !waiting.is_empty())
            else {
                return;
            };
            let number = waiting[0];
            self.threads.resume(number, true);
        }
    }

    /// Ends the waits whose time is over, and delivers what has arrived.
    pub(super) fn catch_up(&mut self) {
        self.deliver_due();
        while let Some(&(moment, number)) =
            self.threads.timers.first().filter(|(moment, _)| *moment <= self.now)
        {
            self.threads.timers.remove(&(moment, number));
            self.threads.resume(number, false);
        }
    }

    /// Passes time until a thread can run. Returns `false` if none ever can.
    pub(super) fn pass_time(&mut self) -> bool {
        loop {
            self.catch_up();
            if !self.threads.runnable.is_empty() {
                return true;
            }
            let timer = self.threads.timers.first().map(|(moment, _)| *moment);
            let Some(next) = [timer, self.network.next_arrival()].into_iter().flatten().min() else {
                return false;
            };
            self.now = self.now.max(next);
        }
    }
}

impl ThreadState {
    /// Whether it is in [`block`].
    #[cfg(shuttle)]
    pub(super) fn is_waiting(&self) -> bool {
        !self.keys.is_empty() || self.deadline.is_some()
    }
}

impl Threads {
    /// Adds a thread.
    pub(super) fn add(&mut self, name: &str, handle: Handle) -> Thread {
        self.all.push(ThreadState {
            name: name.to_owned(),
            handle,
            keys: Vec::new(),
            deadline: None,
            is_woken: false,
            has_ended: false,
            ranks: 0,
            place: std::ptr::null(),
        });
        Thread(self.all.len() - 1)
    }

    /// Lets a thread run that waits.
    fn resume(&mut self, number: usize, is_woken: bool) {
        let thread = &mut self.all[number];
        for key in std::mem::take(&mut thread.keys) {
            if let Some(waiting) = self.waiting.get_mut(&key) {
                waiting.retain(|other| *other != number);
                if waiting.is_empty() {
                    self.waiting.remove(&key);
                }
            }
        }
        if let Some(deadline) = thread.deadline.take() {
            self.timers.remove(&(deadline, number));
        }
        thread.is_woken = is_woken;
        self.runnable.push(number);
    }

    /// The threads that have not ended, and what they wait for.
    pub(super) fn describe(&self) -> String {
        let threads = self.all.iter().filter(|thread| !thread.has_ended);
        let lines: Vec<_> = threads.map(|thread| format!("{} {:?}", thread.name, thread.keys)).collect();
        lines.join(", ")
    }
}

/// What became of a machine.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Why the world has failed, if it has.
    pub(crate) failure: Option<String>,
    /// The same for two runs of one seed.
    pub(crate) trace: u64,
    /// The time that has passed.
    pub(crate) time: Duration,
}

/// Calls `at_end`. Returns what is wrong: a machine whose threads have ended has no descriptors.
pub(super) fn check_end(at_end: impl FnOnce()) -> Option<String> {
    at_end();
    let left = super::open_descriptors();
    (left > 0).then(|| format!("{left} descriptors are left"))
}
