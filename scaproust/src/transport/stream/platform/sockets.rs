//! What the sockets of all systems share: listening, connecting, look-ups and interfaces.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use if_addrs::Interface;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use super::{Acceptor, Stream};
use crate::sync::{above_standard, is_standard};
use crate::transport::{Keepalive, PeerWatch};

/// The backlog of a listening socket.
pub(super) const BACKLOG: i32 = 4096;

/// Whether the socket is connected; `false` while the connect is in progress. For sockets of TCP and of Unix.
///
/// # Errors
/// The reason why the connect has failed. A socket that is connected to itself counts as refused: without a listener,
/// the system may choose the destination as the source port of the connection, if it is in the ephemeral range, and
/// TCP allows such a connection.
pub(in crate::transport::stream) fn is_connected(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(peer) if is_own(socket, &peer) => {
            // Without TIME-WAIT, so that a listener can bind the port. If this fails, it can a minute later.
            let _ = socket.set_linger(Some(Duration::ZERO));
            Err(io::Error::from_raw_os_error(super::REFUSED))
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// The network addresses of the peer and of this side.
pub(in crate::transport::stream) fn network_addresses(
    socket: &Socket,
) -> (Option<SocketAddr>, Option<SocketAddr>) {
    let network = |address: io::Result<SockAddr>| address.ok()?.as_socket();
    (network(socket.peer_addr()), network(socket.local_addr()))
}

/// Whether a network address is the socket's own.
fn is_own(socket: &Socket, address: &SockAddr) -> bool {
    let address = address.as_socket();
    address.is_some() && socket.local_addr().is_ok_and(|own| own.as_socket() == address)
}

/// Makes a socket that listens at `address`; at `[::]`, for IPv4 as well unless it is `only_v6`.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn listen_to_network(
    address: SocketAddr,
    only_v6: bool,
) -> io::Result<Acceptor> {
    let socket = stream(address)?;
    super::take_port(&socket)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6 || !address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Starts connecting a new socket to `address`, from `local` if there is one.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn connect_to_network(
    address: SocketAddr,
    local: Option<SocketAddr>,
) -> io::Result<Stream> {
    let socket = stream(address)?;
    if let Some(local) = local {
        socket.bind(&local.into())?;
    }
    connect_without_waiting(&socket, &address.into())?;
    Ok(Stream::from(socket))
}

fn stream(address: SocketAddr) -> io::Result<Socket> {
    let make = || Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP));
    let socket = above_standard(make, is_standard)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Sets the options with which the kernel finds out that the peer of a TCP socket is gone.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn watch_peer(socket: SockRef<'_>, watch: &PeerWatch) -> io::Result<()> {
    if let Some(Keepalive { idle, interval, count }) = watch.keepalive {
        let mut probes = TcpKeepalive::new();
        if !idle.is_zero() {
            probes = probes.with_time(idle);
        }
        if !interval.is_zero() {
            probes = probes.with_interval(interval);
        }
        if count != 0 {
            probes = probes.with_retries(count);
        }
        socket.set_tcp_keepalive(&probes)?;
    }
    if !watch.user_timeout.is_zero() {
        // The other systems do not have the option, and no program can set it there.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(watch.user_timeout))?;
    }
    Ok(())
}

/// Starts connecting a non-blocking socket.
///
/// # Errors
/// The operating system's, except that the connect is in progress.
pub(super) fn connect_without_waiting(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if super::is_in_progress(&error) => Ok(()),
        done => done,
    }
}

/// The addresses of a name, with port 0. Blocks as long as the resolver likes.
pub(in crate::transport::stream) fn look_up(name: &str) -> Vec<SocketAddr> {
    // The errors of the resolver have no errno value.
    (name, 0).to_socket_addrs().map(Iterator::collect).unwrap_or_default()
}

/// The network interfaces of this machine; none if the system does not say.
pub(in crate::transport::stream) fn interfaces() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_default()
}

/// Only Linux is sure to allow a connection from a port to itself.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::net::Ipv4Addr;

    #[test]
    fn a_socket_that_is_connected_to_itself_is_refused() {
        let socket = stream((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let own = socket.local_addr().unwrap();
        connect_without_waiting(&socket, &own).unwrap();
        let error = Error::from(is_connected(&socket).unwrap_err());
        assert_eq!(error, Error::Os(libc::ECONNREFUSED));
        drop(socket);
        assert!(listen_to_network(own.as_socket().unwrap(), true).is_ok());
    }
}
