//! `fd://` and `socket://`: endpoints on sockets that the program has opened.
//!
//! A listening socket becomes a [`Listener`], a connected one a [`GivenConnection`]. The program's descriptor belongs to
//! the library only once the call that makes the endpoint succeeds: [`Taken`] has it until then.

use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::Connection;
use super::kind::StreamKind;
use super::listener::{Chosen, Listener};
use super::platform::{Given, Original, Role};
use super::{Owner, protocol_pair};
use crate::address::DescriptorAddress;
use crate::error::Error;
use crate::sync::{Mutex, lock, rank};
use crate::transport::{Endpoint, EndpointContext, EndpointEvent, Linger};
use crate::wire::Mapping;

/// The mapping of a socket, and the kind of its stream.
fn kind(given: &Given, is_tcp: bool) -> (Mapping, StreamKind) {
    match given.is_local() {
        true if is_tcp => (Mapping::Tcp, StreamKind::Local),
        true => (Mapping::Ipc, StreamKind::Local),
        false => (Mapping::Tcp, StreamKind::Network),
    }
}

/// Binds an endpoint to a listening socket of the program.
///
/// # Errors
/// As [`Given::new`], or the operating system's.
pub(in crate::transport) fn bind(
    address: &DescriptorAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let given = Given::new(&address.descriptor, Role::Listener)?;
    let (mapping, kind) = kind(&given, address.is_tcp);
    // No scheme but `socket` stands for the tcp mapping over a local socket.
    let chosen = if address.is_tcp && given.is_local() { None } else { given.address() };
    let (acceptor, original) = given.into_acceptor();
    let chosen = chosen.map(Chosen::Address);
    let reactor = context.reactor()?;
    let listener = Listener::start(acceptor, chosen, kind, mapping, context, reactor)?;
    Ok(Arc::new(Taken { endpoint: listener, original }))
}

/// Makes an endpoint of a connected socket of the program.
///
/// # Errors
/// As [`Given::new`], or the operating system's.
pub(in crate::transport) fn connect(
    address: &DescriptorAddress,
    context: Arc<dyn EndpointContext>,
) -> Result<Arc<dyn Endpoint>, Error> {
    let given = Given::new(&address.descriptor, Role::Connection)?;
    let (mapping, kind) = kind(&given, address.is_tcp);
    let (stream, mut original) = given.into_stream();
    let endpoint = Arc::new(GivenConnection::default());
    let connection = {
        // The lock is held meanwhile, so that the end of the connection finds it.
        let mut slot = lock(&endpoint.0);
        let owner = endpoint.clone();
        let connection = Connection::start(
            kind.stream(stream.into())?,
            mapping,
            protocol_pair(context.protocol()),
            context.clone(),
            owner,
            context.reactor()?,
        )?;
        *slot = Some(connection.clone());
        connection
    };
    // From now on the connection is used up, also if the call fails.
    original.forget_flags();
    context.report(EndpointEvent::Connected);
    connection.greet();
    Ok(Arc::new(Taken { endpoint, original }))
}

/// An endpoint, and the descriptor of the program that it was made of.
struct Taken {
    endpoint: Arc<dyn Endpoint>,
    original: Original,
}

impl Endpoint for Taken {
    fn close(&self, linger: &Arc<Linger>) {
        self.endpoint.close(linger);
    }

    fn keep(&self) {
        self.original.keep();
    }

    fn address(&self, given: &[u8]) -> Vec<u8> {
        self.endpoint.address(given)
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.endpoint.local_addr()
    }
}

/// The endpoint of a connected socket. There is no address to connect to again: without its connection it does nothing
/// until it is shut down.
#[derive(Default)]
struct GivenConnection(Mutex<Option<Arc<Connection>>, rank::Dialer>);

impl Owner for GivenConnection {
    fn is_dialer(&self) -> bool {
        true
    }

    fn established(&self, _connection: &Arc<Connection>) {}

    /// There is no TLS.
    #[cfg(feature = "tls")]
    fn handshake_failed(&self, _failure: &crate::tls::Failure) {}

    fn ended(self: Arc<Self>, _connection: &Arc<Connection>) {
        lock(&self.0).take();
    }
}

impl Endpoint for GivenConnection {
    fn close(&self, linger: &Arc<Linger>) {
        let connection = lock(&self.0).clone();
        if let Some(connection) = connection {
            connection.close(linger);
        }
    }
}
