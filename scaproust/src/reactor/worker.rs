//! The thread that runs one reactor after another, and stays for a moment when there is none.
//!
//! Owns the thread, and whether it waits, works or has left, which is decided under one lock. Must not know what
//! it runs. To start a thread and to join it costs a short-lived socket a third of its time.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard, Thread, contained, lock};

/// How long the thread waits for something to run.
pub(super) const KEPT: Duration = Duration::from_millis(20);

/// Something to run.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A thread, and what it is told.
pub(super) struct Worker {
    thread: Thread,
    desk: Arc<Desk>,
}

impl Worker {
    /// Starts a thread, which runs this first.
    ///
    /// # Errors
    /// When the system has no thread to spare.
    pub(super) fn start(job: Job) -> io::Result<Worker> {
        let desk = Arc::new(Desk::with(job));
        let own = desk.clone();
        let thread = Thread::start(c"nanomsg", Box::new(move || own.work(Desk::wait)))?;
        Ok(Worker { thread, desk })
    }

    /// Has the job run, by this thread or, if it has left, by a new one.
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub(super) fn run(self, job: Job) -> io::Result<Worker> {
        match self.desk.give(job) {
            Ok(()) => Ok(self),
            Err(job) => {
                self.thread.join();
                Worker::start(job)
            }
        }
    }

    /// Ends the thread, when its job is done, and waits until it is gone.
    pub(super) fn end(self) {
        self.desk.dismiss();
        self.thread.join();
    }

    /// As [`Worker::end`], for so long at most.
    pub(super) fn end_within(self, time: Duration) {
        self.desk.dismiss();
        self.thread.join_within(time);
    }
}

/// What the thread and the others look at.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// To be run, after what the thread runs now.
    next: Option<Job>,
    /// The thread is to leave when it has run everything.
    is_dismissed: bool,
    /// The thread runs nothing more.
    has_left: bool,
}

impl Desk {
    fn with(job: Job) -> Desk {
        let state = State { next: Some(job), is_dismissed: false, has_left: false };
        Desk { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// What the thread does. `wait` waits for a change, and answers whether the time is over.
    fn work(&self, wait: impl for<'a> Fn(&'a Desk, MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool)) {
        let mut state = lock(&self.state);
        let mut is_over = false;
        loop {
            if let Some(job) = state.next.take() {
                drop(state);
                contained(job);
                state = lock(&self.state);
                is_over = false;
            } else if state.is_dismissed || is_over {
                state.has_left = true;
                return;
            } else {
                (state, is_over) = wait(self, state);
            }
        }
    }

    fn wait<'a>(&'a self, state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let waited = self.changed.wait_timeout(state, KEPT);
        let (state, time) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, time.timed_out())
    }

    /// Gives the thread a job, in the place of one that it has not begun, whose reactor was stopped; it is given back if
    /// the thread has left.
    fn give(&self, job: Job) -> Result<(), Job> {
        let mut state = lock(&self.state);
        if state.has_left {
            return Err(job);
        }
        state.next = Some(job);
        self.changed.notify_all();
        Ok(())
    }

    fn dismiss(&self) {
        lock(&self.state).is_dismissed = true;
        self.changed.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn one_job_runs_after_the_other() {
        let (sender, ran) = mpsc::channel();
        let job = |number: u32| -> Job {
            let sender = sender.clone();
            Box::new(move || sender.send(number).unwrap())
        };
        let worker = Worker::start(job(1)).unwrap();
        assert_eq!(ran.recv(), Ok(1));
        worker.run(job(2)).unwrap().end();
        assert_eq!(ran.try_recv(), Ok(2));
    }

    #[test]
    fn a_job_that_panics_does_not_end_the_thread() {
        let worker = Worker::start(Box::new(|| panic!("asked for by the test"))).unwrap();
        worker.end();
    }

    #[test]
    fn a_thread_that_has_left_takes_no_job() {
        let desk = Desk::with(Box::new(|| {}));
        desk.work(|_, state| (state, true));
        assert!(desk.give(Box::new(|| {})).is_err());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};

    /// A job that is taken is run, whether or not the thread was about to leave.
    #[test]
    fn loom_a_job_that_is_taken_is_run() {
        loom::model(|| {
            let count = Arc::new(AtomicUsize::new(0));
            let job = || -> Job {
                let count = count.clone();
                Box::new(move || _ = count.fetch_add(1, Ordering::SeqCst))
            };
            let desk = Arc::new(Desk::with(job()));
            let own = desk.clone();
            // The time is over at any moment.
            let thread = loom::thread::spawn(move || {
                own.work(|desk, state| {
                    drop(state);
                    (lock(&desk.state), true)
                });
            });
            let is_taken = desk.give(job()).is_ok();
            desk.dismiss();
            thread.join().unwrap();
            // One that comes before the first is run takes its place.
            let count = count.load(Ordering::SeqCst);
            assert!(if is_taken { count >= 1 } else { count == 1 });
            assert!(lock(&desk.state).next.is_none());
        });
    }
}
