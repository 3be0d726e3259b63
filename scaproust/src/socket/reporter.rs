//! Serves the report of the process at the address in the environment variable `NN_MONITOR`.
//!
//! To the transport the reporter is a socket of its own, a REP, as a monitor is a PUB: it has no number, counts as no socket of
//! the program, and needs no thread. It begins when a socket is opened while the variable is set, and ends with the last
//! socket; both happen while the allocator of socket numbers is locked, so there is one at most.
//!
//! The I/O thread writes the report, in steps, while a viewer waits for it, and one report at a time. A viewer whose replies
//! wait gets no further one, and its requests stay in its lane, which has a bound.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::numbered::Numbered;
use super::report::Report;
use crate::error::Error;
use crate::message::{Chunk, INLINE_MAX, Metadata, Payload, ProtocolHeader};
use crate::pipe::{Consumer, Edges, End, Peer, Producer, SocketPipe};
use crate::protocol::{self, PipeRefused, ProtocolInfo, backtrace};
use crate::reactor::{self, Reactor, Source};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, PerProcess, lock, print, rank, trusted, try_lock};
use crate::transport::{self, Batching, Endpoint, EndpointContext, LaneLimits, Linger, PipeEnds, Settings};

/// The most viewers at once.
const MAX_VIEWERS: usize = 16;
/// The longest request in bytes, with its backtrace.
const MAX_REQUEST: usize = 1024;
/// The most words in the backtrace of a request: the default of `NN_MAXTTL`.
const MAX_HOPS: usize = 8;
/// A lane with this bound takes one message at a time.
const ONE_MESSAGE: usize = 1;
/// The permissions of the file: only the user of the process can connect.
const PERMISSIONS: u32 = 0o600;

/// Where the report is served in this process.
static REPORTING: PerProcess<Mutex<Reporting, rank::Reporting>> = PerProcess::new(Mutex::default);

/// The state of serving the report.
#[derive(Default)]
enum Reporting {
    /// It is not served.
    #[default]
    Off,
    /// This address could not be bound. It is not tried again before all sockets are closed.
    Failed(Vec<u8>),
    /// It is served.
    On(Arc<Reporter>, Arc<dyn Endpoint>),
}

/// A socket is opened, while the allocator of socket numbers is locked: begins to serve the report, if `NN_MONITOR` asks for
/// that. A failure is printed if `prints_errors`, and has no other effect.
///
/// To be called by a thread of the program: no other may read variables while it sets some.
pub(super) fn begin(prints_errors: bool) {
    let Some(value) = trusted(std::env::var_os("NN_MONITOR")) else { return };
    let address = with_process_id(value.as_encoded_bytes());
    match &*lock(REPORTING.get()) {
        Reporting::On(..) => return,
        Reporting::Failed(failed) if *failed == address => return,
        Reporting::Failed(_) | Reporting::Off => {}
    }
    let reporting = match Reporter::bind(&address) {
        Ok((reporter, endpoint)) => Reporting::On(reporter, endpoint),
        Err(error) => {
            if prints_errors {
                let error = format!("]: Error: {error}\n");
                print(&[b"nanomsg: NN_MONITOR[", &address[..], error.as_bytes()].concat());
            }
            Reporting::Failed(address)
        }
    };
    *lock(REPORTING.get()) = reporting;
}

/// The last socket is closed, and the allocator of socket numbers is locked: ends serving the report.
pub(super) fn end() {
    let reporting = std::mem::take(&mut *lock(REPORTING.get()));
    if let Reporting::On(reporter, endpoint) = reporting {
        endpoint.close(&Linger::begin(Some(Duration::ZERO)));
        reporter.batching.close();
        let state = std::mem::take(&mut *lock(&reporter.state));
        // Outside the lock.
        drop(state);
    }
}

/// The process exits, perhaps without having closed its sockets: removes the file. Waits for no lock.
pub(super) fn exit() {
    if let Some(reporting) = try_lock(REPORTING.get())
        && let Reporting::On(_, endpoint) = &*reporting
    {
        endpoint.remove_file();
    }
}

/// The address with the process id in the place of each `%p`.
fn with_process_id(value: &[u8]) -> Vec<u8> {
    let mut address = Vec::with_capacity(value.len() + 8);
    let mut rest = value;
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(b"%p") {
            address.extend(std::process::id().to_string().bytes());
            rest = after;
        } else {
            address.push(*first);
            rest = after;
        }
    }
    address
}

/// The replier.
struct Reporter {
    this: Weak<Reporter>,
    settings: Settings,
    batching: Arc<Batching>,
    reactor: Arc<Reactor>,
    /// The I/O thread will call [`Source::woken`].
    is_scheduled: AtomicBool,
    state: Mutex<State, rank::Reporter>,
}

#[derive(Default)]
struct State {
    viewers: Numbered<Viewer>,
    /// The report that is being written.
    job: Option<Job>,
}

/// A connection of a viewer.
struct Viewer {
    inbound: Consumer,
    outbound: Producer,
    peer: Arc<dyn Peer>,
}

/// A report for a viewer.
struct Job {
    /// The number of the viewer.
    viewer: u64,
    /// The backtrace of its request.
    header: ProtocolHeader,
    report: Report,
}

impl Reporter {
    /// Begins to serve at an address.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the address is not one of ipc; those of binding.
    fn bind(address: &[u8]) -> Result<(Arc<Reporter>, Arc<dyn Endpoint>), Error> {
        if !address.starts_with(b"ipc://") {
            return Err(Error::InvalidArgument);
        }
        let reactor = reactor::current()?;
        let reporter = Arc::new_cyclic(|this| Reporter {
            this: this.clone(),
            settings: Settings { ipc_permissions: PERMISSIONS, ..Settings::default() },
            batching: Arc::default(),
            reactor,
            is_scheduled: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let endpoint = transport::bind(address, reporter.clone())?;
        Ok((reporter, endpoint))
    }

    /// Has the I/O thread look for requests, or go on with a report.
    fn schedule(self: Arc<Self>) {
        if !self.is_scheduled.swap(true, Ordering::SeqCst) {
            self.reactor.wake(self.clone());
        }
    }

    /// Sends a report to the viewer that has asked for it, if it is still there.
    fn send(&self, job: Job) {
        let Job { viewer, header, report } = job;
        let text = report.finish();
        let bytes = text.as_bytes();
        let mut body = match bytes.len() {
            ..=INLINE_MAX => Payload::Borrowed(bytes),
            // As without memory for the report.
            _ => match Chunk::copy_of(bytes) {
                Some(chunk) => Payload::Owned(chunk),
                None => return,
            },
        };
        let mut edges = Edges::default();
        if let Some(viewer) = lock(&self.state).viewers.get_mut(viewer) {
            let pushed = viewer.outbound.batch().push(&header, &mut body, Metadata::default());
            if pushed.is_ok_and(|pushed| pushed.edge) {
                edges.add_readable(&viewer.peer, bytes.len());
            }
        }
        edges.deliver();
    }
}

impl State {
    /// The next report to write: the one that was begun, or one for a viewer that has asked and has room for the reply.
    fn next_job(&mut self, edges: &mut Edges) -> Option<Job> {
        let mut asked = || {
            self.viewers.iter_mut().find_map(|(number, viewer)| {
                viewer.request(edges).map(|header| Job { viewer: number, header, report: Report::begin() })
            })
        };
        let job = self.job.take().or_else(&mut asked);
        // The next one is another viewer's, if one waits.
        self.viewers.rotate();
        job
    }
}

impl Viewer {
    /// Takes the viewer's next request, if there is room for the reply, and returns its backtrace. Drops messages that are no
    /// requests.
    fn request(&mut self, edges: &mut Edges) -> Option<ProtocolHeader> {
        if !self.outbound.has_room() {
            return None;
        }
        while let Some(front) = self.inbound.front() {
            let header = backtrace(front, MAX_HOPS);
            if self.inbound.pop() {
                edges.add_writable(&self.peer);
            }
            if header.is_some() {
                return header;
            }
        }
        None
    }
}

impl Source for Reporter {
    /// Does one step of a report. It comes again until there is nothing to do.
    fn woken(self: Arc<Self>) {
        self.is_scheduled.store(false, Ordering::SeqCst);
        let mut edges = Edges::default();
        let job = lock(&self.state).next_job(&mut edges);
        edges.deliver();
        let Some(mut job) = job else { return };
        match job.report.proceed() {
            Ok(true) => self.send(job),
            Ok(false) => lock(&self.state).job = Some(job),
            // There is no reply, and the viewer asks again.
            Err(_) => {}
        }
        self.schedule();
    }
}

/// The reporter's end of the pipe to a viewer.
struct ViewerPipe {
    reporter: Arc<Reporter>,
    number: u64,
}

impl Peer for ViewerPipe {
    /// A request has come.
    fn readable(self: Arc<Self>, _size: usize) {
        self.reporter.clone().schedule();
    }

    /// A reply was taken: the next request may have a reply.
    fn writable(self: Arc<Self>) {
        self.reporter.clone().schedule();
    }
}

impl SocketPipe for ViewerPipe {
    fn close(self: Arc<Self>, _end: End) {
        let closed = lock(&self.reporter.state).viewers.remove(self.number);
        // Outside the lock.
        drop(closed);
    }
}

impl EndpointContext for Reporter {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn protocol(&self) -> &'static ProtocolInfo {
        &protocol::REP
    }

    fn accepts_pipe(&self) -> bool {
        lock(&self.state).viewers.len() < MAX_VIEWERS
    }

    fn lane_limits(&self) -> LaneLimits {
        LaneLimits { receive: ONE_MESSAGE, send: ONE_MESSAGE, receive_is_set: true }
    }

    fn batching(&self) -> &Arc<Batching> {
        &self.batching
    }

    fn max_message(&self) -> Option<usize> {
        Some(MAX_REQUEST)
    }

    fn attach(&self, ends: PipeEnds) -> Result<Arc<dyn SocketPipe>, PipeRefused> {
        let PipeEnds { inbound, outbound, peer, .. } = ends;
        let reporter = self.this.upgrade().ok_or(PipeRefused)?;
        let mut state = lock(&self.state);
        if state.viewers.len() >= MAX_VIEWERS {
            return Err(PipeRefused);
        }
        let added = state.viewers.add(Viewer { inbound, outbound, peer });
        drop(state);
        let number = added.map_err(|_| PipeRefused)?;
        Ok(Arc::new(ViewerPipe { reporter, number }))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_process_id_takes_the_place_of_each_mark() {
        let id = std::process::id();
        for (value, address) in [
            ("ipc:///tmp/x", "ipc:///tmp/x".to_owned()),
            ("ipc:///run/%p/nn-%p%", format!("ipc:///run/{id}/nn-{id}%")),
            ("%%p", format!("%{id}")),
        ] {
            assert_eq!(with_process_id(value.as_bytes()), address.as_bytes());
        }
    }
}
