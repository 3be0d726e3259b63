//! Listening for connections of tcp and ipc.
//!
//! A listening socket serves any number of peers. A named pipe has one instance for each: several wait for a peer, and
//! one that gets its peer is replaced.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use mio::event::Source;
use mio::net::TcpListener;
use mio::windows::NamedPipe;
use mio::{Interest, Registry, Token};
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::WSAEADDRINUSE;

use super::named_pipe::{self, LocalAddress, PipeEnd, local_address};
use super::stream::Stream;
use crate::address::LocalName;
use crate::sync::{Mutex, PerProcess, lock, rank};

/// Pipe instances that wait for a peer. Without one a connect fails, and is tried again.
const WAITING: usize = 8;

/// The names that this process listens at. The system would allow a second listener at a name.
static TAKEN: PerProcess<Mutex<HashSet<String>, rank::PipeNames>> = PerProcess::new(Mutex::default);

/// A listening socket or pipe.
pub(in crate::transport::stream) struct Acceptor(Kind);

enum Kind {
    Network(Mutex<TcpListener, rank::Acceptor>),
    Pipe(Mutex<Instances, rank::Acceptor>),
}

/// An entry of [`TAKEN`]. Dropping it removes the entry.
struct Taken(String);

impl Taken {
    fn new(name: &LocalAddress) -> io::Result<Taken> {
        // Names of pipes are case-insensitive.
        let key = name.to_string_lossy().to_lowercase();
        let is_free = lock(TAKEN.get()).insert(key.clone());
        if is_free { Ok(Taken(key)) } else { Err(io::Error::from_raw_os_error(WSAEADDRINUSE)) }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        lock(TAKEN.get()).remove(&self.0);
    }
}

/// The instances of a pipe that wait for a peer.
struct Instances {
    name: LocalAddress,
    waiting: Vec<NamedPipe>,
    /// The poller that each instance is registered with.
    poller: Option<(Registry, Token)>,
    _taken: Taken,
}

impl Instances {
    /// Makes instances until [`WAITING`] of them wait.
    fn fill(&mut self) -> io::Result<()> {
        while self.waiting.len() < WAITING {
            let mut pipe = named_pipe::create(&self.name)?;
            if let Some((registry, token)) = &self.poller {
                await_peer(&mut pipe, registry, *token)?;
            }
            self.waiting.push(pipe);
        }
        Ok(())
    }

    /// Takes an instance that has its peer.
    fn accept(&mut self) -> io::Result<NamedPipe> {
        self.fill()?;
        let (registry, _) = self.poller.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        for index in 0..self.waiting.len() {
            match self.waiting[index].connect() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                connected => {
                    let mut pipe = self.waiting.swap_remove(index);
                    // The connection registers it again.
                    pipe.deregister(registry)?;
                    return connected.map(|()| pipe);
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Registers an instance, so that the poller reports when it has its peer.
fn await_peer(pipe: &mut NamedPipe, registry: &Registry, token: Token) -> io::Result<()> {
    pipe.register(registry, token, Interest::WRITABLE)?;
    match pipe.connect() {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        // A peer that is connected already is reported too.
        _ => Ok(()),
    }
}

impl From<Socket> for Acceptor {
    fn from(socket: Socket) -> Acceptor {
        Acceptor(Kind::Network(Mutex::new(TcpListener::from_std(socket.into()))))
    }
}

/// Listens at a named pipe, which has no permissions.
///
/// # Errors
/// The operating system's; `WSAEADDRINUSE` when this process listens there already.
pub(in crate::transport::stream) fn listen_locally(
    name: &LocalName,
    _permissions: u32,
) -> io::Result<Acceptor> {
    let name = local_address(name)?;
    let taken = Taken::new(&name)?;
    let mut instances = Instances { name, waiting: Vec::with_capacity(WAITING), poller: None, _taken: taken };
    instances.fill()?;
    Ok(Acceptor(Kind::Pipe(Mutex::new(instances))))
}

impl Acceptor {
    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// The operating system's, `WouldBlock` among them.
    pub(in crate::transport::stream) fn accept(&self) -> io::Result<Stream> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).accept().map(|(stream, _)| stream.into()),
            Kind::Pipe(instances) => lock(instances).accept().map(|pipe| PipeEnd::new(pipe).into()),
        }
    }

    /// The network address that it listens at, if it is one of tcp.
    pub(in crate::transport::stream) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).local_addr().ok(),
            Kind::Pipe(_) => None,
        }
    }

    /// There is no abstract namespace.
    pub(in crate::transport::stream) fn abstract_name(&self) -> Option<Vec<u8>> {
        None
    }

    /// Does nothing: a named pipe has no file.
    pub(in crate::transport::stream) fn remove_file(&self) {}

    /// Does nothing: closing the handles stops listening, as no other process has them.
    pub(in crate::transport::stream) fn stop(&self) {}
}

impl Source for &Acceptor {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).register(registry, token, interests),
            Kind::Pipe(instances) => {
                let mut instances = lock(instances);
                instances.poller = Some((registry.try_clone()?, token));
                instances.waiting.iter_mut().try_for_each(|pipe| await_peer(pipe, registry, token))
            }
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).reregister(registry, token, interests),
            Kind::Pipe(instances) => lock(instances)
                .waiting
                .iter_mut()
                .try_for_each(|pipe| pipe.reregister(registry, token, interests)),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).deregister(registry),
            Kind::Pipe(instances) => {
                let mut instances = lock(instances);
                instances.poller = None;
                instances.waiting.iter_mut().try_for_each(|pipe| pipe.deregister(registry))
            }
        }
    }
}
