//! Where connections of tcp and ipc are accepted.
//!
//! A socket listens for any number of peers. A named pipe has one end for each: some are kept
//! waiting, and one that gets its peer is replaced.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use mio::event::Source;
use mio::net::TcpListener;
use mio::windows::NamedPipe;
use mio::{Interest, Registry, Token};
use socket2::Socket;
use windows_sys::Win32::Networking::WinSock::WSAEADDRINUSE;

use super::named_pipe::{self, LocalAddress, PipeEnd, local_address};
use super::stream::Stream;
use crate::sync::{Mutex, PerProcess, lock};

/// Ends that wait for a peer. When there are none, who connects is told so, and comes again.
const WAITING: usize = 8;

/// The names that this process listens at: the system would let it do so twice.
static TAKEN: PerProcess<Mutex<HashSet<String>>> = PerProcess::new(Mutex::default);

/// Where connections are accepted.
pub(in crate::transport::stream) struct Acceptor(Kind);

enum Kind {
    Network(Mutex<TcpListener>),
    Pipe(Mutex<Ends>),
}

/// The right to listen at a name.
struct Taken(String);

impl Taken {
    fn new(name: &LocalAddress) -> io::Result<Taken> {
        // The system makes no difference between large and small letters either.
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

/// The ends of a pipe that wait.
struct Ends {
    name: LocalAddress,
    waiting: Vec<NamedPipe>,
    /// The poller is to hear of each.
    poller: Option<(Registry, Token)>,
    _taken: Taken,
}

impl Ends {
    /// Has as many ends wait as there are to be.
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

    /// An end that has its peer.
    fn accept(&mut self) -> io::Result<NamedPipe> {
        self.fill()?;
        let (registry, _) = self.poller.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        for place in 0..self.waiting.len() {
            match self.waiting[place].connect() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                connected => {
                    let mut pipe = self.waiting.swap_remove(place);
                    // The connection registers it anew.
                    pipe.deregister(registry)?;
                    return connected.map(|()| pipe);
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Has the poller say when the pipe has its peer.
fn await_peer(pipe: &mut NamedPipe, registry: &Registry, token: Token) -> io::Result<()> {
    pipe.register(registry, token, Interest::WRITABLE)?;
    match pipe.connect() {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        // If it has one already, that is reported too.
        _ => Ok(()),
    }
}

impl From<Socket> for Acceptor {
    fn from(socket: Socket) -> Acceptor {
        Acceptor(Kind::Network(Mutex::new(TcpListener::from_std(socket.into()))))
    }
}

/// Listens at the named pipe of a path.
///
/// # Errors
/// The operating system's; `WSAEADDRINUSE` when this process does so already.
pub(in crate::transport::stream) fn listen_locally(path: &Path) -> io::Result<Acceptor> {
    let name = local_address(path)?;
    let taken = Taken::new(&name)?;
    let mut ends = Ends { name, waiting: Vec::with_capacity(WAITING), poller: None, _taken: taken };
    ends.fill()?;
    Ok(Acceptor(Kind::Pipe(Mutex::new(ends))))
}

impl Acceptor {
    /// The next connection that waits to be accepted.
    ///
    /// # Errors
    /// The operating system's, `WouldBlock` among them.
    pub(in crate::transport::stream) fn accept(&self) -> io::Result<Stream> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).accept().map(|(stream, _)| stream.into()),
            Kind::Pipe(ends) => lock(ends).accept().map(|pipe| PipeEnd::new(pipe).into()),
        }
    }

    /// Stops listening. Closing the handles does so: no other process has them.
    pub(in crate::transport::stream) fn stop(&self) {}
}

impl Source for &Acceptor {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).register(registry, token, interests),
            Kind::Pipe(ends) => {
                let mut ends = lock(ends);
                ends.poller = Some((registry.try_clone()?, token));
                ends.waiting.iter_mut().try_for_each(|pipe| await_peer(pipe, registry, token))
            }
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).reregister(registry, token, interests),
            Kind::Pipe(ends) => {
                lock(ends).waiting.iter_mut().try_for_each(|pipe| pipe.reregister(registry, token, interests))
            }
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &self.0 {
            Kind::Network(listener) => lock(listener).deregister(registry),
            Kind::Pipe(ends) => {
                let mut ends = lock(ends);
                ends.poller = None;
                ends.waiting.iter_mut().try_for_each(|pipe| pipe.deregister(registry))
            }
        }
    }
}
