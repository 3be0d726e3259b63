//! A listener: accepts connections, and owns them until they end.
//!
//! [`Accepting`] decides when to accept; the listener makes the calls.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};

use super::connection::Connection;
use super::layers::Stream;
use super::platform::{self, Acceptor, polled};
use super::{Owner, accepted_protocols};
use crate::endpoint::{AcceptStep, Accepting};
use crate::reactor::{Progress, Reactor, Ready, Source};
use crate::sync::{Mutex, lock, now, rank};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// A bound endpoint of tcp, ipc or ws.
pub(super) struct Listener {
    mapping: Mapping,
    /// Makes the stream of an accepted connection.
    wrap: fn(platform::Stream) -> Stream,
    context: Arc<dyn EndpointContext>,
    reactor: Arc<Reactor>,
    state: Mutex<State, rank::Listener>,
}

struct State {
    /// The acceptor and its registration; `None` once the endpoint is closed.
    listening: Option<(Acceptor, Token)>,
    connections: Vec<Arc<Connection>>,
    accepting: Accepting,
}

impl Listener {
    /// Registers the acceptor with the reactor, which accepts connections from now on. `wrap` makes the stream of each.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        acceptor: Acceptor,
        wrap: fn(platform::Stream) -> Stream,
        mapping: Mapping,
        context: Arc<dyn EndpointContext>,
        reactor: Arc<Reactor>,
    ) -> io::Result<Arc<Listener>> {
        let state = State { listening: None, connections: Vec::new(), accepting: Accepting::new() };
        let listener = Arc::new(Listener { mapping, wrap, context, reactor, state: Mutex::new(state) });
        {
            // The lock is held meanwhile, so that the first connection finds the acceptor.
            let mut state = lock(&listener.state);
            let token = listener.reactor.register(polled(&acceptor), Interest::READABLE, listener.clone())?;
            state.listening = Some((acceptor, token));
        }
        Ok(listener)
    }

    /// Accepts the next pending connection. Returns whether more may be pending.
    fn accept(self: &Arc<Self>) -> Progress {
        let (accepted, next) = {
            let state = &mut *lock(&self.state);
            let Some((acceptor, _)) = &state.listening else { return Progress::Done };
            match state.accepting.next(now()) {
                AcceptStep::Accept => {
                    let accepted = acceptor.accept();
                    let outcome = accepted.as_ref().map(|_| ()).map_err(io::Error::kind);
                    (Some(accepted), state.accepting.finished(outcome))
                }
                step => (None, step),
            }
        };
        match (accepted, next) {
            (Some(Ok(stream)), _) => self.take(stream),
            (Some(Err(error)), AcceptStep::Pause(_)) => {
                self.context.report(EndpointEvent::AcceptFailed(error.into()));
            }
            _ => {}
        }
        match next {
            AcceptStep::Accept => Progress::More,
            AcceptStep::Await => Progress::Done,
            AcceptStep::Pause(time) => {
                self.reactor.at(now() + time, self.clone());
                Progress::Done
            }
        }
    }

    fn take(self: &Arc<Self>, stream: platform::Stream) {
        // A peer that the socket would refuse is disconnected before the greeting tells it that it is connected.
        if !self.context.accepts_pipe() {
            return;
        }
        let (context, owner, reactor) = (self.context.clone(), self.clone(), self.reactor.clone());
        let protocols = accepted_protocols(&*self.context);
        let stream = (self.wrap)(stream);
        match Connection::start(stream, self.mapping.clone(), protocols, context, owner, reactor) {
            Ok(connection) => {
                self.context.report(EndpointEvent::Accepted);
                let is_open = {
                    let mut state = lock(&self.state);
                    state.connections.push(connection.clone());
                    state.listening.is_some()
                };
                // `close` has closed the connections that it found; this one came after it.
                if is_open {
                    connection.greet()
                } else {
                    connection.close(&Linger::begin(Some(Duration::ZERO)))
                }
            }
            Err(error) => self.context.report(EndpointEvent::AcceptFailed(error.into())),
        }
    }
}

impl Source for Listener {
    fn ready(self: Arc<Self>, _ready: Ready) -> Progress {
        self.accept()
    }

    fn timeout(self: Arc<Self>, _now: Duration) {
        let mut state = lock(&self.state);
        state.accepting.resume();
        if let Some((_, token)) = &state.listening {
            self.reactor.ready_again(*token, Ready::READ);
        }
    }

    fn lost(self: Arc<Self>) {
        let again = match &lock(&self.state).listening {
            Some((acceptor, token)) => {
                self.reactor.register_again(polled(acceptor), Interest::READABLE, *token)
            }
            None => Ok(()),
        };
        if let Err(error) = again {
            self.context.report(EndpointEvent::AcceptFailed(error.into()));
        }
    }
}

impl Owner for Listener {
    fn established(&self, _connection: &Arc<Connection>) {}

    fn ended(self: Arc<Self>, connection: &Arc<Connection>) {
        lock(&self.state).connections.retain(|other| !Arc::ptr_eq(other, connection));
    }
}

impl Endpoint for Listener {
    fn close(&self, linger: &Arc<Linger>) {
        let (listening, connections) = {
            let mut state = lock(&self.state);
            (state.listening.take(), state.connections.clone())
        };
        if let Some((acceptor, token)) = listening {
            self.reactor.deregister(polled(&acceptor), token);
            acceptor.stop();
        }
        for connection in connections {
            connection.close(linger);
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests;
