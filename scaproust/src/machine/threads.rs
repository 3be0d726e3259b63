//! Threads as coroutines, and the scheduler: the seed decides which of those that can run does.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{MACHINE, Machine, Settings, fail, with};

/// The bytes of a thread's stack.
const STACK_SIZE: usize = 256 * 1024;
/// A world that takes more steps than this goes round in circles.
const MAX_STEPS: u64 = 20_000_000;

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
    all: Vec<ThreadState>,
    /// Those that can run.
    runnable: Vec<usize>,
    /// Those that wait, by what they wait for.
    waiting: BTreeMap<Key, Vec<usize>>,
    /// Those that wait for a moment.
    timers: BTreeSet<(Duration, usize)>,
    current: usize,
    steps: u64,
}

struct ThreadState {
    name: String,
    coroutine: Option<Coroutine<(), (), (), DefaultStack>>,
    /// What it waits for.
    keys: Vec<Key>,
    deadline: Option<Duration>,
    /// It was woken, and not by its deadline.
    is_woken: bool,
    has_ended: bool,
    /// The ranks of the locks that it holds.
    ranks: u64,
}

thread_local! {
    /// The way out of each thread that was suspended or runs.
    static YIELDERS: RefCell<Vec<*const Yielder<(), ()>>> = const { RefCell::new(Vec::new()) };
    /// Stacks of ended threads.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// A thread, to be joined.
#[must_use]
#[derive(Debug)]
pub(crate) struct Thread(usize);

/// Starts a thread.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + 'static) -> Thread {
    let stack = STACKS.with(|stacks| stacks.borrow_mut().pop());
    let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK_SIZE).expect("memory for a stack"));
    let number = with(|machine| machine.threads.all.len());
    let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        YIELDERS.with(|yielders| yielders.borrow_mut()[number] = yielder);
        body();
    });
    YIELDERS.with(|yielders| yielders.borrow_mut().push(std::ptr::null()));
    with(|machine| {
        machine.threads.all.push(ThreadState {
            name: name.to_owned(),
            coroutine: Some(coroutine),
            keys: Vec::new(),
            deadline: None,
            is_woken: false,
            has_ended: false,
            ranks: 0,
        });
        machine.threads.runnable.push(number);
    });
    Thread(number)
}

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

/// A number of the thread that runs, which is never 0.
pub(crate) fn current_thread() -> usize {
    CURRENT.get() + 1
}

/// Replaces the set of ranks of the thread that runs. Returns the one before.
pub(crate) fn exchange_ranks(change: impl FnOnce(u64) -> u64) -> u64 {
    with(|machine| {
        let ranks = &mut machine.threads.all[CURRENT.get()].ranks;
        let before = *ranks;
        *ranks = change(before);
        before
    })
}

/// Waits until one of the keys is woken, or until the deadline. Returns whether it was woken.
pub(crate) fn block(keys: &[Key], deadline: Option<Duration>) -> bool {
    with(|machine| {
        let number = machine.threads.current;
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
    switch();
    with(|machine| machine.threads.all[machine.threads.current].is_woken)
}

/// Wakes at most `count` threads that wait for `key`.
pub(crate) fn wake(key: Key, count: usize) {
    with(|machine| machine.wake(key, count));
}

/// Waits for a time.
pub(crate) fn sleep(time: Duration) {
    block(&[], Some(super::now() + time));
}

/// Lets other threads run.
pub(crate) fn yield_now() {
    with(|machine| {
        let number = machine.threads.current;
        machine.threads.runnable.push(number);
    });
    switch();
}

/// A place where the thread may give way to others.
pub(crate) fn point() {
    if with(|machine| machine.random.one_in(machine.settings.switch_every)) {
        yield_now();
    }
}

/// Suspends the thread that runs.
fn switch() {
    let yielder = YIELDERS.with(|yielders| yielders.borrow()[CURRENT.get()]);
    // SAFETY: the thread runs, so its yielder lives.
    unsafe { (*yielder).suspend(()) };
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

    /// Passes time until a thread can run. Returns its number; `None` if none ever can.
    fn next_thread(&mut self) -> Option<usize> {
        loop {
            self.deliver_due();
            let now = self.now;
            while let Some(&(moment, number)) =
                self.threads.timers.first().filter(|(moment, _)| *moment <= now)
            {
                self.threads.timers.remove(&(moment, number));
                self.threads.resume(number, false);
            }
            let count = self.threads.runnable.len() as u64;
            if count > 0 {
                let chosen = self.random.below(count) as usize;
                return Some(self.threads.runnable.swap_remove(chosen));
            }
            let timer = self.threads.timers.first().map(|(moment, _)| *moment);
            let next = [timer, self.network.next_arrival()].into_iter().flatten().min()?;
            self.now = self.now.max(next);
        }
    }
}

impl Threads {
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
    fn describe(&self) -> String {
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

/// Runs a machine whose first thread is `main` until all threads have ended, or a check fails.
/// Then calls `at_end`, unless a check has failed, and checks that nothing is left.
pub(crate) fn run(settings: Settings, main: impl FnOnce() + 'static, at_end: impl FnOnce()) -> Outcome {
    MACHINE.with(|machine| *machine.borrow_mut() = Some(Machine::new(settings)));
    YIELDERS.with(|yielders| yielders.borrow_mut().clear());
    static HOOK: Once = Once::new();
    HOOK.call_once(record_panics);
    let begin = with(|machine| machine.now);
    _ = spawn("main", main);
    while let Some(number) = next() {
        // The hook has recorded a panic.
        _ = catch_unwind(AssertUnwindSafe(|| step(number)));
    }
    let left = with(|machine| machine.threads.describe());
    if !left.is_empty() {
        fail(format!("threads wait for ever: {left}"));
    }
    if with(|machine| machine.failure.is_none()) {
        with(|machine| machine.settings.switch_every = 0);
        at_end();
        let left = super::open_descriptors();
        if left > 0 {
            fail(format!("{left} descriptors are left"));
        }
    }
    let mut machine = MACHINE.with(|machine| machine.borrow_mut().take()).expect("it has just run");
    let failure = machine.failure.take();
    let outcome = Outcome { failure, trace: machine.trace, time: machine.now - begin };
    if outcome.failure.is_some() {
        // Its threads are in the middle of something. To unwind them would run code of the library.
        std::mem::forget(machine);
    }
    outcome
}

/// Lets each panic fail the world in which it happens, also one that the library contains.
fn record_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let record = |machine: &RefCell<Option<Machine>>| {
            let Ok(mut machine) = machine.try_borrow_mut() else { return false };
            let failure = machine.as_mut().map(|machine| &mut machine.failure);
            failure
                .map(|failure| failure.get_or_insert_with(|| panic.to_string().replace('\n', " ")))
                .is_some()
        };
        if !MACHINE.try_with(record).unwrap_or(false) {
            before(panic);
        }
    }));
}

/// The thread that runs next; `None` if the world has ended.
fn next() -> Option<usize> {
    with(|machine| {
        machine.threads.steps += 1;
        if machine.threads.steps > MAX_STEPS {
            machine.failure.get_or_insert_with(|| "too many steps".to_owned());
        }
        if machine.failure.is_some() {
            return None;
        }
        let step = machine.settings.longest_step;
        let step = machine.time_up_to(step);
        machine.now += step;
        let number = machine.next_thread()?;
        machine.threads.current = number;
        let event = machine.now.as_nanos() as u64 ^ ((number as u64) << 56);
        machine.note(event);
        Some(number)
    })
}

/// Runs a thread until it waits or ends.
fn step(number: usize) {
    CURRENT.set(number);
    let mut coroutine =
        with(|machine| machine.threads.all[number].coroutine.take()).expect("it does not run");
    match coroutine.resume(()) {
        CoroutineResult::Yield(()) => {
            with(|machine| machine.threads.all[number].coroutine = Some(coroutine));
        }
        CoroutineResult::Return(()) => {
            STACKS.with(|stacks| stacks.borrow_mut().push(coroutine.into_stack()));
            with(|machine| {
                machine.threads.all[number].has_ended = true;
                machine.wake(Key::End(number), usize::MAX);
            });
        }
    }
}
