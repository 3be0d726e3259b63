//! The look-up of host names, for all dialers of the process.
//!
//! A look-up blocks as long as the resolver likes and cannot be cancelled. A few threads do all of them. A thread
//! knows the name and nothing of a socket: the requests are kept here, and a closed dialer takes its own out.
//! Concurrent requests for one name share a look-up. A thread ends when no request is left.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::platform;
use crate::sync::{Mutex, PerProcess, lock, now, rank, start_detached};

/// The most look-ups at once.
const MAX_THREADS: usize = 4;
/// The most look-ups at once of names known to be slow, so that the others need not wait for these.
const MAX_SLOW: usize = MAX_THREADS - 1;
/// A look-up that took longer than this is slow.
const SLOW: Duration = Duration::from_secs(1);

static LOOKUPS: PerProcess<Mutex<Lookups, rank::Lookups>> = PerProcess::new(Mutex::default);

/// The result of a look-up.
pub(super) struct Answer {
    /// The addresses, with port 0. Empty if the name is unknown.
    pub(super) addresses: Vec<SocketAddr>,
    /// The look-up took longer than [`SLOW`].
    pub(super) is_slow: bool,
}

/// The receiver of an answer.
pub(super) trait Requester: Send + Sync {
    /// The look-up is finished. Called by a look-up thread.
    fn answered(self: Arc<Self>, answer: &Answer);
}

/// The pending and running look-ups. While there are any, a thread runs.
#[derive(Default)]
struct Lookups {
    /// By name.
    all: HashMap<String, Lookup>,
    /// Pending names.
    waiting: VecDeque<String>,
    /// Pending names that are known to be slow.
    slow: VecDeque<String>,
    threads: usize,
    slow_threads: usize,
}

#[derive(Default)]
struct Lookup {
    requesters: Vec<Weak<dyn Requester>>,
    is_running: bool,
}

/// Requests the addresses of `name` for `requester`, until [`cancel`]. `is_slow` says whether the last look-up of the
/// name was slow.
///
/// # Errors
/// When no thread runs and none can be started.
pub(super) fn look_up(name: &str, is_slow: bool, requester: Weak<dyn Requester>) -> io::Result<()> {
    let mut lookups = lock(LOOKUPS.get());
    let address = requester.as_ptr();
    if !lookups.add(name, is_slow, requester) {
        return Ok(());
    }
    let Err(error) = start_detached("nanomsg-names", work) else { return Ok(()) };
    lookups.threads -= 1;
    if lookups.threads > 0 {
        return Ok(());
    }
    lookups.remove(name, address.cast());
    Err(error)
}

/// Withdraws the request of `requester` for `name`.
pub(super) fn cancel(name: &str, requester: *const dyn Requester) {
    lock(LOOKUPS.get()).remove(name, requester.cast());
}

/// The body of a look-up thread.
fn work() {
    while let Some((name, was_slow)) = { lock(LOOKUPS.get()).take() } {
        let start = now();
        let addresses = platform::look_up(&name);
        let answer = Answer { addresses, is_slow: now() - start > SLOW };
        let requesters = lock(LOOKUPS.get()).finish(&name, was_slow);
        for requester in requesters.iter().filter_map(Weak::upgrade) {
            requester.answered(&answer);
        }
    }
}

impl Lookups {
    /// Adds a request. Returns whether a thread must be started; it is counted already.
    fn add(&mut self, name: &str, is_slow: bool, requester: Weak<dyn Requester>) -> bool {
        if let Some(lookup) = self.all.get_mut(name) {
            lookup.requesters.push(requester);
            return false;
        }
        self.all.insert(name.to_owned(), Lookup { requesters: vec![requester], is_running: false });
        let queue = if is_slow { &mut self.slow } else { &mut self.waiting };
        queue.push_back(name.to_owned());
        let is_needed = self.threads < MAX_THREADS;
        self.threads += usize::from(is_needed);
        is_needed
    }

    /// Removes a request. If it was the last one for the name, a look-up that does not run yet is removed too.
    fn remove(&mut self, name: &str, requester: *const ()) {
        let Some(lookup) = self.all.get_mut(name) else { return };
        lookup.requesters.retain(|other| !ptr::eq(other.as_ptr().cast(), requester));
        if lookup.requesters.is_empty() && !lookup.is_running {
            self.all.remove(name);
            self.waiting.retain(|other| other != name);
            self.slow.retain(|other| other != name);
        }
    }

    /// The next name for a thread, and whether it is known to be slow. `None`: the thread ends.
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
                    // Frees the memory.
                    *self = Lookups::default();
                }
            }
        }
        next
    }

    /// A look-up is finished. Returns its requesters.
    fn finish(&mut self, name: &str, was_slow: bool) -> Vec<Weak<dyn Requester>> {
        self.slow_threads -= usize::from(was_slow);
        self.all.remove(name).map(|lookup| lookup.requesters).unwrap_or_default()
    }
}

/// Makes the request of `requester` for `name` one whose look-up never ends, as that of a resolver that does not return.
#[cfg(all(test, not(loom)))]
pub(super) fn begin_endless_look_up(name: &str, requester: Weak<dyn Requester>) {
    let endless = Lookup { requesters: vec![requester], is_running: true };
    lock(LOOKUPS.get()).all.insert(name.to_owned(), endless);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc;

    /// Sends the addresses of each answer.
    struct Forwarder(mpsc::Sender<Vec<IpAddr>>);

    impl Requester for Forwarder {
        fn answered(self: Arc<Self>, answer: &Answer) {
            self.0.send(answer.addresses.iter().map(SocketAddr::ip).collect()).unwrap();
        }
    }

    struct NullRequester;

    impl Requester for NullRequester {
        fn answered(self: Arc<Self>, _answer: &Answer) {}
    }

    fn requester() -> (Arc<dyn Requester>, Weak<dyn Requester>) {
        let requester: Arc<dyn Requester> = Arc::new(NullRequester);
        (requester.clone(), Arc::downgrade(&requester))
    }

    /// Requests of `names`, with all threads that they need.
    fn asked(names: &[(&str, bool)]) -> Lookups {
        let mut lookups = Lookups::default();
        for (name, is_slow) in names {
            lookups.add(name, *is_slow, requester().1);
        }
        lookups
    }

    #[test]
    fn each_requester_is_answered_once() {
        let (sender, answers) = mpsc::channel();
        let requesters = [(); 3].map(|()| Arc::new(Forwarder(sender.clone())));
        drop(sender);
        for requester in &requesters {
            let requester: Arc<dyn Requester> = requester.clone();
            look_up("localhost", false, Arc::downgrade(&requester)).unwrap();
        }
        for _ in &requesters {
            assert!(answers.recv().unwrap().contains(&Ipv4Addr::LOCALHOST.into()));
        }
        drop(requesters);
        assert!(answers.recv().is_err());
    }

    #[test]
    fn a_name_that_cannot_be_resolved_has_no_addresses() {
        let (sender, answers) = mpsc::channel();
        let requester: Arc<dyn Requester> = Arc::new(Forwarder(sender));
        look_up("no\0name", false, Arc::downgrade(&requester)).unwrap();
        assert_eq!(answers.recv(), Ok(Vec::new()));
    }

    #[test]
    fn requests_for_one_name_share_a_look_up() {
        let mut lookups = Lookups::default();
        assert!(lookups.add("a", false, requester().1));
        assert!(!lookups.add("a", false, requester().1));
        assert_eq!(lookups.take(), Some(("a".into(), false)));
        assert!(!lookups.add("a", false, requester().1));
        assert_eq!(lookups.finish("a", false).len(), 3);
        assert_eq!(lookups.take(), None);
        assert!(lookups.add("a", false, requester().1));
    }

    #[test]
    fn a_request_that_is_withdrawn_before_its_turn_is_not_looked_up() {
        let mut lookups = Lookups::default();
        let ((first, first_weak), (second, second_weak)) = (requester(), requester());
        lookups.add("a", false, first_weak);
        lookups.add("a", true, second_weak.clone());
        lookups.add("b", true, second_weak);
        lookups.remove("a", Arc::as_ptr(&first).cast());
        lookups.remove("b", Arc::as_ptr(&second).cast());
        assert_eq!(lookups.take(), Some(("a".into(), false)));
        // A running look-up takes further requests.
        lookups.remove("a", Arc::as_ptr(&second).cast());
        assert!(!lookups.add("a", false, requester().1));
        assert_eq!(lookups.finish("a", false).len(), 1);
        assert_eq!((lookups.take(), lookups.threads), (None, 1));
    }

    #[test]
    fn the_number_of_threads_is_bounded_and_they_end() {
        let names = ["a", "b", "c", "d", "e", "f"].map(|name| (name, false));
        let mut lookups = asked(&names);
        assert_eq!(lookups.threads, MAX_THREADS);
        while let Some((name, _)) = lookups.take() {
            lookups.finish(&name, false);
        }
        assert_eq!(lookups.threads, MAX_THREADS - 1);
    }

    #[test]
    fn a_slow_look_up_that_ends_makes_room_for_the_next() {
        let mut lookups = asked(&[("s1", true), ("s2", true), ("s3", true), ("s4", true)]);
        for expected in ["s1", "s2", "s3", "s4"] {
            assert_eq!(lookups.take(), Some((expected.into(), true)));
            lookups.finish(expected, true);
        }
        assert_eq!(lookups.slow_threads, 0);
    }

    #[test]
    fn slow_names_leave_a_thread_to_the_others() {
        let mut lookups =
            asked(&[("s1", true), ("s2", true), ("s3", true), ("s4", true), ("s5", true), ("a", false)]);
        let taken: Vec<_> = std::iter::from_fn(|| lookups.take()).map(|(name, _)| name).collect();
        assert_eq!(taken, ["a", "s1", "s2", "s3"]);
        lookups.finish("s2", true);
        assert_eq!(lookups.take(), Some(("s4".into(), true)));
        assert_eq!(lookups.take(), None);
    }
}
