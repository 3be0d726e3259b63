//! The order in which a thread may take the locks of this crate, and its check.
//!
//! A thread that holds a lock waits only for locks further down in the list below, so threads cannot wait for each
//! other in a circle. The rank is a type parameter of the lock and is named where the lock is declared:
//! `reader: Mutex<Reader, rank::Reader>`. The list names the locks of all rooms; it knows nothing else of them.
//!
//! A build with debug assertions checks the order whenever a thread takes a lock, also if the lock is free, so that a
//! test finds a wrong order without meeting the deadlock. A thread-local set has the ranks that the thread holds. A
//! violation prints both ranks and a backtrace, and aborts the process: a panic would be contained by the I/O thread
//! or the C interface, and the test would pass. In a release build a rank has no size and no code.
//!
//! A `try_lock` does not wait and may violate the order. If it succeeds, later waits are checked against its rank too.
//! The pool of message memory (`message/pool.rs`) has no rank: its lock is only tried.

use std::backtrace::Backtrace;
#[cfg(not(simulated))]
use std::cell::Cell;
use std::marker::PhantomData;

use super::print;

/// Whether the order is checked. Not under loom, which finds deadlocks itself.
const IS_CHECKED: bool = cfg!(all(debug_assertions, not(loom)));

#[cfg(not(simulated))]
thread_local! {
    /// The ranks that the thread holds, one bit each. It has no destructor, so it exists until the thread ends.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// Declares the ranks, in their order.
macro_rules! ranks {
    ($($(#[doc = $guarded:literal])+ $(#[cfg($condition:meta)])? $rank:ident,)+) => {
        /// The ranks as numbers.
        #[derive(Clone, Copy)]
        #[repr(u8)]
        pub(crate) enum Position {
            $($(#[cfg($condition)])? $rank,)+
        }

        const NAMES: &[&str] = &[$($(#[cfg($condition)])? stringify!($rank),)+];

        $(
            $(#[doc = $guarded])+
            $(#[cfg($condition)])?
            #[derive(Debug)]
            pub(crate) enum $rank {}

            $(#[cfg($condition)])?
            impl Rank for $rank {
                const POSITION: Position = Position::$rank;
            }
        )+
    };
}

// From the lock that is taken first to the lock that is taken last. Each comment says what the lock guards.
ranks! {
    /// The outcome of closing a socket in a task of the Rust interface.
    Closing,
    /// The sockets that are to be closed in the background.
    BackgroundClosing,
    /// The idle conversations of a REQ or SURVEYOR socket of the Rust interface.
    Conversations,
    /// The allocator of socket numbers. Held while the reactor is stopped after the last socket.
    SocketNumbers,
    /// The sockets of a context. Held while its reactors are stopped after the last of them.
    ContextSockets,
    /// The contexts of the process, for its end.
    Contexts,
    /// What the I/O thread polls. That thread holds it except while it waits for an announced stop.
    Poll,
    /// The links of an inproc endpoint.
    InprocLinks,
    /// The links of a bound inproc endpoint, taken after those of a connected one to join the two.
    BoundInprocLinks,
    /// Telling receivers within the process of messages. Held until they are told, so that another thread that is to tell them
    /// does not go on before.
    Telling,
    /// Not a lock: the delivery of edges, which calls other sockets and connections. A thread that delivers must hold
    /// none of the locks below.
    Delivery,
    /// The state of a dialer.
    Dialer,
    /// The state of a listener, with its connections.
    Listener,
    /// The inbound direction of a connection.
    Reader,
    /// The buffer into which the I/O thread reads.
    Scratch,
    /// The state of an endpoint, for statistics and error messages.
    Endpoint,
    /// A socket: its protocol, pipes, options and endpoints. This is the rank of every `EntryLock`.
    Socket,
    /// The subscribers of a socket's monitor.
    Monitor,
    /// The viewers that ask for the report of the process.
    Reporter,
    /// The outbound direction of a connection.
    Writer,
    /// Changes of a connection's read lease.
    ReadLease,
    /// The connections of one socket for which messages gather.
    Gathering,
    /// The sockets of the process for which messages gather.
    GatheringSockets,
    /// A connection's registration with the poller.
    Registration,
    /// The timers of a connection.
    ConnectionTimers,
    /// The names of inproc, and their endpoints.
    InprocRegistry,
    /// The transports that the program has added.
    #[cfg(all(unix, not(simulated)))]
    Transports,
    /// Where the process serves its report. Changed while the allocator of socket numbers is locked.
    Reporting,
    /// The look-ups of host names.
    Lookups,
    /// The reactor of the process, and its thread.
    CurrentReactor,
    /// The next job of that thread.
    Worker,
    /// The sources of the reactor.
    Sources,
    /// The timers of the reactor.
    Timers,
    /// The mailbox of the reactor.
    Mailbox,
    /// The wakers that the I/O thread will call.
    Wakers,
    /// The poller, as threads that do not poll use it.
    Poller,
    /// The TLS handshakes of the process that wait.
    #[cfg(feature = "tls")]
    Handshakes,
    /// The configuration of an endpoint of tls+tcp or wss.
    #[cfg(feature = "tls")]
    TlsConfig,
    /// What a stream's layer has not written yet.
    #[cfg(feature = "tls")]
    StreamOutput,
    /// The layer of a connection's stream.
    #[cfg(any(feature = "tls", all(test, not(loom)), all(target_os = "linux", not(any(loom, portable, simulated)))))]
    StreamLayer,
    /// A listening socket or pipe on Windows.
    #[cfg(windows)]
    Acceptor,
    /// The stream of a connection on Windows.
    #[cfg(windows)]
    Stream,
    /// The last write to a named pipe.
    #[cfg(windows)]
    PipeWrite,
    /// The names of the named pipes at which this process listens.
    #[cfg(windows)]
    PipeNames,
    /// The entries that a polling call must check.
    Notified,
    /// The tail of a lane.
    Lane,
    /// The threads and tasks that wait on an event.
    Waiters,
    /// The waker of a task that has a deadline.
    Alarm,
    /// Whether a notifier on Windows is readable.
    #[cfg(windows)]
    NotifierDescriptor,
    /// The threads that sleep on a futex, where the system has none.
    #[cfg(all(unix, not(simulated), any(not(target_os = "linux"), portable)))]
    Futex,
}

/// A position in the order.
pub(crate) trait Rank: Sized {
    /// That position.
    const POSITION: Position;

    /// Checks that the thread may wait for a lock of this rank now.
    #[inline]
    fn check() {
        if IS_CHECKED && held() >= Self::BIT {
            violated(held(), Self::POSITION);
        }
    }

    /// Checks that the thread may wait for a lock of this rank, and notes that it acquires it.
    #[inline]
    fn acquire() -> Held<Self> {
        Self::check();
        Self::note_acquired()
    }

    /// Notes that the thread has acquired a lock of this rank without waiting for it.
    #[inline]
    fn note_acquired() -> Held<Self> {
        change(|held| held | Self::BIT);
        Held(PhantomData)
    }

    /// Notes that the thread has released a lock of this rank, whose [`Held`] was forgotten.
    #[inline]
    fn note_released() {
        change(|held| held & !Self::BIT);
    }

    /// The rank in the set of the thread.
    const BIT: u64 = 1 << Self::POSITION as u8;
}

/// The thread holds a lock of this rank; dropping this removes the rank from the thread's set.
pub(crate) struct Held<R: Rank>(PhantomData<R>);

impl<R: Rank> Drop for Held<R> {
    #[inline]
    fn drop(&mut self) {
        R::note_released();
    }
}

/// Empties the thread's set. For the only thread of a forked child, whose locks are new, and for a thread that runs exit
/// handlers: these may run in a signal handler that interrupts the holder of a lock, and only try such locks.
pub(super) fn forget() {
    change(|_| 0);
}

#[cfg(simulated)]
fn held() -> u64 {
    crate::machine::exchange_ranks(|held| held)
}

#[cfg(simulated)]
fn change(change: impl FnOnce(u64) -> u64) {
    crate::machine::exchange_ranks(change);
}

#[cfg(not(simulated))]
fn held() -> u64 {
    HELD.try_with(Cell::get).unwrap_or(0)
}

#[cfg(not(simulated))]
#[inline]
fn change(change: impl FnOnce(u64) -> u64) {
    if IS_CHECKED {
        _ = HELD.try_with(|held| held.set(change(held.get())));
    }
}

#[cold]
fn violated(held: u64, wanted: Position) -> ! {
    let (last, wanted) = (NAMES[held.ilog2() as usize], NAMES[wanted as usize]);
    let trace = Backtrace::force_capture();
    print(format!("scaproust: {wanted} is locked while {last} is held\n{trace}\n").as_bytes());
    std::process::abort()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::{Condvar, Mutex, contained, lock, try_lock, wait_timeout};
    use std::process::Command;
    use std::time::Duration;

    /// The argument of a process that must violate the order. The test runner takes it for the name of a second test.
    const VIOLATES: &str = "violates";

    #[test]
    fn locks_in_order_are_released_in_any_order() {
        let (first, last) = (Mutex::<(), Reader>::default(), Mutex::<(), Writer>::default());
        let (first, last) = (lock(&first), lock(&last));
        assert_eq!(held(), Reader::BIT | Writer::BIT);
        drop(first);
        assert_eq!(held(), Writer::BIT);
        let (last, _) = wait_timeout(&Condvar::new(), last, Duration::ZERO);
        assert_eq!(held(), Writer::BIT);
        drop(last);
        assert_eq!(held(), 0);
    }

    #[test]
    fn a_try_lock_may_violate_the_order_and_counts_if_it_succeeds() {
        let (first, last) = (Mutex::<(), Reader>::default(), Mutex::<(), Writer>::default());
        let last = lock(&last);
        let tried = try_lock(&first);
        assert_eq!(held(), Reader::BIT | Writer::BIT);
        assert!(try_lock(&first).is_none());
        drop(last);
        assert_eq!(held(), Reader::BIT);
        drop(tried);
        assert_eq!(held(), 0);
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_violation_ends_the_process_although_panics_are_contained() {
        if std::env::args().any(|argument| argument == VIOLATES) {
            let (first, last) = (Mutex::<(), Reader>::default(), Mutex::<(), Writer>::default());
            let _last = lock(&last);
            contained(|| drop(lock(&first)));
            return;
        }
        let name = "sync::rank::tests::a_violation_ends_the_process_although_panics_are_contained";
        let this = std::env::current_exe().unwrap();
        let output = Command::new(this).args(["--exact", name, VIOLATES]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it went on: {stderr}");
        assert!(stderr.contains("Reader is locked while Writer is held"), "{stderr}");
    }
}
