//! Looking up the names of hosts, for all dialers of the process.
//!
//! A look-up can take as long as the resolver likes, and cannot be cancelled. So a few threads serve
//! all of them, and one that is at work knows the name and nothing of a socket: who asked is kept
//! here, and taken out when it is closed. A name that several ask for is looked up once. A thread
//! ends when there is nothing to look up.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::network;
use crate::sync::{Mutex, PerProcess, lock, now, without_signals};

/// Look-ups that run at once.
const MAX_THREADS: usize = 4;
/// How many of these may be of names known to be slow: the others are not to wait behind them.
const MAX_SLOW: usize = MAX_THREADS - 1;
/// A look-up that took longer is slow.
const SLOW: Duration = Duration::from_secs(1);

static LOOKUPS: PerProcess<Mutex<Lookups>> = PerProcess::new(Mutex::default);

/// What the resolver said.
pub(super) struct Answer {
    /// The addresses, with port 0; none if the name is not known.
    pub(super) addresses: Vec<SocketAddr>,
    /// It took long, as it may the next time.
    pub(super) is_slow: bool,
}

/// Asks for the addresses of a name.
pub(super) trait Asker: Send + Sync {
    /// There is an answer. The call comes from a thread of the look-ups.
    fn answered(self: Arc<Self>, answer: &Answer);
}

/// Look-ups that wait or run. As long as there are any, there is a thread that takes the next.
#[derive(Default)]
struct Lookups {
    /// By name.
    all: HashMap<String, Lookup>,
    /// Names that wait.
    waiting: VecDeque<String>,
    /// Names that wait, and are known to be slow.
    slow: VecDeque<String>,
    threads: usize,
    slow_threads: usize,
}

#[derive(Default)]
struct Lookup {
    askers: Vec<Weak<dyn Asker>>,
    is_running: bool,
}

/// Has `asker` told the addresses of `name`, unless [`forget`] comes first. `is_slow` says whether
/// the last answer was.
///
/// # Errors
/// When there is no thread, and none can be had.
pub(super) fn look_up(name: &str, is_slow: bool, asker: Weak<dyn Asker>) -> io::Result<()> {
    let mut lookups = lock(LOOKUPS.get());
    let address = asker.as_ptr();
    if !lookups.add(name, is_slow, asker) {
        return Ok(());
    }
    let spawn = || std::thread::Builder::new().name("nanomsg-names".into()).spawn(work);
    let Err(error) = without_signals(spawn) else { return Ok(()) };
    lookups.threads -= 1;
    if lookups.threads > 0 {
        return Ok(());
    }
    lookups.remove(name, address.cast());
    Err(error)
}

/// Forgets that `asker` wants to know the addresses of `name`.
pub(super) fn forget(name: &str, asker: *const dyn Asker) {
    lock(LOOKUPS.get()).remove(name, asker.cast());
}

/// What a thread does.
fn work() {
    while let Some((name, was_slow)) = { lock(LOOKUPS.get()).take() } {
        let start = now();
        let addresses = network::look_up(&name);
        let answer = Answer { addresses, is_slow: now() - start > SLOW };
        let askers = lock(LOOKUPS.get()).finish(&name, was_slow);
        for asker in askers.iter().filter_map(Weak::upgrade) {
            asker.answered(&answer);
        }
    }
}

impl Lookups {
    /// Adds a request; answers whether a thread must be started, which counts already.
    fn add(&mut self, name: &str, is_slow: bool, asker: Weak<dyn Asker>) -> bool {
        if let Some(lookup) = self.all.get_mut(name) {
            lookup.askers.push(asker);
            return false;
        }
        self.all.insert(name.to_owned(), Lookup { askers: vec![asker], is_running: false });
        let queue = if is_slow { &mut self.slow } else { &mut self.waiting };
        queue.push_back(name.to_owned());
        let is_needed = self.threads < MAX_THREADS;
        self.threads += usize::from(is_needed);
        is_needed
    }

    /// Takes a request back. If it was the last one for the name and the look-up does not run yet,
    /// it never will.
    fn remove(&mut self, name: &str, asker: *const ()) {
        let Some(lookup) = self.all.get_mut(name) else { return };
        lookup.askers.retain(|other| !ptr::eq(other.as_ptr().cast(), asker));
        if lookup.askers.is_empty() && !lookup.is_running {
            self.all.remove(name);
            self.waiting.retain(|other| other != name);
            self.slow.retain(|other| other != name);
        }
    }

    /// The next name for a thread, and whether it is known to be slow. Without one the thread ends.
    fn take(&mut self) -> Option<(String, bool)> {
        let prompt = self.waiting.pop_front().map(|name| (name, false));
        let mut slow = || (self.slow_threads < MAX_SLOW).then(|| self.slow.pop_front()).flatten();
        let next = prompt.or_else(|| slow().map(|name| (name, true)));
        match &next {
            Some((name, is_slow)) => {
                self.slow_threads += usize::from(*is_slow);
                self.all.entry(name.clone()).or_default().is_running = true;
            }
            None => {
                self.threads -= 1;
                if self.threads == 0 {
                    // Without its memory.
                    *self = Lookups::default();
                }
            }
        }
        next
    }

    /// A look-up is over; answers who is to be told.
    fn finish(&mut self, name: &str, was_slow: bool) -> Vec<Weak<dyn Asker>> {
        self.slow_threads -= usize::from(was_slow);
        self.all.remove(name).map(|lookup| lookup.askers).unwrap_or_default()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct NullPeer;

    impl Asker for NullPeer {
        fn answered(self: Arc<Self>, _answer: &Answer) {}
    }

    fn nobody() -> (Arc<dyn Asker>, Weak<dyn Asker>) {
        let asker: Arc<dyn Asker> = Arc::new(NullPeer);
        (asker.clone(), Arc::downgrade(&asker))
    }

    /// The requests of `names`, for which as many threads as are wanted were started.
    fn asked(names: &[(&str, bool)]) -> Lookups {
        let mut lookups = Lookups::default();
        for (name, is_slow) in names {
            lookups.add(name, *is_slow, nobody().1);
        }
        lookups
    }

    #[test]
    fn a_name_is_looked_up_once_for_all_who_ask() {
        let mut lookups = Lookups::default();
        assert!(lookups.add("a", false, nobody().1));
        assert!(!lookups.add("a", false, nobody().1));
        assert_eq!(lookups.take(), Some(("a".into(), false)));
        assert!(!lookups.add("a", false, nobody().1));
        assert_eq!(lookups.finish("a", false).len(), 3);
        assert_eq!(lookups.take(), None);
        assert!(lookups.add("a", false, nobody().1));
    }

    #[test]
    fn a_request_that_is_taken_back_before_its_turn_is_never_looked_up() {
        let mut lookups = Lookups::default();
        let ((first, first_asks), (second, second_asks)) = (nobody(), nobody());
        lookups.add("a", false, first_asks);
        lookups.add("a", true, second_asks.clone());
        lookups.add("b", true, second_asks);
        lookups.remove("a", Arc::as_ptr(&first).cast());
        lookups.remove("b", Arc::as_ptr(&second).cast());
        assert_eq!(lookups.take(), Some(("a".into(), false)));
        // While it runs, others may still join it.
        lookups.remove("a", Arc::as_ptr(&second).cast());
        assert!(!lookups.add("a", false, nobody().1));
        assert_eq!(lookups.finish("a", false).len(), 1);
        assert_eq!((lookups.take(), lookups.threads), (None, 1));
    }

    #[test]
    fn threads_are_few_and_end() {
        let names = ["a", "b", "c", "d", "e", "f"].map(|name| (name, false));
        let mut lookups = asked(&names);
        assert_eq!(lookups.threads, MAX_THREADS);
        while let Some((name, _)) = lookups.take() {
            lookups.finish(&name, false);
        }
        assert_eq!(lookups.threads, MAX_THREADS - 1);
    }

    #[test]
    fn names_that_are_known_to_be_slow_leave_a_thread_to_the_others() {
        let mut lookups =
            asked(&[("s1", true), ("s2", true), ("s3", true), ("s4", true), ("s5", true), ("a", false)]);
        let taken: Vec<_> = std::iter::from_fn(|| lookups.take()).map(|(name, _)| name).collect();
        assert_eq!(taken, ["a", "s1", "s2", "s3"]);
        lookups.finish("s2", true);
        assert_eq!(lookups.take(), Some(("s4".into(), true)));
        assert_eq!(lookups.take(), None);
    }
}
