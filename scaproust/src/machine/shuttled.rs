//! Threads that the crate shuttle schedules: they give way at each atomic operation and each call of the machine.
//!
//! A machine lives in one execution of shuttle, whose threads have the same numbers. Its time passes a little at each
//! call, so that a time-out may end a wait at any moment; and to the next deadline when every thread waits.

use std::time::Duration;

use super::threads::{Key, Outcome, Thread, check_end};
use super::{MACHINE, Machine, Settings, fail, with};

/// The thread as shuttle has it.
pub(super) type Handle = shuttle::thread::Thread;

/// A value that moves to another thread of the machine.
struct Moved<T>(T);

// SAFETY: the threads of shuttle are coroutines on one thread of the operating system.
unsafe impl<T> Send for Moved<T> {}

impl<T> Moved<T> {
    fn take(self) -> T {
        self.0
    }
}

/// Starts a thread.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + 'static) -> Thread {
    let body = Moved(body);
    let run = move || {
        body.take()();
        // The machine may be gone after the last thread has ended.
        report(with(|machine| {
            machine.threads.all[current()].has_ended = true;
            machine.wake(Key::End(current()), usize::MAX);
            machine.pass_time_if_all_wait()
        }));
    };
    let started = shuttle::thread::Builder::new().name(name.to_owned()).spawn(run);
    // It does not run yet: shuttle switches before it adds a thread.
    let handle = started.expect("shuttle has any number of threads").thread().clone();
    with(|machine| machine.threads.add(name, handle))
}

/// The number of the thread that runs.
pub(super) fn current() -> usize {
    shuttle::current::me().into()
}

/// Lets other threads run.
pub(crate) fn yield_now() {
    shuttle::thread::yield_now();
}

/// A place where time passes, and the thread may give way to others.
pub(crate) fn point() {
    with(|machine| {
        let step = machine.time_up_to(machine.settings.longest_step);
        machine.now += step;
        machine.catch_up();
    });
    // Nothing but a switch: shuttle has no time.
    shuttle::thread::sleep(Duration::ZERO);
}

/// Suspends the thread that runs, until it is resumed.
pub(super) fn suspend() {
    report(with(Machine::pass_time_if_all_wait));
    while with(|machine| machine.threads.all[current()].is_waiting()) {
        shuttle::thread::park();
    }
}

impl Machine {
    /// Passes time if no thread can run. Returns what the threads wait for if none ever can.
    fn pass_time_if_all_wait(&mut self) -> Option<String> {
        let can_run = self.threads.all.iter().any(|thread| !thread.has_ended && !thread.is_waiting());
        let is_stuck = !can_run && !self.pass_time();
        is_stuck.then(|| self.threads.describe()).filter(|left| !left.is_empty())
    }
}

fn report(deadlock: Option<String>) {
    if let Some(threads) = deadlock {
        fail(format!("threads wait for ever: {threads}"));
    }
}

/// Lets shuttle run the threads that were resumed.
pub(super) fn unpark_resumed() {
    let resumed: Vec<Handle> = MACHINE.with(|machine| {
        let machine = &mut *machine.borrow_mut();
        let threads = &mut machine.as_mut().expect("it has just been used").threads;
        let runnable = std::mem::take(&mut threads.runnable);
        runnable.into_iter().map(|number| threads.all[number].handle.clone()).collect()
    });
    resumed.iter().for_each(Handle::unpark);
}

/// Runs a machine whose first thread is `main`, the calling one, until all threads have ended. Then calls `at_end`, and
/// checks that nothing is left. A check that fails is a panic, with which shuttle reports the schedule.
pub(crate) fn run(settings: Settings, main: impl FnOnce() + 'static, at_end: impl FnOnce()) -> Outcome {
    MACHINE.with(|machine| *machine.borrow_mut() = Some(Machine::new(settings)));
    let begin = with(|machine| machine.now);
    let _ = with(|machine| machine.threads.add("main", shuttle::thread::current()));
    main();
    let mut number = 1;
    while number < with(|machine| machine.threads.all.len()) {
        Thread(number).join();
        number += 1;
    }
    if let Some(failure) = check_end(at_end) {
        fail(failure);
    }
    let machine = MACHINE.with(|machine| machine.borrow_mut().take()).expect("it has just run");
    Outcome { failure: None, trace: machine.trace, time: machine.now - begin }
}
