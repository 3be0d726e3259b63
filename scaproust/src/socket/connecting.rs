//! `connect` as a call that may block: with `NN_CONNECT_TIMEO` it waits until the endpoint has a pipe.

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::blocking::{BlockingCall, finish_and_wake};
use super::core::Core;
use super::direct_read::DirectReads;
use super::pending::{Attempt, CallOutput, Entered, Pending, Try};
use super::pipes::Delay;
use super::registry::{Call, SocketRef, enter};
use super::wait_policy::{Wait, WaitPolicy};
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::sync::Event;
use crate::sync::atomic::{AtomicBool, Ordering};

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
    let has_pipe = Arc::new(AtomicBool::new(false));
    let endpoint = call.connect_watched(address, has_pipe.clone())?;
    let mut policy = WaitPolicy::new(Wait::Option, SocketOption::ConnectTimeout);
    policy.after_failed_try(false, &call.core.lock(), false)?;
    let socket = SocketRef::of(&call);
    let entered = Entered::after(call, epoch, policy, Some(DirectReads::default()), Edges::default());
    let outcome = finish(Pending::new(entered, Connecting { endpoint, has_pipe }));
    if outcome.is_err()
        && let Ok(call) = socket.enter()
    {
        // Fails if another thread was first, or closes the socket.
        let _ = call.shutdown(endpoint);
    }
    outcome.map(|()| endpoint)
}

/// A call that waits for the first pipe of an endpoint.
struct Connecting {
    endpoint: i32,
    has_pipe: Arc<AtomicBool>,
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
        if core.is_closing {
            Err(Error::Closed)
        } else if self.has_pipe.load(Ordering::Acquire) {
            Ok(Try::Done((), Delay::None))
        } else if core.endpoints.open.contains_key(&self.endpoint) {
            Ok(Try::Blocked)
        } else {
            // Another thread has shut it down.
            Err(Error::InvalidArgument)
        }
    }
}
