//! Calls that wait until an endpoint has a connection: `connect` with `NN_CONNECT_TIMEO`, and [`wait_connected`].

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::blocking::{BlockingCall, finish_and_wake};
use super::core::Core;
use super::direct_read::DirectReads;
use super::endpoint_connections::EndpointConnections;
use super::pending::{Attempt, CallOutput, Entered, Pending, Try};
use super::registry::{Call, SocketRef, enter};
use super::task_call::TaskAttempt;
use super::view::Delay;
use super::wait_policy::{Wait, WaitPolicy};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::sync::{Epoch, Event};

/// Connects the socket with this number to an address. Returns the endpoint's id. A call that fails adds no endpoint.
///
/// # Errors
/// As `nn_connect` documents them: those of the address; and those of a wait: [`Error::TimedOut`],
/// [`Error::Interrupted`], [`Error::Closed`].
pub fn connect(id: i32, address: &[u8]) -> Result<i32, Error> {
    connect_with(enter(id)?, address, BlockingCall::finish)
}

/// As [`connect`], for a call that has entered. A signal ends it only if it `ends_by_signals`.
///
/// # Errors
/// As [`connect`].
pub(crate) fn connect_in(call: Call, address: &[u8], ends_by_signals: bool) -> Result<i32, Error> {
    connect_with(call, address, |pending| finish_and_wake(pending, ends_by_signals))
}

/// `finish` waits.
fn connect_with(
    call: Call,
    address: &[u8],
    finish: impl FnOnce(Pending<Connecting>) -> Result<(), Error>,
) -> Result<i32, Error> {
    if call.core.lock().options.int(SocketOption::ConnectTimeout) == 0 {
        return call.connect(address);
    }
    let epoch = call.connects.epoch();
    let (id, endpoint) = call.begin_connect(address)?;
    let connecting = Connecting::of(&call, id, false)?;
    let socket = SocketRef::of(&call);
    let outcome = connecting.begin(call, epoch, Wait::Option).and_then(finish);
    if outcome.is_ok() {
        endpoint.keep();
    } else if let Ok(call) = socket.enter() {
        // Fails if another thread was first, or closes the socket.
        let _ = call.shutdown(id);
    }
    outcome.map(|()| id)
}

/// Waits until an endpoint has a connection. A signal ends the call only if it `ends_by_signals`.
///
/// # Errors
/// [`Error::TimedOut`], [`Error::Interrupted`], [`Error::Closed`]; [`Error::InvalidArgument`] if there is no such
/// endpoint any more.
pub(crate) fn wait_connected(
    call: Call,
    endpoint: i32,
    wait: Wait,
    ends_by_signals: bool,
) -> Result<(), Error> {
    let epoch = call.connects.epoch();
    let connecting = Connecting::of(&call, endpoint, true)?;
    if connecting.is_done() {
        return Ok(());
    }
    finish_and_wake(connecting.begin(call, epoch, wait)?, ends_by_signals)
}

/// A call that waits for a connection of an endpoint.
pub(crate) struct Connecting {
    endpoint: i32,
    connections: Arc<EndpointConnections>,
    /// One that has ended meanwhile does not do.
    must_be_open: bool,
}

impl Connecting {
    /// A call of a thread, or of a task. If the connection `must_be_open`, one that has ended meanwhile does not do.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such endpoint: another thread has shut it down.
    pub(crate) fn of(call: &Call, endpoint: i32, must_be_open: bool) -> Result<Connecting, Error> {
        let connections = call.core.lock().endpoints.open.get(&endpoint).map(|open| open.connections.clone());
        Ok(Connecting { endpoint, connections: connections.ok_or(Error::InvalidArgument)?, must_be_open })
    }

    /// Whether the call need not wait any longer.
    fn is_done(&self) -> bool {
        if self.must_be_open { self.connections.is_any_open() } else { self.connections.were_any() }
    }

    /// One try.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::InvalidArgument`] if there is no such endpoint any more.
    fn check(&self, core: &Core) -> Result<Try<()>, Error> {
        if core.is_closing {
            Err(Error::Closed)
        } else if self.is_done() {
            Ok(Try::Done((), Delay::None))
        } else if core.endpoints.open.contains_key(&self.endpoint) {
            Ok(Try::Blocked)
        } else {
            // Another thread has shut it down.
            Err(Error::InvalidArgument)
        }
    }

    /// The call, which waits as `wait` says. `epoch` is older than its first check.
    ///
    /// # Errors
    /// [`Error::WouldBlock`]: the call does not wait.
    fn begin(self, call: Call, epoch: Epoch, wait: Wait) -> Result<Pending<Connecting>, Error> {
        let mut policy = WaitPolicy::new(wait, SocketOption::ConnectTimeout);
        policy.after_failed_try(false, &call.core.lock(), false)?;
        let entered = Entered::after(call, epoch, policy, Some(DirectReads::default()), Edges::default());
        Ok(Pending::new(entered, self))
    }
}

impl CallOutput for Connecting {
    type Output = ();
}

impl Attempt for Connecting {
    const WAITS_FOR_ROOM: bool = false;

    fn event(socket: &Socket, _is_context: bool) -> &Event {
        &socket.connects
    }

    fn after_failed_try(
        &self,
        policy: &mut WaitPolicy,
        hit_drop_limit: bool,
        core: &Core,
    ) -> Result<(), Error> {
        policy.after_failed_try(hit_drop_limit, core, false)
    }

    fn attempt(
        &mut self,
        _socket: &Socket,
        _event: &Event,
        core: &mut Core,
        _slept: Option<Duration>,
        _edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        self.check(core)
    }
}

impl TaskAttempt for Connecting {
    const TIMEOUT: SocketOption = SocketOption::ConnectTimeout;
    const RECEIVES: bool = false;
    const SENDS: bool = false;

    fn event(socket: &Socket, _is_context: bool) -> &Event {
        &socket.connects
    }

    fn attempt(
        &mut self,
        _socket: &Socket,
        _event: &Event,
        core: &mut Core,
        _edges: &mut Edges,
    ) -> Result<Try<()>, Error> {
        self.check(core)
    }
}
