//! Threads as coroutines, and the scheduler: the seed decides which of those that can run does.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::threads::{Key, Outcome, Thread, check_end};
use super::{MACHINE, Machine, Settings, fail, with};

/// The bytes of a thread's stack.
const STACK_SIZE: usize = 256 * 1024;
/// A world that takes more steps than this goes round in circles.
const MAX_STEPS: u64 = 20_000_000;

/// A thread that is suspended; `None` while it runs, and when it has ended.
pub(super) type Handle = Option<Coroutine<(), (), (), DefaultStack>>;

thread_local! {
    /// The way out of each thread that was suspended or runs.
    static YIELDERS: RefCell<Vec<*const Yielder<(), ()>>> = const { RefCell::new(Vec::new()) };
    /// Stacks of ended threads.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

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
        machine.threads.runnable.push(number);
        machine.threads.add(name, Some(coroutine))
    })
}

/// The number of the thread that runs.
pub(super) fn current() -> usize {
    CURRENT.get()
}

/// Lets other threads run.
pub(crate) fn yield_now() {
    with(|machine| machine.threads.runnable.push(current()));
    suspend();
}

/// A place where the thread may give way to others.
pub(crate) fn point() {
    if with(|machine| machine.random.one_in(machine.settings.switch_every)) {
        yield_now();
    }
}

/// Suspends the thread that runs, until it is chosen among those that can run.
pub(super) fn suspend() {
    let yielder = YIELDERS.with(|yielders| yielders.borrow()[current()]);
    // SAFETY: the thread runs, so its yielder lives.
    unsafe { (*yielder).suspend(()) };
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
        check_end(at_end).map(fail);
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
        if !machine.pass_time() {
            return None;
        }
        let chosen = machine.random.below(machine.threads.runnable.len() as u64) as usize;
        let number = machine.threads.runnable.swap_remove(chosen);
        let event = machine.now.as_nanos() as u64 ^ ((number as u64) << 56);
        machine.note(event);
        Some(number)
    })
}

/// Runs a thread until it waits or ends.
fn step(number: usize) {
    CURRENT.set(number);
    let mut coroutine = with(|machine| machine.threads.all[number].handle.take()).expect("it does not run");
    match coroutine.resume(()) {
        CoroutineResult::Yield(()) => {
            with(|machine| machine.threads.all[number].handle = Some(coroutine));
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
