//! A listener: accepts connections, and owns them until they end.
//!
//! [`Accepting`] decides when to accept, and [`Places`] how many TLS handshakes there are at once; the listener makes the calls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};

use super::carrier::{AnyAcceptor, Carrier};
use super::connection::Connection;
use super::kind::StreamKind;
use super::layers::Link;
use super::platform::{self, polled};
#[cfg(feature = "tls")]
use super::reload;
use super::{Owner, accepted_protocols};
use crate::address::{self, Site};
use crate::endpoint::{AcceptStep, Accepting, Place, Places, Rate};
#[cfg(feature = "tls")]
use crate::error::Error;
use crate::pipe::End;
use crate::reactor::{Progress, Reactor, Ready, Source, TimerId};
use crate::sync::{Mutex, lock, now, rank, try_lock};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// What the system has chosen where the address of a listener left it open.
pub(super) enum Chosen {
    /// A port.
    Port(u16),
    /// The whole address.
    Address(Vec<u8>),
}

/// A bound endpoint of tcp, ipc or ws, or of tls+tcp or wss.
pub(super) struct Listener {
    chosen: Option<Chosen>,
    mapping: Mapping,
    kind: StreamKind,
    context: Arc<dyn EndpointContext>,
    reactor: Arc<Reactor>,
    state: Mutex<State, rank::Listener>,
}

struct State {
    /// The acceptor and its registration; `None` once the endpoint is closed.
    listening: Option<(AnyAcceptor, Token)>,
    connections: Vec<Arc<Connection>>,
    accepting: Accepting,
    /// The connections that are in a TLS handshake.
    handshakes: Places<Arc<Connection>>,
    /// A connection that was accepted, and waits for a place among them.
    waiting: Option<Carrier>,
    /// No connection is accepted before a place for its handshake may be free.
    awaits_place: bool,
    /// The timer for that. It may be left of an earlier wait.
    timer: Option<TimerId>,
}

impl Listener {
    /// Registers the acceptor with the reactor, which accepts connections from now on.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn start(
        acceptor: impl Into<AnyAcceptor>,
        chosen: Option<Chosen>,
        kind: StreamKind,
        mapping: Mapping,
        context: Arc<dyn EndpointContext>,
        reactor: Arc<Reactor>,
    ) -> io::Result<Arc<Listener>> {
        let rate = if kind.link() == Link::Local { Rate::local() } else { Rate::network() };
        let state = State {
            listening: None,
            connections: Vec::new(),
            accepting: Accepting::new(rate),
            handshakes: Places::new(),
            waiting: None,
            awaits_place: false,
            timer: None,
        };
        let listener = Listener { chosen, mapping, kind, context, reactor, state: Mutex::new(state) };
        let listener = Arc::new(listener);
        let acceptor = acceptor.into();
        // Before the first connection.
        listener.context.bound(&*listener);
        {
            // The lock is held meanwhile, so that the first connection finds the acceptor.
            let mut state = lock(&listener.state);
            let token =
                listener.reactor.register(polled(acceptor.raw()), Interest::READABLE, listener.clone())?;
            state.listening = Some((acceptor, token));
        }
        Ok(listener)
    }

    /// Accepts the next pending connection. Returns whether more may be pending.
    fn accept(self: &Arc<Self>) -> Progress {
        let (accepted, next) = {
            let state = &mut *lock(&self.state);
            let Some((acceptor, _)) = &state.listening else { return Progress::Done };
            if state.awaits_place {
                return Progress::Done;
            }
            if let Some(waiting) = state.waiting.take() {
                (Some(Ok(waiting)), AcceptStep::Accept)
            } else {
                match state.accepting.next(now()) {
                    AcceptStep::Accept => {
                        let accepted = acceptor.accept();
                        let outcome = accepted.as_ref().map(|_| ()).map_err(io::Error::kind);
                        (Some(accepted), state.accepting.finished(outcome))
                    }
                    step => (None, step),
                }
            }
        };
        let is_done = match accepted {
            Some(Ok(carrier)) => self.admit(carrier),
            Some(Err(error)) if matches!(next, AcceptStep::Pause(_)) => {
                self.context.report(EndpointEvent::AcceptFailed(error.into()));
                true
            }
            _ => true,
        };
        match next {
            AcceptStep::Accept if is_done => Progress::More,
            AcceptStep::Accept | AcceptStep::Await => Progress::Done,
            AcceptStep::Pause(time) => {
                self.reactor.at(now() + time, self.clone());
                Progress::Done
            }
        }
    }

    /// Takes a connection that was accepted, or refuses it. Returns whether that is done: not so if it waits for a place for
    /// its handshake.
    fn admit(self: &Arc<Self>, carrier: Carrier) -> bool {
        let remote = |carrier: &Carrier| self.kind.link().network_addresses(carrier.raw()).0;
        if let Some(end) = self.refusal(carrier.raw()) {
            self.report_refused(remote(&carrier), end);
            return true;
        }
        if !self.kind.is_secure() {
            self.take(carrier, None);
            return true;
        }
        let remote = remote(&carrier);
        let site = Site::of(remote.map(|address| address.ip()));
        let mut state = lock(&self.state);
        let mut place = state.handshakes.look(site, now());
        if let Place::Of(connection) = place {
            drop(state);
            connection.give_up_handshake();
            state = lock(&self.state);
            place = state.handshakes.look_again();
        }
        if let Place::At(moment) = place {
            // The lock is held since the look: a handshake that ends now sees the waiting carrier.
            if state.listening.is_some() {
                state.waiting = Some(carrier);
                self.await_place(&mut state, moment);
            }
            return false;
        }
        drop(state);
        match place {
            Place::Never => self.report_refused(remote, End::BUSY),
            // Only this thread takes places, so it is still free.
            _ => self.take(carrier, Some(site)),
        }
        true
    }

    fn report_refused(&self, remote: Option<SocketAddr>, end: End) {
        self.context.report(EndpointEvent::Unopened { remote, protocol: 0, end });
    }

    /// Makes a connection. One with TLS has a place for its handshake, as a peer of `site`.
    fn take(self: &Arc<Self>, carrier: Carrier, site: Option<Site>) {
        let stream = match self.kind.stream(carrier) {
            Ok(stream) => stream,
            Err(error) => return self.context.report(EndpointEvent::AcceptFailed(error.into())),
        };
        let (context, owner, reactor) = (self.context.clone(), self.clone(), self.reactor.clone());
        let protocols = accepted_protocols(&*self.context, &self.kind);
        match Connection::start(stream, self.mapping.clone(), protocols, context, owner, reactor) {
            Ok(connection) => {
                if site.is_none() {
                    self.context.report(EndpointEvent::Accepted);
                }
                let is_open = {
                    let mut state = lock(&self.state);
                    state.connections.push(connection.clone());
                    if let Some(site) = site {
                        state.handshakes.take(connection.clone(), site, now());
                    }
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

    /// Why a peer is refused, if it is: before a TLS session is made for it, and before the greeting tells it that it is
    /// connected.
    fn refusal(&self, raw: &platform::Stream) -> Option<End> {
        let (link, admission) = (self.kind.link(), &self.context.settings().admission);
        let remote = || link.network_addresses(raw).0;
        if !admission.admits(link == Link::Local, remote, || link.credentials(raw)) {
            return Some(End::RULE);
        }
        (!self.context.accepts_pipe()).then_some(End::BUSY)
    }

    /// Accepts nothing until a handshake has ended, or `moment` has come, when another one may be ended. A timer that is set for
    /// an earlier moment does no harm.
    fn await_place(self: &Arc<Self>, state: &mut State, moment: Duration) {
        state.awaits_place = true;
        if let Some(late) = state.timer.take_if(|timer| timer.moment() > moment) {
            self.reactor.cancel(late);
        }
        state.timer.get_or_insert_with(|| self.reactor.at(moment, self.clone()));
    }

    /// A TLS handshake has ended, and has succeeded or not. Accepts again if that has waited for it.
    fn handshake_ended(&self, connection: &Arc<Connection>, is_done: bool) {
        let mut state = lock(&self.state);
        state.handshakes.leave(|other| Arc::ptr_eq(other, connection), is_done, now());
        if std::mem::take(&mut state.awaits_place)
            && let Some((_, token)) = &state.listening
        {
            self.reactor.ready_again(*token, Ready::READ);
        }
    }
}

impl Source for Listener {
    fn ready(self: Arc<Self>, _ready: Ready) -> Progress {
        self.accept()
    }

    fn timeout(self: Arc<Self>, now: Duration) {
        let mut state = lock(&self.state);
        state.accepting.resume();
        if state.timer.take_if(|timer| timer.moment() <= now).is_some() {
            state.awaits_place = false;
        }
        if let Some((_, token)) = &state.listening {
            self.reactor.ready_again(*token, Ready::READ);
        }
    }

    fn lost(self: Arc<Self>) {
        let again = match &lock(&self.state).listening {
            Some((acceptor, token)) => {
                self.reactor.register_again(polled(acceptor.raw()), Interest::READABLE, *token)
            }
            None => Ok(()),
        };
        if let Err(error) = again {
            self.context.report(EndpointEvent::AcceptFailed(error.into()));
        }
    }
}

impl Owner for Listener {
    fn is_dialer(&self) -> bool {
        false
    }

    fn established(&self, connection: &Arc<Connection>) {
        if self.kind.is_secure() {
            self.context.report(EndpointEvent::Accepted);
            self.handshake_ended(connection, true);
        }
    }

    #[cfg(feature = "tls")]
    fn handshake_failed(&self, failure: &crate::tls::Failure) {
        let event = EndpointEvent::AcceptFailed(failure.error);
        self.context.explain(Some(event), failure.error, &failure.reason);
    }

    fn ended(self: Arc<Self>, connection: &Arc<Connection>) {
        if self.kind.is_secure() && !connection.is_established() {
            self.handshake_ended(connection, false);
        }
        lock(&self.state).connections.retain(|other| !Arc::ptr_eq(other, connection));
    }
}

impl Endpoint for Listener {
    fn close(&self, linger: &Arc<Linger>) {
        let (listening, waiting, connections) = {
            let mut state = lock(&self.state);
            if let Some(timer) = state.timer.take() {
                self.reactor.cancel(timer);
            }
            (state.listening.take(), state.waiting.take(), state.connections.clone())
        };
        drop(waiting);
        if let Some((acceptor, token)) = listening {
            self.reactor.deregister(polled(acceptor.raw()), token);
            acceptor.stop();
        }
        for connection in connections {
            connection.close(linger);
        }
    }

    fn address(&self, given: &[u8]) -> Vec<u8> {
        match &self.chosen {
            None => given.to_owned(),
            Some(Chosen::Port(port)) => address::with_port(given, *port),
            Some(Chosen::Address(address)) => address.clone(),
        }
    }

    fn remove_file(&self) {
        if let Some((acceptor, _)) = try_lock(&self.state).as_ref().and_then(|state| state.listening.as_ref())
        {
            acceptor.remove_file();
        }
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        lock(&self.state).listening.as_ref()?.0.local_addr()
    }

    #[cfg(feature = "tls")]
    fn reload(&self) -> Result<(), Error> {
        reload(&self.kind, &*self.context)
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests;
