//! A dialer: it connects, and connects again when the connection is lost.
//!
//! ```text
//! resolving -> connecting -> connected -> waiting -> resolving …
//!      \____________\___________________/
//! ```
//!
//! What comes next is decided by [`Attempts`]; here it is done. One thread at a time does so: the
//! caller's until the first step that takes time, and then the I/O thread.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mio::{Interest, Token};

use super::connection::Connection;
use super::names::{self, Answer, Asker};
use super::platform::{self, LocalAddress, Stream, polled};
use super::{Owner, network};
use crate::address;
use crate::endpoint::{Attempts, Backoff, DialStep, MAX_ADDRESSES};
use crate::error::Error;
use crate::reactor::{Progress, Reactor, Ready, Source, TimerId};
use crate::sync::{Mutex, MutexGuard, lock, now};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// What a dialer connects to.
pub(super) enum Target {
    /// A host, which may have several addresses, and others later.
    Host {
        /// Its address, or its name.
        host: address::Host,
        /// Its port.
        port: u16,
        /// Where connections start from, if that was said.
        local: Option<SocketAddr>,
        /// Whether addresses of IPv6 are left out.
        ipv4_only: bool,
    },
    /// A local socket.
    Local(LocalAddress),
}

/// One address to connect to.
#[derive(Clone)]
pub(super) enum Destination {
    /// An address of the network.
    Network {
        /// Where to.
        address: SocketAddr,
        /// Where from, if that was said.
        local: Option<SocketAddr>,
    },
    /// A local socket.
    Local(LocalAddress),
}

/// A connected endpoint of tcp, ipc or ws.
pub(super) struct Dialer {
    /// For the look-up of a name, which must not keep the dialer.
    this: Weak<Dialer>,
    target: Target,
    mapping: Mapping,
    host: Arc<dyn EndpointContext>,
    reactor: Arc<Reactor>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    attempts: Attempts<Destination>,
    /// The last look-up took long.
    is_slow: bool,
}

enum Phase {
    /// A thread is inside [`Dialer::proceed`], or about to call it.
    Proceeding,
    /// The name is being looked up.
    Resolving,
    /// The name was looked up; the I/O thread goes on with these addresses.
    Resolved(Vec<SocketAddr>),
    /// The kernel is connecting.
    Connecting { stream: Stream, token: Token },
    /// There is a connection.
    Connected(Arc<Connection>),
    /// Until the next attempt.
    Waiting(TimerId),
    /// The endpoint is closed; a connection may still be delivering.
    Closed(Option<Arc<Connection>>),
}

impl Destination {
    /// Starts connecting.
    ///
    /// # Errors
    /// The operating system's.
    fn connect(&self) -> io::Result<Stream> {
        match self {
            Destination::Network { address, local } => network::start_connecting(*address, *local),
            Destination::Local(address) => platform::connect_local(address),
        }
    }
}

impl Dialer {
    /// Connects from now on.
    ///
    /// # Errors
    /// When there can be no I/O thread.
    pub(super) fn start(
        target: Target,
        mapping: Mapping,
        host: Arc<dyn EndpointContext>,
    ) -> io::Result<Arc<Dialer>> {
        let reactor = crate::reactor::current()?;
        let settings = host.settings();
        let backoff = Backoff::new(settings.reconnect_interval, settings.reconnect_interval_max);
        let state = State { phase: Phase::Proceeding, attempts: Attempts::new(backoff), is_slow: false };
        let dialer = Arc::new_cyclic(|this| Dialer {
            this: this.clone(),
            target,
            mapping,
            host,
            reactor,
            state: Mutex::new(state),
        });
        dialer.proceed(DialStep::Resolve);
        Ok(dialer)
    }

    /// Does one step after another, until one takes time.
    fn proceed(self: &Arc<Self>, first: DialStep<Destination>) {
        let mut next = Some(first);
        while let Some(step) = next {
            next = self.perform(step).unwrap_or_else(|error| Some(self.failed(error)));
        }
    }

    /// Does a step. Answers the next one, unless it comes with an event.
    ///
    /// # Errors
    /// Why the attempt has failed.
    fn perform(self: &Arc<Self>, step: DialStep<Destination>) -> io::Result<Option<DialStep<Destination>>> {
        match step {
            DialStep::Resolve => self.resolve(),
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
        };
        Ok(Some(lock(&self.state).attempts.resolved([known])))
    }

    fn look_up(&self, name: &str) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Closed(_)) {
            // Under the lock: an answer, or an end, comes after this.
            names::look_up(name, state.is_slow, self.this.clone())?;
            state.phase = Phase::Resolving;
        }
        Ok(())
    }

    /// The addresses are known: goes on with them.
    fn resolved(self: &Arc<Self>) {
        let step = {
            let mut state = lock(&self.state);
            let Phase::Resolved(addresses) = &mut state.phase else { return };
            let addresses = std::mem::take(addresses);
            state.phase = Phase::Proceeding;
            let Target::Host { local, .. } = self.target else { return };
            let destination = |address| Destination::Network { address, local };
            (!addresses.is_empty()).then(|| state.attempts.resolved(addresses.into_iter().map(destination)))
        };
        self.proceed(step.unwrap_or_else(|| self.failed(network::unreachable())));
    }

    /// The kernel is connecting, or done already, as it is with a peer on the same machine. Otherwise the
    /// reactor says when it is.
    ///
    /// # Errors
    /// When it cannot.
    fn connecting(self: &Arc<Self>, stream: Stream) -> io::Result<()> {
        self.host.report(EndpointEvent::Connecting);
        let is_connected = platform::is_connected(&stream)?;
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Closed(_)) {
            return Ok(());
        }
        if is_connected {
            return self.connected(state, stream);
        }
        // Registered under the lock: the reactor's call waits until the phase is set.
        let token = self.reactor.register(polled(&stream), Interest::WRITABLE, self.clone())?;
        state.phase = Phase::Connecting { stream, token };
        Ok(())
    }

    /// The kernel was connecting, and may be done: there is a connection, or an error.
    fn look(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let outcome = match &state.phase {
            Phase::Connecting { stream, .. } => platform::is_connected(stream),
            _ => return,
        };
        if matches!(&outcome, Ok(false)) {
            return;
        }
        let Phase::Connecting { stream, token } = std::mem::replace(&mut state.phase, Phase::Proceeding)
        else {
            return;
        };
        self.reactor.deregister(polled(&stream), token);
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

    /// The kernel is done: there is a connection.
    ///
    /// # Errors
    /// The operating system's.
    fn connected(self: &Arc<Self>, mut state: MutexGuard<'_, State>, stream: Stream) -> io::Result<()> {
        let mapping = self.mapping.clone();
        let (host, owner, reactor) = (self.host.clone(), self.clone(), self.reactor.clone());
        let connection = Connection::start(stream, mapping, host, owner, reactor)?;
        state.attempts.connected();
        state.phase = Phase::Connected(connection.clone());
        drop(state);
        self.host.report(EndpointEvent::Connected);
        connection.greet();
        Ok(())
    }

    /// An attempt has failed.
    fn failed(&self, error: io::Error) -> DialStep<Destination> {
        self.host.report(EndpointEvent::ConnectFailed(Error::from(error)));
        lock(&self.state).attempts.failed()
    }

    fn wait(self: &Arc<Self>, delay: Duration) {
        let mut state = lock(&self.state);
        if !matches!(state.phase, Phase::Closed(_)) {
            state.phase = Phase::Waiting(self.reactor.at(now() + delay, self.clone()));
        }
    }
}

impl Asker for Dialer {
    fn answered(self: Arc<Self>, answer: &Answer) {
        let Target::Host { port, ipv4_only, .. } = self.target else { return };
        let mut state = lock(&self.state);
        state.is_slow = answer.is_slow;
        if matches!(state.phase, Phase::Resolving) {
            let usable = answer.addresses.iter().filter(|address| address.is_ipv4() || !ipv4_only);
            let with_port = usable.map(|address| {
                let mut address = *address;
                address.set_port(port);
                address
            });
            state.phase = Phase::Resolved(with_port.take(MAX_ADDRESSES).collect());
            // Under the lock: an endpoint that is closed asks the reactor for nothing.
            self.reactor.wake(self.clone());
        }
    }
}

impl Source for Dialer {
    fn ready(self: Arc<Self>, ready: Ready) -> Progress {
        if ready.write {
            self.look();
        }
        Progress::Done
    }

    fn lost(self: Arc<Self>) {
        let mut state = lock(&self.state);
        if let Phase::Connecting { stream, token } = &state.phase
            && let Err(error) = self.reactor.register_again(polled(stream), Interest::WRITABLE, *token)
        {
            self.reactor.deregister(polled(stream), *token);
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
    fn established(&self, _connection: &Arc<Connection>) {
        lock(&self.state).attempts.established();
    }

    fn ended(self: Arc<Self>, connection: &Arc<Connection>) {
        let step = {
            let mut state = lock(&self.state);
            match &mut state.phase {
                Phase::Connected(current) if Arc::ptr_eq(current, connection) => {
                    state.phase = Phase::Proceeding;
                    state.attempts.lost()
                }
                Phase::Closed(closing) => {
                    *closing = None;
                    return;
                }
                _ => return,
            }
        };
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
                self.reactor.deregister(polled(&stream), token);
                // A forked child may have the descriptor too.
                let _ = stream.shutdown(std::net::Shutdown::Both);
                (Phase::Closed(None), None)
            }
            Phase::Waiting(timer) => {
                self.reactor.cancel(timer);
                (Phase::Closed(None), None)
            }
            Phase::Resolving => {
                if let Target::Host { host: address::Host::Name(name), .. } = &self.target {
                    names::forget(name, self.this.as_ptr());
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
}
