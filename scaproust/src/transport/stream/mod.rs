//! tcp, ipc and ws, and tcp and ws with TLS: each pipe has a stream of the operating system.
//!
//! A [`Listener`] accepts connections; a [`Dialer`] makes one, and makes it again when it is lost. A [`Connection`]
//! exchanges greetings with its peer, gives the socket a pipe, and moves messages between the pipe's lanes and the
//! stream. Its [`Mapping`] decides the bytes: ws is another mapping over tcp.

mod batching;
mod carrier;
mod connection;
#[cfg(all(unix, not(simulated)))]
pub(super) mod custom;
mod dialer;
mod gathers;
#[cfg(all(unix, not(simulated)))]
pub(super) mod given;
#[cfg(feature = "tls")]
mod handshakes;
mod kind;
mod layers;
mod listener;
mod names;
mod network;
mod platform;
mod rings;
#[cfg(all(test, not(any(loom, simulated))))]
mod test_support;

use std::sync::Arc;

use super::{Endpoint, EndpointContext};
use crate::address::{self, Family, LocalName, TcpAddress, WsAddress};
use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::wire::{GreetingOrder, Mapping, ProtocolId, ProtocolPair, Protocols};
pub(crate) use batching::{Batching, before_blocking, do_messages_gather};
use connection::Connection;
use dialer::{Dialer, Target};
pub(crate) use gathers::{Gathers, OtherTeller};
use kind::StreamKind;
#[cfg(all(feature = "tls", unix, any(fuzzing, test), not(any(loom, simulated))))]
pub(crate) use layers::Secured;
use listener::{Chosen, Listener};
use rings::Side;

/// Binds a tcp endpoint.
///
/// # Errors
/// [`Error::NoSuchInterface`], [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_tcp(
    address: &TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(address, StreamKind::Network, Mapping::Tcp, context)
}

/// Connects a tcp endpoint.
///
/// # Errors
/// [`Error::InvalidArgument`] for an address of another version of IP, or a zone without an interface,
/// [`Error::NoSuchInterface`] for a local part without an interface, or the operating system's.
pub(super) fn connect_tcp(
    address: TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    dial(address, StreamKind::Network, Mapping::Tcp, context)
}

/// Binds a ws endpoint.
///
/// # Errors
/// As [`bind_tcp`].
pub(super) fn bind_ws(
    address: &WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(&address.at, StreamKind::Network, Mapping::WebSocketServer, context)
}

/// Connects a ws endpoint.
///
/// # Errors
/// As [`connect_tcp`].
pub(super) fn connect_ws(
    address: WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let (at, mapping) = web_socket_client(address, &*context);
    dial(at, StreamKind::Network, mapping, context)
}

/// Binds a tls+tcp endpoint.
///
/// # Errors
/// As [`bind_tcp`]; also those of the TLS settings and their files.
#[cfg(feature = "tls")]
pub(super) fn bind_tls(
    address: &TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(address, secure(None, &*context)?, Mapping::Tcp, context)
}

/// Connects a tls+tcp endpoint.
///
/// # Errors
/// As [`connect_tcp`]; also those of the TLS settings and their files.
#[cfg(feature = "tls")]
pub(super) fn connect_tls(
    address: TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let kind = secure(Some(&address.host), &*context)?;
    dial(address, kind, Mapping::Tcp, context)
}

/// Binds a wss endpoint.
///
/// # Errors
/// As [`bind_tls`].
#[cfg(feature = "tls")]
pub(super) fn bind_wss(
    address: &WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(&address.at, secure(None, &*context)?, Mapping::WebSocketServer, context)
}

/// Connects a wss endpoint.
///
/// # Errors
/// As [`connect_tls`].
#[cfg(feature = "tls")]
pub(super) fn connect_wss(
    address: WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let kind = secure(Some(&address.at.host), &*context)?;
    let (at, mapping) = web_socket_client(address, &*context);
    dial(at, kind, mapping, context)
}

/// The kind of the streams to `host`, or of a bound endpoint, with TLS. The reason of a failure is printed.
#[cfg(feature = "tls")]
fn secure(host: Option<&address::Host>, context: &dyn EndpointContext) -> Result<StreamKind, Error> {
    StreamKind::secure(&context.settings().tls, host.map(address::Host::to_verify)).map_err(|failure| {
        context.explain(None, failure.error, &failure.reason);
        failure.error
    })
}

/// Reads the files of an endpoint again. The reason of a failure is printed.
#[cfg(feature = "tls")]
fn reload(kind: &StreamKind, context: &dyn EndpointContext) -> Result<(), Error> {
    kind.reload().map_err(|failure| {
        context.explain(None, failure.error, &failure.reason);
        failure.error
    })
}

/// What a ws address says: where to connect, and how to begin there.
fn web_socket_client(address: WsAddress, context: &dyn EndpointContext) -> (TcpAddress, Mapping) {
    let WsAddress { at, authority, resource } = address;
    let message_type = context.message_type();
    (at, Mapping::WebSocketClient { authority, resource, message_type })
}

fn listen_at(
    address: &TcpAddress,
    kind: StreamKind,
    mapping: Mapping,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let family = address.family.limited(context.settings().ipv4_only);
    let at = network::interface(&address.host, address.port, family)?;
    let acceptor = platform::listen_to_network(at, family == Family::V6)?;
    let chosen =
        if address.port == 0 { acceptor.local_addr().map(|at| Chosen::Port(at.port())) } else { None };
    let reactor = context.reactor()?;
    Ok(Listener::start(acceptor, chosen, kind, mapping, context, reactor)?)
}

fn dial(
    address: TcpAddress,
    kind: StreamKind,
    mapping: Mapping,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let family = address.family.limited(context.settings().ipv4_only);
    if address.host.ip().is_some_and(|ip| !family.has(ip)) {
        return Err(Error::InvalidArgument);
    }
    let local = address.local.map(|local| network::interface(&local, 0, family)).transpose()?;
    let TcpAddress { host, port, .. } = address;
    if matches!(host, address::Host::LinkLocal(..)) && network::numeric(&host, port).is_err() {
        return Err(Error::InvalidArgument);
    }
    let target = Target::Host { host, port, local, family };
    let reactor = context.reactor()?;
    Ok(Dialer::start(target, kind, mapping, context, reactor))
}

/// Binds an ipc endpoint.
///
/// # Errors
/// [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_ipc(
    name: &LocalName,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let acceptor = platform::listen_locally(name, context.settings().ipc_permissions)?;
    let is_nameless = matches!(name, LocalName::Abstract(name) if name.is_empty());
    let name = if is_nameless { acceptor.abstract_name() } else { None };
    let chosen = name.map(|name| Chosen::Address(address::abstract_address(&name)));
    let kind = StreamKind::local(Side::Accepted, &context.settings().shared_memory);
    let reactor = context.reactor()?;
    Ok(Listener::start(acceptor, chosen, kind, Mapping::Ipc, context, reactor)?)
}

/// Connects an ipc endpoint.
///
/// # Errors
/// The operating system's.
pub(super) fn connect_ipc(
    name: &LocalName,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let address = platform::local_address(name)?;
    let kind = StreamKind::local(Side::Connected, &context.settings().shared_memory);
    let reactor = context.reactor()?;
    Ok(Dialer::start(Target::Local(address), kind, Mapping::Ipc, context, reactor))
}

/// A protocol and its peer, as the greetings identify them.
fn protocol_pair(own: &ProtocolInfo) -> ProtocolPair {
    let id = |info: &ProtocolInfo| ProtocolId { number: info.number, name: info.name };
    ProtocolPair { own: id(own), peer: id(own.peer) }
}

/// The pair with which a publisher is to filter, if the protocol has one.
fn filtering_pair(own: &ProtocolInfo) -> Option<ProtocolPair> {
    let id = |info: &ProtocolInfo| info.filtering.map(|(number, name)| ProtocolId { number, name });
    Some(ProtocolPair { own: id(own)?, peer: id(own.peer)? })
}

/// The protocols that a bound endpoint accepts in a peer's greeting. `kind` is that of its streams.
fn accepted_protocols(context: &dyn EndpointContext, kind: &StreamKind) -> Protocols {
    let first = protocol_pair(context.protocol());
    // Under the socket's lock only if the protocol may filter.
    let second = filtering_pair(context.protocol()).filter(|_| context.filters());
    // Several peers may have been accepted at once, and only one of them may believe that it is connected.
    let is_reply = context.protocol().is_exclusive || second.is_some() || kind.awaits_offer();
    let order = if is_reply { GreetingOrder::AfterPeer } else { GreetingOrder::AtOnce };
    Protocols { first, second, order }
}

/// The endpoint that a connection belongs to.
trait Owner: Send + Sync {
    /// Whether it has connected to the peer, and not the peer to it.
    fn is_dialer(&self) -> bool;
    /// The greetings are exchanged, and the socket has its pipe.
    fn established(&self, connection: &Arc<Connection>);
    /// The TLS handshake, or the greeting after it, has failed.
    #[cfg(feature = "tls")]
    fn handshake_failed(&self, failure: &crate::tls::Failure);
    /// The connection has ended.
    fn ended(self: Arc<Self>, connection: &Arc<Connection>);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::MessageType;
    use crate::protocol::PROTOCOLS;
    use crate::wire::Random;
    use std::hash::RandomState;

    /// The two sides of a WebSocket agree on a protocol by its name.
    #[test]
    fn the_websocket_name_of_each_protocol_is_accepted_by_its_peer_only() {
        let begin = |mapping: &Mapping, info: &ProtocolInfo| {
            mapping.begin(protocol_pair(info), MessageType::Binary, Random::new(RandomState::new()))
        };
        let client = Mapping::WebSocketClient {
            authority: "h".into(),
            resource: "/".into(),
            message_type: MessageType::Binary,
        };
        for bound in PROTOCOLS {
            for connected in PROTOCOLS {
                let request = begin(&client, connected).initial_bytes;
                let greeted = begin(&Mapping::WebSocketServer, bound).greeting.feed(&mut &request[..]);
                let is_welcome = matches!(greeted, Ok(Some(greeted)) if greeted.protocol == connected.number);
                assert_eq!(is_welcome, bound.peer == connected, "{connected:?} to {bound:?}");
            }
        }
    }
}
