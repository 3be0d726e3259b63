//! An I/O thread and its reactor: started on demand, stopped with the last socket that needs them.

use std::io;
use std::sync::Arc;

use super::Reactor;
use super::thread_settings::ThreadSettings;
use super::worker::Worker;
use crate::sync::{Mutex, Wakers, lock, rank, try_lock};

/// A place for a reactor, and the thread that runs it or waits for the next one.
#[derive(Default)]
pub(super) struct IoThread {
    settings: ThreadSettings,
    state: Mutex<State, rank::CurrentReactor>,
}

#[derive(Default)]
struct State {
    reactor: Option<Arc<Reactor>>,
    worker: Option<Worker>,
}

impl IoThread {
    /// A thread that does not run yet.
    pub(super) fn new(settings: ThreadSettings) -> IoThread {
        IoThread { settings, state: Mutex::default() }
    }

    /// The reactor. Starts one, and its thread, if there is none; `before_first` is called before a first thread starts.
    ///
    /// # Errors
    /// The operating system's, when it has no descriptor or thread to spare.
    pub(super) fn reactor(&self, before_first: impl FnOnce()) -> io::Result<Arc<Reactor>> {
        let mut state = lock(&self.state);
        if let Some(reactor) = &state.reactor {
            return Ok(reactor.clone());
        }
        let reactor = Reactor::new(self.settings.spin)?;
        let own = reactor.clone();
        let job = Box::new(move || own.run());
        let worker = match state.worker.take() {
            Some(worker) => worker.run(job, &self.settings)?,
            None => {
                before_first();
                Worker::start(job, &self.settings)?
            }
        };
        *state = State { reactor: Some(reactor.clone()), worker: Some(worker) };
        Ok(reactor)
    }

    /// The reactor, if there is one.
    pub(super) fn present(&self) -> Option<Arc<Reactor>> {
        lock(&self.state).reactor.clone()
    }

    /// Stops the reactor, if there is one, and waits until its thread has left it. Then it has no sources and no
    /// descriptors. The thread stays for a moment, as a spare one. Returns the wakers that are still to be called.
    pub(super) fn stop(&self) -> Wakers {
        let reactor = lock(&self.state).reactor.take();
        reactor.map(|reactor| reactor.stop()).unwrap_or_default()
    }

    /// The thread, if it is a spare one.
    pub(super) fn take_spare(&self) -> Option<Worker> {
        lock(&self.state).take_spare()
    }

    /// As [`IoThread::take_spare`], without waiting for a lock.
    pub(super) fn try_take_spare(&self) -> Option<Worker> {
        try_lock(&self.state)?.take_spare()
    }
}

impl State {
    fn take_spare(&mut self) -> Option<Worker> {
        if self.reactor.is_none() { self.worker.take() } else { None }
    }
}
