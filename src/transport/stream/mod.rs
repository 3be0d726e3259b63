//! tcp and ipc: a connection of the operating system behind each pipe.
//!
//! A listener accepts connections and a dialer makes one, again and again; a connection greets
//! its peer, gives the socket a pipe, and moves bytes between the pipe's lanes and the kernel.

mod connection;
mod dialer;
mod listener;
mod local;
mod network;
mod outbox;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{SockAddr, Socket};

use super::{Endpoint, Host};
use crate::address::TcpAddress;
use crate::error::Error;
use crate::wire::Framing;
use connection::Connection;
use dialer::{Dialer, Target};
use listener::Listener;

/// Binds a tcp endpoint.
///
/// # Errors
/// [`Error::NoSuchInterface`], [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_tcp(address: &TcpAddress, host: Arc<dyn Host>) -> Result<Arc<dyn Endpoint>, Error> {
    let ipv4_only = host.settings().ipv4_only;
    let at = network::interface(&address.host, address.port, ipv4_only)?;
    let socket = network::listen(at, ipv4_only)?;
    Ok(Listener::start(socket, Framing::Tcp, None, host)?)
}

/// Connects a tcp endpoint.
///
/// # Errors
/// [`Error::InvalidArgument`] for an address that `NN_IPV4ONLY` forbids,
/// [`Error::NoSuchInterface`] for a local part that does not exist, or the operating system's.
pub(super) fn connect_tcp(address: TcpAddress, host: Arc<dyn Host>) -> Result<Arc<dyn Endpoint>, Error> {
    let ipv4_only = host.settings().ipv4_only;
    if ipv4_only && address.host.is_ipv6() {
        return Err(Error::InvalidArgument);
    }
    let local = address.local.map(|local| network::interface(&local, 0, ipv4_only)).transpose()?;
    let target = Target::Tcp { local, host: address.host, port: address.port, ipv4_only };
    Ok(Dialer::start(target, host)?)
}

/// Binds an ipc endpoint.
///
/// # Errors
/// [`Error::AddressInUse`], or the operating system's.
pub(super) fn bind_ipc(path: &Path, host: Arc<dyn Host>) -> Result<Arc<dyn Endpoint>, Error> {
    let (socket, file) = local::listen(path)?;
    Ok(Listener::start(socket, Framing::Ipc, Some(file), host)?)
}

/// Connects an ipc endpoint.
///
/// # Errors
/// The operating system's.
pub(super) fn connect_ipc(path: PathBuf, host: Arc<dyn Host>) -> Result<Arc<dyn Endpoint>, Error> {
    let address = SockAddr::unix(&path)?;
    Ok(Dialer::start(Target::Ipc(address), host)?)
}

/// Who made a connection, and is told how it goes.
trait Owner: Send + Sync {
    /// The greeting is done, and the socket has its pipe.
    fn established(&self, connection: &Arc<Connection>);
    /// The connection is no more.
    fn ended(self: Arc<Self>, connection: &Arc<Connection>);
}

/// Starts connecting a non-blocking socket.
///
/// # Errors
/// The operating system's, but for the one that says that it goes on.
fn connect_without_waiting(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        done => done,
    }
}
