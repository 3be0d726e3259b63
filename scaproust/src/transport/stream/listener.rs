//! A listener: it accepts connections and keeps them until they end.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mio::{Interest, Token};

use super::Owner;
use super::connection::Connection;
use super::platform::{Acceptor, Stream, polled};
use crate::endpoint::Rate;
use crate::reactor::{Progress, Reactor, Ready, Source};
use crate::sync::{Mutex, lock, now};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// How long to leave a connection waiting that could not be accepted, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause when more connect than is accepted in a given time.
const SHORT_PAUSE: Duration = Duration::from_micros(250);

/// A bound endpoint of tcp, ipc or ws.
pub(super) struct Listener {
    mapping: Mapping,
    host: Arc<dyn EndpointContext>,
    reactor: Arc<Reactor>,
    token: OnceLock<Token>,
    state: Mutex<State>,
}

struct State {
    /// `None` once the endpoint is closed.
    listening: Option<Arc<Acceptor>>,
    connections: Vec<Arc<Connection>>,
    rate: Rate,
    /// Connections may be waiting that were not accepted: they are tried again after a pause.
    is_pausing: bool,
}

impl Listener {
    /// Accepts connections from now on.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        acceptor: Acceptor,
        mapping: Mapping,
        host: Arc<dyn EndpointContext>,
    ) -> io::Result<Arc<Listener>> {
        let reactor = crate::reactor::current()?;
        let acceptor = Arc::new(acceptor);
        let state = State {
            listening: Some(acceptor.clone()),
            connections: Vec::new(),
            rate: Rate::new(),
            is_pausing: false,
        };
        let listener =
            Arc::new(Listener { mapping, host, reactor, token: OnceLock::new(), state: Mutex::new(state) });
        let token = listener.reactor.register(polled(&*acceptor), Interest::READABLE, listener.clone())?;
        // Set once, here; the endpoint cannot be closed before it is returned.
        let _ = listener.token.set(token);
        Ok(listener)
    }

    /// Accepts the next connection, if there is one; then there may be more.
    fn accept(self: &Arc<Self>) -> Progress {
        let accepted = {
            let state = &mut *lock(&self.state);
            let Some(acceptor) = state.listening.as_ref().filter(|_| !state.is_pausing) else {
                return Progress::Done;
            };
            if !state.rate.allows(now()) {
                self.pause(state, SHORT_PAUSE);
                return Progress::Done;
            }
            let accepted = acceptor.accept();
            if accepted.is_ok() {
                state.rate.count();
            }
            accepted
        };
        match accepted {
            Ok(stream) => self.take(stream),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Progress::Done,
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                _ => {
                    self.host.report(EndpointEvent::AcceptFailed(error.into()));
                    self.pause(&mut lock(&self.state), PAUSE);
                    return Progress::Done;
                }
            },
        }
        Progress::More
    }

    /// Readiness is not reported again for what is waiting already: a timer stands in.
    fn pause(self: &Arc<Self>, state: &mut State, time: Duration) {
        state.is_pausing = true;
        self.reactor.at(now() + time, self.clone());
    }

    fn take(self: &Arc<Self>, stream: Stream) {
        // A peer that will be refused is turned away before it believes that it is connected.
        if !self.host.has_place() {
            return;
        }
        let (host, owner, reactor) = (self.host.clone(), self.clone(), self.reactor.clone());
        match Connection::start(stream, self.mapping.clone(), host, owner, reactor) {
            Ok(connection) => {
                self.host.report(EndpointEvent::Accepted);
                let is_open = {
                    let mut state = lock(&self.state);
                    state.connections.push(connection.clone());
                    state.listening.is_some()
                };
                // A listener that was closed meanwhile has not closed this one.
                if is_open {
                    connection.greet()
                } else {
                    connection.close(&Linger::begin(Some(Duration::ZERO)))
                }
            }
            Err(error) => self.host.report(EndpointEvent::AcceptFailed(error.into())),
        }
    }
}

impl Source for Listener {
    fn ready(self: Arc<Self>, _ready: Ready) -> Progress {
        self.accept()
    }

    fn timeout(self: Arc<Self>, _now: Duration) {
        lock(&self.state).is_pausing = false;
        if let Some(token) = self.token.get() {
            self.reactor.ready_again(*token, Ready::READ);
        }
    }

    fn lost(self: Arc<Self>) {
        let listening = lock(&self.state).listening.clone();
        if let (Some(acceptor), Some(token)) = (listening, self.token.get())
            && let Err(error) = self.reactor.register_again(polled(&*acceptor), Interest::READABLE, *token)
        {
            self.host.report(EndpointEvent::AcceptFailed(error.into()));
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
        if let (Some(acceptor), Some(token)) = (&listening, self.token.get()) {
            self.reactor.deregister(polled(&**acceptor), *token);
            acceptor.stop();
        }
        drop(listening);
        for connection in connections {
            connection.close(linger);
        }
    }
}
