//! tcp, ipc and ws: each pipe has a stream of the operating system.
//!
//! A [`Listener`] accepts connections; a [`Dialer`] makes one, and makes it again when it is lost. A [`Connection`]
//! exchanges greetings with its peer, gives the socket a pipe, and moves messages between the pipe's lanes and the
//! stream. Its [`Mapping`] decides the bytes: ws is another mapping over tcp.

mod batching;
mod connection;
mod dialer;
mod layers;
mod listener;
mod names;
mod network;
mod platform;
#[cfg(all(test, not(any(loom, simulated))))]
mod test_support;

use std::path::Path;
use std::sync::Arc;

use super::{Endpoint, EndpointContext};
use crate::address::{self, TcpAddress, WsAddress};
use crate::error::Error;
use crate::protocol::ProtocolInfo;
use crate::reactor;
use crate::wire::{Mapping, ProtocolId, ProtocolPair, Protocols};
pub(crate) use batching::{Batching, before_blocking};
use connection::Connection;
use dialer::{Dialer, Target};
use layers::Stream;
use listener::Listener;

/// Binds a tcp endpoint.
///
/// # Errors
/// [`Error::NoSuchInterface`], [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_tcp(
    address: &TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(address, Mapping::Tcp, context)
}

/// Connects a tcp endpoint.
///
/// # Errors
/// [`Error::InvalidArgument`] for an IPv6 address with `NN_IPV4ONLY`, or a zone without an interface,
/// [`Error::NoSuchInterface`] for a local part without an interface, or the operating system's.
pub(super) fn connect_tcp(
    address: TcpAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    dial(address, Mapping::Tcp, context)
}

/// Binds a ws endpoint.
///
/// # Errors
/// As [`bind_tcp`].
pub(super) fn bind_ws(
    address: &WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    listen_at(&address.at, Mapping::WebSocketServer, context)
}

/// Connects a ws endpoint.
///
/// # Errors
/// As [`connect_tcp`].
pub(super) fn connect_ws(
    address: WsAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let WsAddress { at, authority, resource } = address;
    let message_type = context.message_type();
    dial(at, Mapping::WebSocketClient { authority, resource, message_type }, context)
}

fn listen_at(
    address: &TcpAddress,
    mapping: Mapping,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let ipv4_only = context.settings().ipv4_only;
    let at = network::interface(&address.host, address.port, ipv4_only)?;
    let acceptor = platform::listen_to_network(at, ipv4_only)?;
    Ok(Listener::start(acceptor, Stream::over_network, mapping, context, reactor::current()?)?)
}

fn dial(
    address: TcpAddress,
    mapping: Mapping,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let ipv4_only = context.settings().ipv4_only;
    if ipv4_only && address.host.is_ipv6() {
        return Err(Error::InvalidArgument);
    }
    let local = address.local.map(|local| network::interface(&local, 0, ipv4_only)).transpose()?;
    let TcpAddress { host, port, .. } = address;
    if matches!(host, address::Host::LinkLocal(..)) && network::numeric(&host, port).is_err() {
        return Err(Error::InvalidArgument);
    }
    let target = Target::Host { host, port, local, ipv4_only };
    Ok(Dialer::start(target, mapping, context, reactor::current()?))
}

/// Binds an ipc endpoint.
///
/// # Errors
/// [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_ipc(path: &Path, context: Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error> {
    let acceptor = platform::listen_locally(path)?;
    Ok(Listener::start(acceptor, Stream::local, Mapping::Ipc, context, reactor::current()?)?)
}

/// Connects an ipc endpoint.
///
/// # Errors
/// The operating system's.
pub(super) fn connect_ipc(
    path: &Path,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let address = platform::local_address(path)?;
    Ok(Dialer::start(Target::Local(address), Mapping::Ipc, context, reactor::current()?))
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

/// The protocols by which a peer may greet a bound endpoint.
fn accepted_protocols(context: &dyn EndpointContext) -> Protocols {
    let first = protocol_pair(context.protocol());
    // Under the socket's lock only if the protocol may filter.
    let second = filtering_pair(context.protocol()).filter(|_| context.filters());
    Protocols { first, second }
}

/// The endpoint that a connection belongs to.
trait Owner: Send + Sync {
    /// The greetings are exchanged, and the socket has its pipe.
    fn established(&self, connection: &Arc<Connection>);
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
