//! A dialer: it connects, and connects again when the connection is lost.
//!
//! ```text
//! resolving -> connecting -> connected -> waiting -> resolving …
//!      \____________\___________________/
//! ```

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Token;

use super::connection::Connection;
use super::platform::{self, LocalAddress, Stream, polled};
use super::{Owner, network};
use crate::address;
use crate::endpoint::Backoff;
use crate::error::Error;
use crate::reactor::{Reactor, Ready, Source, TimerId};
use crate::sync::{Mutex, lock, now, without_signals};
use crate::transport::{Endpoint, Host, Linger, Note};
use crate::wire::Mapping;

/// Where a dialer connects to.
pub(super) enum Target {
    /// A host, which may have several addresses.
    Network {
        /// Where connections start from, if that was said.
        local: Option<SocketAddr>,
        /// The host to look up.
        host: address::Host,
        /// Its port.
        port: u16,
        /// Whether addresses of IPv6 are left out.
        ipv4_only: bool,
    },
    /// A local socket.
    Local(LocalAddress),
}

/// A connected endpoint of tcp, ipc or ws.
pub(super) struct Dialer {
    target: Target,
    mapping: Mapping,
    host: Arc<dyn Host>,
    reactor: Arc<Reactor>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    backoff: Backoff,
    /// Addresses of the host that were not tried yet.
    addresses: VecDeque<SocketAddr>,
}

enum Phase {
    /// Another thread looks the host up.
    Resolving,
    /// The kernel is connecting.
    Connecting { stream: Stream, token: Token },
    /// There is a connection.
    Connected(Arc<Connection>),
    /// Until the next attempt.
    Waiting(TimerId),
    /// The endpoint is closed; a connection may still be delivering.
    Closed(Option<Arc<Connection>>),
}

impl Dialer {
    /// Connects from now on.
    ///
    /// # Errors
    /// When there can be no I/O thread.
    pub(super) fn start(target: Target, mapping: Mapping, host: Arc<dyn Host>) -> io::Result<Arc<Dialer>> {
        let reactor = crate::reactor::current()?;
        let settings = host.settings();
        let backoff = Backoff::new(settings.reconnect_interval, settings.reconnect_interval_max);
        let state = State { phase: Phase::Resolving, backoff, addresses: VecDeque::new() };
        let dialer = Arc::new(Dialer { target, mapping, host, reactor, state: Mutex::new(state) });
        dialer.attempt();
        Ok(dialer)
    }

    /// Makes the next attempt.
    fn attempt(self: &Arc<Self>) {
        let started = match &self.target {
            Target::Local(address) => Some(platform::connect_local(address)),
            Target::Network { local, host, port, ipv4_only } => {
                let next = lock(&self.state).addresses.pop_front();
                match next {
                    Some(address) => Some(network::start_connecting(address, *local)),
                    None => self.resolve(host, *port, *ipv4_only),
                }
            }
        };
        match started {
            Some(Ok(stream)) => self.connecting(stream),
            Some(Err(error)) => self.failed(error),
            None => {}
        }
    }

    /// Looks the host up, on a thread of its own if that can take long: then there is no answer.
    fn resolve(
        self: &Arc<Self>,
        host: &address::Host,
        port: u16,
        ipv4_only: bool,
    ) -> Option<io::Result<Stream>> {
        if !matches!(host, address::Host::Name(_)) {
            let resolved = network::resolve(host, port, ipv4_only);
            return Some(resolved.and_then(|addresses| self.first_of(addresses)));
        }
        {
            let mut state = lock(&self.state);
            if matches!(state.phase, Phase::Closed(_)) {
                return None;
            }
            state.phase = Phase::Resolving;
        }
        let dialer = self.clone();
        let look_up = move || {
            let Target::Network { host, port, ipv4_only, .. } = &dialer.target else { return };
            let resolved = network::resolve(host, *port, *ipv4_only);
            if !matches!(lock(&dialer.state).phase, Phase::Resolving) {
                return;
            }
            match resolved.and_then(|addresses| dialer.first_of(addresses)) {
                Ok(stream) => dialer.connecting(stream),
                Err(error) => dialer.failed(error),
            }
        };
        let spawn = || std::thread::Builder::new().name("nanomsg-names".into()).spawn(look_up);
        without_signals(spawn).err().map(Err)
    }

    /// Starts connecting to the first address, and keeps the others for when that fails.
    fn first_of(&self, addresses: Vec<SocketAddr>) -> io::Result<Stream> {
        let Target::Network { local, .. } = &self.target else { unreachable!("only a host has addresses") };
        let mut addresses = VecDeque::from(addresses);
        let first = addresses.pop_front().ok_or(io::ErrorKind::AddrNotAvailable)?;
        lock(&self.state).addresses = addresses;
        network::start_connecting(first, *local)
    }

    /// The kernel is connecting: the reactor says when it is done.
    fn connecting(self: &Arc<Self>, stream: Stream) {
        self.host.note(Note::Connecting);
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Closed(_)) {
            return;
        }
        // Registered under the lock: the reactor's call waits until the phase is set.
        match self.reactor.register(polled(&stream), self.clone()) {
            Ok(token) => state.phase = Phase::Connecting { stream, token },
            Err(error) => {
                drop(state);
                self.failed(error);
            }
        }
    }

    /// The kernel is done: there is a connection, or an error.
    fn connected(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let outcome = match &state.phase {
            Phase::Connecting { stream, .. } => platform::is_connected(stream),
            _ => return,
        };
        if matches!(&outcome, Ok(false)) {
            return;
        }
        // Not a phase that anybody acts on; replaced before this call is over.
        let Phase::Connecting { stream, token } = std::mem::replace(&mut state.phase, Phase::Resolving)
        else {
            return;
        };
        self.reactor.deregister(polled(&stream), token);
        let mapping = self.mapping.clone();
        let (host, owner, reactor) = (self.host.clone(), self.clone(), self.reactor.clone());
        let started = outcome.and_then(|_| Connection::start(stream, mapping, host, owner, reactor));
        match started {
            Ok(connection) => {
                state.phase = Phase::Connected(connection.clone());
                drop(state);
                self.host.note(Note::Connected);
                connection.greet();
            }
            Err(error) => {
                drop(state);
                self.failed(error);
            }
        }
    }

    /// An attempt has failed: the next address at once, or the first one after a while.
    fn failed(self: &Arc<Self>, error: io::Error) {
        self.host.note(Note::ConnectFailed(Error::from(error)));
        let mut state = lock(&self.state);
        if state.addresses.is_empty() {
            self.wait(&mut state);
        } else {
            drop(state);
            self.attempt();
        }
    }

    fn wait(self: &Arc<Self>, state: &mut State) {
        if matches!(state.phase, Phase::Closed(_)) {
            return;
        }
        let moment = now() + state.backoff.delay();
        state.phase = Phase::Waiting(self.reactor.at(moment, self.clone()));
    }
}

impl Source for Dialer {
    fn ready(self: Arc<Self>, ready: Ready) {
        if ready.write {
            self.connected();
        }
    }

    fn timeout(self: Arc<Self>, _now: Duration) {
        if matches!(lock(&self.state).phase, Phase::Waiting(_)) {
            self.attempt();
        }
    }
}

impl Owner for Dialer {
    fn established(&self, _connection: &Arc<Connection>) {
        lock(&self.state).backoff.reset();
    }

    fn ended(self: Arc<Self>, connection: &Arc<Connection>) {
        let mut state = lock(&self.state);
        match &mut state.phase {
            Phase::Closed(closing) => *closing = None,
            Phase::Connected(current) if Arc::ptr_eq(current, connection) => self.wait(&mut state),
            _ => {}
        }
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
                (Phase::Closed(None), None)
            }
            Phase::Waiting(timer) => {
                self.reactor.cancel(timer);
                (Phase::Closed(None), None)
            }
            Phase::Resolving | Phase::Closed(None) => (Phase::Closed(None), None),
        };
        state.phase = next;
        drop(state);
        if let Some(connection) = connection {
            connection.close(linger);
        }
    }
}
