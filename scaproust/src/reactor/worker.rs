//! The thread that runs one reactor after another, and waits for a short time when there is none.
//!
//! Owns the thread, and decides under one lock whether it waits, works or exits. Must not know what it runs.
//! The thread is reused since to start and join one costs a short-lived socket a third of its time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::thread_settings::ThreadSettings;
use crate::sync::{Condvar, Mutex, MutexGuard, Thread, contained, lock, rank, run_on, wait_timeout};

/// How long the thread waits for a job before it exits.
const IDLE_TIME: Duration = Duration::from_millis(20);

/// What the thread runs.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The thread, as its owner has it.
pub(super) struct Worker {
    thread: Thread,
    shared: Arc<Shared>,
}

impl Worker {
    /// Starts a thread that runs the job.
    ///
    /// # Errors
    /// The operating system's, when it has no thread to spare.
    pub(super) fn start(job: Job, settings: &ThreadSettings) -> io::Result<Worker> {
        let shared = Arc::new(Shared::with(job));
        let own = shared.clone();
        let processors = settings.processors.clone();
        let work = move || {
            run_on(&processors);
            own.work(Shared::wait);
        };
        let thread = Thread::start(settings.name.clone(), Box::new(work))?;
        Ok(Worker { thread, shared })
    }

    /// Runs the job in this thread or, if it has exited, in a new one.
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub(super) fn run(self, job: Job, settings: &ThreadSettings) -> io::Result<Worker> {
        match self.shared.submit(job) {
            Ok(()) => Ok(self),
            Err(job) => {
                self.thread.join();
                Worker::start(job, settings)
            }
        }
    }

    /// Ends the thread after its job, and waits until it has exited.
    pub(super) fn end(self) {
        self.shared.request_exit();
        self.thread.join();
    }

    /// As [`Worker::end`], but waits for at most `time`.
    pub(super) fn end_within(self, time: Duration) {
        self.shared.request_exit();
        self.thread.join_within(time);
    }
}

/// What the thread and its owner share.
struct Shared {
    state: Mutex<State, rank::Worker>,
    /// Notified when the owner has changed the state.
    changed: Condvar,
}

type Guard<'a> = MutexGuard<'a, State, rank::Worker>;

struct State {
    /// The job after the one that is running.
    next: Option<Job>,
    /// The thread exits when there is no job left.
    should_exit: bool,
    /// The thread has decided to exit, and takes no more jobs.
    has_exited: bool,
}

impl Shared {
    fn with(job: Job) -> Shared {
        let state = State { next: Some(job), should_exit: false, has_exited: false };
        Shared { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Runs jobs until the thread exits. `wait` waits for a change of the state, and returns whether the idle
    /// time is over.
    fn work(&self, wait: impl for<'a> Fn(&'a Shared, Guard<'a>) -> (Guard<'a>, bool)) {
        let mut state = lock(&self.state);
        let mut is_over = false;
        loop {
            if let Some(job) = state.next.take() {
                drop(state);
                contained(job);
                state = lock(&self.state);
                is_over = false;
            } else if state.should_exit || is_over {
                state.has_exited = true;
                return;
            } else {
                (state, is_over) = wait(self, state);
            }
        }
    }

    fn wait<'a>(&'a self, state: Guard<'a>) -> (Guard<'a>, bool) {
        wait_timeout(&self.changed, state, IDLE_TIME)
    }

    /// Passes the thread a job. It replaces a job that has not begun, whose reactor was stopped. Returns the
    /// job if the thread has exited.
    fn submit(&self, job: Job) -> Result<(), Job> {
        let mut state = lock(&self.state);
        if state.has_exited {
            return Err(job);
        }
        state.next = Some(job);
        self.changed.notify_all();
        Ok(())
    }

    fn request_exit(&self) {
        lock(&self.state).should_exit = true;
        self.changed.notify_all();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn jobs_run_one_after_another() {
        let (sender, ran) = mpsc::channel();
        let job = |number: u32| -> Job {
            let sender = sender.clone();
            Box::new(move || sender.send(number).unwrap())
        };
        let worker = Worker::start(job(1), &ThreadSettings::default()).unwrap();
        assert_eq!(ran.recv(), Ok(1));
        worker.run(job(2), &ThreadSettings::default()).unwrap().end();
        assert_eq!(ran.try_recv(), Ok(2));
    }

    #[test]
    fn a_job_that_panics_does_not_end_the_thread() {
        let job = Box::new(|| panic!("asked for by the test"));
        let worker = Worker::start(job, &ThreadSettings::default()).unwrap();
        worker.end();
    }

    #[test]
    fn a_thread_that_has_exited_takes_no_job() {
        let shared = Shared::with(Box::new(|| {}));
        shared.work(|_, state| (state, true));
        assert!(shared.submit(Box::new(|| {})).is_err());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::atomic::{AtomicUsize, Ordering};

    /// A job that is taken is run, even if the thread was about to exit.
    #[test]
    fn loom_a_job_that_is_taken_is_run() {
        loom::model(|| {
            let count = Arc::new(AtomicUsize::new(0));
            let job = || -> Job {
                let count = count.clone();
                Box::new(move || _ = count.fetch_add(1, Ordering::SeqCst))
            };
            let shared = Arc::new(Shared::with(job()));
            let own = shared.clone();
            // The idle time may be over at any moment.
            let thread = loom::thread::spawn(move || {
                own.work(|shared, state| {
                    drop(state);
                    (lock(&shared.state), true)
                });
            });
            let is_taken = shared.submit(job()).is_ok();
            shared.request_exit();
            thread.join().unwrap();
            // The second job replaces the first if that has not begun.
            let count = count.load(Ordering::SeqCst);
            assert!(if is_taken { count >= 1 } else { count == 1 });
            assert!(lock(&shared.state).next.is_none());
        });
    }
}
