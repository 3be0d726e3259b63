//! Asking a process for its report.

use std::fmt;
use std::time::Duration;

use scaproust::{Error, EventKind, Events, Message, Reason, Req, SocketEvent};

use super::escape::shown;
use super::failure::Failure;

/// The time between two attempts to connect.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);

/// The longest report that is taken, in bytes: that of a million connections.
const LONGEST_REPORT: usize = 1 << 30;

/// A connection to the report of a process. It is made again when it is lost.
pub(crate) struct Viewer {
    socket: Req,
    /// What happens to the connection.
    events: Events,
    state: State,
    address: String,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing is known yet.
    Begun,
    /// The last attempt has failed.
    Failed(Error),
    /// The process does not take the connection, or ends it.
    Refused,
    /// What serves there has another protocol.
    Stranger,
    /// There is a connection.
    Connected,
}

impl State {
    /// The state after an event.
    fn after(self, event: &SocketEvent) -> State {
        match (event.kind, event.reason, event.error) {
            (EventKind::Connected, ..) => State::Connected,
            (EventKind::Refused, Some(Reason::Mismatch), _) => State::Stranger,
            (EventKind::Refused | EventKind::HandshakeFailed | EventKind::Disconnected, ..) => State::Refused,
            (EventKind::Retry, _, Some(error)) => State::Failed(error),
            _ => self,
        }
    }
}

impl fmt::Display for State {
    /// Why there is no report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Begun => Error::TimedOut.fmt(f),
            State::Failed(error) => error.fmt(f),
            State::Refused => f.write_str("the connection is refused or lost"),
            State::Stranger => f.write_str("what serves there has another protocol"),
            State::Connected => f.write_str("the process does not answer"),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// None has come in time.
    Late(State),
    /// It could not be asked.
    Failed(Error),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Silence::Late(state) => state.fmt(f),
            Silence::Failed(error) => error.fmt(f),
        }
    }
}

impl Viewer {
    /// Begins to connect to `address`.
    ///
    /// # Errors
    /// A failure if it is no address.
    pub(crate) fn connect(address: &str) -> Result<Viewer, Failure> {
        let connect = || -> Result<Viewer, Error> {
            let socket = Req::new()?;
            socket.set_reconnect_interval(RECONNECT_INTERVAL)?;
            socket.set_max_message_size(Some(LONGEST_REPORT))?;
            let events = socket.events()?;
            socket.connect(address)?;
            Ok(Viewer { socket, events, state: State::Begun, address: address.to_owned() })
        };
        let address: String = shown(address).collect();
        connect().map_err(Failure::socket(&format!("Can't connect to {address}")))
    }

    /// The address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a report, and waits for it for at most this time.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn ask(&mut self, timeout: Duration) -> Result<Message, Silence> {
        let answer = self.socket.request("").and_then(|pending| pending.timeout(timeout).wait());
        while let Some(event) = self.events.try_next() {
            self.state = self.state.after(&event);
        }
        answer.map_err(|error| match error {
            Error::TimedOut => Silence::Late(self.state),
            error => Silence::Failed(error),
        })
    }
}
