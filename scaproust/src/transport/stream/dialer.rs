//! A dialer: connects, and connects again when the connection is lost.
//!
//! ```text
//! resolving -> connecting -> connected -> waiting -> resolving …
//!      \____________\___________________/
//! ```
//!
//! [`Attempts`] decides the next step; the dialer performs it. One thread at a time does: the caller of
//! `nn_connect` until the first step that takes time, from then on the I/O thread.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mio::{Interest, Token};

use super::carrier::Carrier;
use super::connection::Connection;
#[cfg(all(unix, not(simulated)))]
use super::custom::CustomAddress;
use super::kind::StreamKind;
use super::names::{self, Answer, Requester};
use super::platform::{self, LocalAddress, polled};
#[cfg(feature = "tls")]
use super::reload;
use super::{Owner, filtering_pair, network, protocol_pair};
use crate::address::{self, Family};
use crate::endpoint::{Attempts, Backoff, DialStep};
use crate::error::Error;
use crate::reactor::{Progress, Reactor, Ready, Source, TimerId};
use crate::sync::{Mutex, MutexGuard, lock, now, rank};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// What a dialer connects to.
pub(super) enum Target {
    /// A host of the network. Its addresses may be several, and may change.
    Host {
        /// Its address, or its name.
        host: address::Host,
        /// Its port.
        port: u16,
        /// The local address to connect from, if the endpoint's address has one.
        local: Option<SocketAddr>,
        /// The versions of IP that its addresses may have; others are ignored.
        family: Family,
    },
    /// A local socket.
    Local(LocalAddress),
    /// Somewhere that a transport of the program knows.
    #[cfg(all(unix, not(simulated)))]
    Custom(CustomAddress),
}

/// One address to connect to.
#[derive(Clone)]
pub(super) enum Destination {
    /// A network address.
    Network {
        /// The peer's address.
        address: SocketAddr,
        /// The local address to connect from, if there is one.
        local: Option<SocketAddr>,
    },
    /// A local socket.
    Local(LocalAddress),
    /// Somewhere that a transport of the program knows.
    #[cfg(all(unix, not(simulated)))]
    Custom(CustomAddress),
}

/// A connected endpoint of tcp, ipc or ws, or of tls+tcp or wss.
pub(super) struct Dialer {
    /// For the look-up of a name, which must not keep the dialer alive.
    this: Weak<Dialer>,
    target: Target,
    kind: StreamKind,
    mapping: Mapping,
    context: Arc<dyn EndpointContext>,
    reactor: Arc<Reactor>,
    state: Mutex<State, rank::Dialer>,
}

struct State {
    phase: Phase,
    attempts: Attempts<Destination>,
    /// The last look-up of the name was slow.
    is_slow: bool,
    filtering: Filtering,
}

/// What the dialer proposes if the socket wants publishers to filter.
///
/// A peer that does not know the proposed protocol ends the connection. Then the dialer connects again at once, without
/// proposing it. After the loss of that connection it proposes it again: another peer may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filtering {
    /// The next connection proposes it.
    ToBeProposed,
    /// The present connection proposes it, and the peer has not answered.
    Proposed,
    /// The present connection filters.
    Accepted,
    /// The present connection does not propose it, or the next one will not, since the peer has refused it.
    Refused,
}

enum Phase {
    /// A thread is in [`Dialer::proceed`], or about to call it.
    Proceeding,
    /// The name is being looked up.
    Resolving,
    /// The look-up is finished; the I/O thread connects to this address, if there is one.
    Resolved(Option<Destination>),
    /// The kernel is connecting.
    Connecting { stream: Carrier, token: Token },
    /// There is a connection.
    Connected(Arc<Connection>),
    /// The timer of the next attempt is set.
    Waiting(TimerId),
    /// The endpoint is closed; its connection may still be sending.
    Closed(Option<Arc<Connection>>),
}

impl Destination {
    /// Starts connecting.
    ///
    /// # Errors
    /// The operating system's.
    fn connect(&self) -> io::Result<Carrier> {
        match self {
            Destination::Network { address, local } => {
                platform::connect_to_network(*address, *local).map(Carrier::System)
            }
            Destination::Local(address) => platform::connect_local(address).map(Carrier::System),
            #[cfg(all(unix, not(simulated)))]
            Destination::Custom(address) => address.connect(),
        }
    }
}

impl Dialer {
    /// Makes a dialer, and starts its first attempt.
    pub(super) fn start(
        target: Target,
        kind: StreamKind,
        mapping: Mapping,
        context: Arc<dyn EndpointContext>,
        reactor: Arc<Reactor>,
    ) -> Arc<Dialer> {
        let dialer = Dialer::new(target, kind, mapping, context, reactor);
        dialer.proceed(DialStep::Resolve);
        dialer
    }

    /// A dialer that has not started.
    fn new(
        target: Target,
        kind: StreamKind,
        mapping: Mapping,
        context: Arc<dyn EndpointContext>,
        reactor: Arc<Reactor>,
    ) -> Arc<Dialer> {
        let settings = context.settings();
        let backoff = Backoff::new(settings.reconnect_interval, settings.reconnect_interval_max);
        let state = State {
            phase: Phase::Proceeding,
            attempts: Attempts::new(backoff),
            is_slow: false,
            filtering: Filtering::ToBeProposed,
        };
        Arc::new_cyclic(|this| Dialer {
            this: this.clone(),
            target,
            kind,
            mapping,
            context,
            reactor,
            state: Mutex::new(state),
        })
    }

    /// Performs steps until one takes time: the event that ends it continues here.
    fn proceed(self: &Arc<Self>, first: DialStep<Destination>) {
        let mut next = Some(first);
        while let Some(step) = next {
            next = self.perform(step).unwrap_or_else(|error| Some(self.failed(error)));
        }
    }

    /// Performs a step. Returns the next one, or `None` if an event will bring it.
    ///
    /// # Errors
    /// The reason why the attempt has failed.
    fn perform(self: &Arc<Self>, step: DialStep<Destination>) -> io::Result<Option<DialStep<Destination>>> {
        match step {
            DialStep::Resolve => self.resolve(),
            // The peer would believe that it is connected, and send messages, before this socket could refuse it.
            DialStep::Connect(_) if !self.context.accepts_pipe() => {
                Ok(Some(lock(&self.state).attempts.lost()))
            }
            DialStep::Connect(destination) => self.connecting(destination.connect()?).map(|()| None),
            DialStep::Wait(delay) => {
                self.wait(delay);
                Ok(None)
            }
        }
    }

    fn resolve(self: &Arc<Self>) -> io::Result<Option<DialStep<Destination>>> {
        let known = match &self.target {
            Target::Host { host: address::Host::Name(name), .. } => {
                return self.look_up(name).map(|()| None);
            }
            Target::Host { host, port, local, .. } => {
                Destination::Network { address: network::numeric(host, *port)?, local: *local }
            }
            Target::Local(address) => Destination::Local(address.clone()),
            #[cfg(all(unix, not(simulated)))]
            Target::Custom(address) => Destination::Custom(address.clone()),
        };
        Ok(Some(DialStep::Connect(known)))
    }

    fn look_up(&self, name: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Closed(_)) {
            // Under the lock, so that the answer finds the phase set.
            names::look_up(name, state.is_slow, self.this.clone())?;
            state.phase = Phase::Resolving;
        }
        Ok(())
    }

    /// Continues with the result of the look-up.
    fn resolved(self: &Arc<Self>) {
        let first = {
            let mut state = lock(&self.state);
            let Phase::Resolved(first) = &mut state.phase else { return };
            let first = first.take();
            state.phase = Phase::Proceeding;
            first
        };
        let step = first.map(DialStep::Connect);
        self.proceed(step.unwrap_or_else(|| self.failed(network::unreachable())));
    }

    /// A connect was started. A peer on the same machine is often connected at once; otherwise the poller reports it.
    ///
    /// # Errors
    /// When the connect has failed, or the stream cannot be registered.
    fn connecting(self: &Arc<Self>, stream: Carrier) -> io::Result<()> {
        self.context.report(EndpointEvent::Connecting);
        let is_connected = stream.is_connected()?;
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Closed(_)) {
            stream.abandon();
            return Ok(());
        }
        if is_connected {
            return self.connected(state, stream);
        }
        // Under the lock, so that the reactor's event finds the phase set.
        let token = self.reactor.register(polled(stream.raw()), Interest::WRITABLE, self.clone())?;
        state.phase = Phase::Connecting { stream, token };
        Ok(())
    }

    /// The poller has reported the connecting stream: checks whether it is connected or has failed.
    fn check_connecting(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let outcome = match &state.phase {
            Phase::Connecting { stream, .. } => stream.is_connected(),
            _ => return,
        };
        if matches!(&outcome, Ok(false)) {
            return;
        }
        let Phase::Connecting { stream, token } = std::mem::replace(&mut state.phase, Phase::Proceeding)
        else {
            return;
        };
        self.reactor.deregister(polled(stream.raw()), token);
        let connected = match outcome {
            Ok(_) => self.connected(state, stream),
            Err(error) => {
                drop(state);
                Err(error)
            }
        };
        if let Err(error) = connected {
            let step = self.failed(error);
            self.proceed(step);
        }
    }

    /// The stream is connected: starts a connection on it.
    ///
    /// # Errors
    /// The operating system's.
    fn connected(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State, rank::Dialer>,
        stream: Carrier,
    ) -> io::Result<()> {
        let stream = self.kind.stream(stream)?;
        let mapping = self.mapping.clone();
        let (context, owner, reactor) = (self.context.clone(), self.clone(), self.reactor.clone());
        let pair = match filtering_pair(context.protocol()) {
            Some(pair) if state.filtering != Filtering::Refused && context.filters() => {
                state.filtering = Filtering::Proposed;
                pair
            }
            _ => protocol_pair(context.protocol()),
        };
        let connection = Connection::start(stream, mapping, pair, context, owner, reactor)?;
        state.attempts.connected();
        state.phase = Phase::Connected(connection.clone());
        drop(state);
        if !self.kind.is_secure() {
            self.context.report(EndpointEvent::Connected);
        }
        connection.greet();
        Ok(())
    }

    /// An attempt has failed.
    fn failed(&self, error: io::Error) -> DialStep<Destination> {
        let error = Error::from(error);
        self.context.report(EndpointEvent::ConnectFailed(error));
        let step = {
            let mut state = lock(&self.state);
            state.filtering = Filtering::ToBeProposed;
            state.attempts.failed()
        };
        let delay = if let DialStep::Wait(delay) = step { delay } else { Duration::ZERO };
        self.context.report(EndpointEvent::Retry(Some(error), delay));
        step
    }

    fn wait(self: &Arc<Self>, delay: Duration) {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Closed(_)) {
            state.phase = Phase::Waiting(self.reactor.at(now() + delay, self.clone()));
        }
    }
}

impl Requester for Dialer {
    fn answered(self: Arc<Self>, answer: &Answer) {
        let Target::Host { port, local, family, .. } = self.target else { return };
        let mut state = lock(&self.state);
        state.is_slow = answer.is_slow;
        if matches!(state.phase, Phase::Resolving) {
            let usable = network::usable(&answer.addresses, port, family);
            let destinations = usable.map(|address| Destination::Network { address, local });
            state.phase = Phase::Resolved(state.attempts.resolved(destinations));
            // Under the lock: a closed endpoint must not wake the reactor.
            self.reactor.wake(self.clone());
        }
    }
}

impl Source for Dialer {
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        if ready.write {
            self.check_connecting();
        }
        Progress::Done
    }

    fn lost(self: Arc<Self>) {
        let mut state = lock(&self.state);
        if let Phase::Connecting { stream, token } = &state.phase
            && let Err(error) = self.reactor.register_again(polled(stream.raw()), Interest::WRITABLE, *token)
        {
            self.reactor.deregister(polled(stream.raw()), *token);
            state.phase = Phase::Proceeding;
            drop(state);
            let step = self.failed(error);
            self.proceed(step);
        }
    }

    fn woken(self: Arc<Self>) {
        self.resolved();
    }

    fn timeout(self: Arc<Self>, _now: Duration) {
        {
            let mut state = lock(&self.state);
            if !matches!(state.phase, Phase::Waiting(_)) {
                return;
            }
            state.phase = Phase::Proceeding;
        }
        self.proceed(DialStep::Resolve);
    }
}

impl Owner for Dialer {
    fn is_dialer(&self) -> bool {
        true
    }

    fn established(&self, _connection: &Arc<Connection>) {
        if self.kind.is_secure() {
            self.context.report(EndpointEvent::Connected);
        }
        let mut state = lock(&self.state);
        state.attempts.established();
        if state.filtering == Filtering::Proposed {
            state.filtering = Filtering::Accepted;
        }
    }

    #[cfg(feature = "tls")]
    fn handshake_failed(&self, failure: &crate::tls::Failure) {
        let event = EndpointEvent::ConnectFailed(failure.error);
        self.context.explain(Some(event), failure.error, &failure.reason);
    }

    fn ended(self: Arc<Self>, connection: &Arc<Connection>) {
        let step = {
            let mut state = lock(&self.state);
            match &mut state.phase {
                Phase::Connected(current) if Arc::ptr_eq(current, connection) => {
                    state.phase = Phase::Proceeding;
                    let is_refused = state.filtering == Filtering::Proposed;
                    state.filtering = if is_refused { Filtering::Refused } else { Filtering::ToBeProposed };
                    if is_refused { DialStep::Wait(Duration::ZERO) } else { state.attempts.lost() }
                }
                Phase::Closed(closing) => {
                    *closing = None;
                    return;
                }
                _ => return,
            }
        };
        if let DialStep::Wait(delay) = step {
            self.context.report(EndpointEvent::Retry(None, delay));
        }
        self.proceed(step);
    }
}

impl Endpoint for Dialer {
    fn close(&self, linger: &Arc<Linger>) {
        let mut state = lock(&self.state);
        let (next, connection) = match std::mem::replace(&mut state.phase, Phase::Closed(None)) {
            Phase::Connected(connection) | Phase::Closed(Some(connection)) => {
                (Phase::Closed(Some(connection.clone())), Some(connection))
            }
            Phase::Connecting { stream, token } => {
                self.reactor.deregister(polled(stream.raw()), token);
                stream.abandon();
                (Phase::Closed(None), None)
            }
            Phase::Waiting(timer) => {
                self.reactor.cancel(timer);
                (Phase::Closed(None), None)
            }
            Phase::Resolving => {
                if let Target::Host { host: address::Host::Name(name), .. } = &self.target {
                    names::cancel(name, self.this.as_ptr());
                }
                (Phase::Closed(None), None)
            }
            Phase::Proceeding | Phase::Resolved(_) | Phase::Closed(None) => (Phase::Closed(None), None),
        };
        state.phase = next;
        drop(state);
        if let Some(connection) = connection {
            connection.close(linger);
        }
    }

    #[cfg(feature = "tls")]
    fn reload(&self) -> Result<(), Error> {
        reload(&self.kind, &*self.context)
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests;
