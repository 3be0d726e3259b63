//! The futex on any Unix: a sleeper waits in poll(2) for a byte in a pipe of its own.
//!
//! Every signal handler interrupts poll(2), with or without `SA_RESTART`. A pipe exists for one sleep only:
//! a futex may outlive the last socket, and no descriptor may.

use std::collections::VecDeque;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::Wake;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, Polled, above_standard, is_standard, lock, now, poll, rank};

/// The longest sleep of a thread for which the process has no descriptors. Then it checks again.
const WITHOUT_PIPE: Duration = Duration::from_millis(10);

/// An atomic word with sleepers.
#[derive(Debug)]
pub(crate) struct Futex {
    /// The word. A thread that changes it must call [`Futex::wake`].
    pub(crate) word: AtomicU32,
    /// In the order of their sleeps. The thread that removes one writes a byte to its pipe, which is empty
    /// until then; a sleeper that removes itself does not.
    sleepers: Mutex<VecDeque<Arc<Pipe>>, rank::Futex>,
}

#[derive(Debug)]
struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Futex {
    /// A word that starts at zero.
    pub(crate) fn new() -> Futex {
        Futex { word: AtomicU32::new(0), sleepers: Mutex::default() }
    }

    /// Sleeps while the word is `expected`, until [`Futex::wake`], the deadline, or a signal.
    pub(crate) fn wait(&self, expected: u32, deadline: Option<Duration>) -> Wake {
        let pipe = {
            let mut sleepers = lock(&self.sleepers);
            if self.word.load(Ordering::SeqCst) != expected {
                return Wake::Woken;
            }
            let Ok(pipe) = Pipe::new() else {
                drop(sleepers);
                return sleep_without_pipe(deadline);
            };
            sleepers.push_back(pipe.clone());
            pipe
        };
        let outcome = pipe.sleep(deadline);
        let mut sleepers = lock(&self.sleepers);
        let place = sleepers.iter().position(|other| Arc::ptr_eq(other, &pipe));
        match place.and_then(|place| sleepers.remove(place)) {
            Some(_) => outcome,
            // A wake was spent on this sleeper, whatever else has ended the sleep.
            None => Wake::Woken,
        }
    }

    /// Wakes at most `count` sleepers.
    pub(crate) fn wake(&self, count: i32) {
        let mut sleepers = lock(&self.sleepers);
        let count = usize::try_from(count).unwrap_or(0).min(sleepers.len());
        for pipe in sleepers.drain(..count) {
            pipe.fill();
        }
    }
}

impl Pipe {
    fn new() -> std::io::Result<Arc<Pipe>> {
        let (reader, writer) =
            above_standard(std::io::pipe, |(reader, writer)| is_standard(reader) || is_standard(writer))?;
        Ok(Arc::new(Pipe { reader, writer }))
    }

    /// Sleeps until there is a byte, the deadline has passed, or a signal handler has run.
    fn sleep(&self, deadline: Option<Duration>) -> Wake {
        let mut polled = [Polled::new(self.reader.as_raw_fd())];
        loop {
            match poll(&mut polled, deadline.map(|deadline| deadline.saturating_sub(now()))) {
                // The system may round the time, and shorten one of weeks.
                Ok(0) if deadline.is_none_or(|deadline| now() < deadline) => {}
                Ok(0) => return Wake::TimedOut,
                Ok(_) => return Wake::Woken,
                Err(_) => return Wake::Interrupted,
            }
        }
    }

    /// Writes a byte to the empty pipe, which cannot fail: there is room, and both ends are open.
    fn fill(&self) {
        let _ = (&self.writer).write_all(&[0]);
    }
}

/// Sleeps for at most [`WITHOUT_PIPE`]. Only a signal ends the sleep early.
fn sleep_without_pipe(deadline: Option<Duration>) -> Wake {
    let left = deadline.map_or(WITHOUT_PIPE, |deadline| deadline.saturating_sub(now()).min(WITHOUT_PIPE));
    match poll(&mut [], Some(left)) {
        Err(_) => Wake::Interrupted,
        Ok(_) if deadline.is_some_and(|deadline| deadline <= now()) => Wake::TimedOut,
        Ok(_) => Wake::Woken,
    }
}
