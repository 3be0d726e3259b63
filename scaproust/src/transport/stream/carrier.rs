//! What carries a connection before its layer is chosen: a stream of the operating system, or one of the program's transports;
//! and what accepts such streams.

use std::io;
use std::net::SocketAddr;

#[cfg(all(unix, not(simulated)))]
use super::custom::{CustomAcceptor, CustomStream};
use super::platform;

/// A stream that is connected, or being connected.
pub(super) enum Carrier {
    /// Of the operating system.
    System(platform::Stream),
    /// Of a transport of the program.
    #[cfg(all(unix, not(simulated)))]
    Custom(CustomStream),
}

impl From<platform::Stream> for Carrier {
    fn from(stream: platform::Stream) -> Carrier {
        Carrier::System(stream)
    }
}

impl Carrier {
    /// The stream that the poller polls.
    pub(super) fn raw(&self) -> &platform::Stream {
        match self {
            Carrier::System(stream) => stream,
            #[cfg(all(unix, not(simulated)))]
            Carrier::Custom(custom) => &custom.polled,
        }
    }

    /// Whether the stream is connected; `false` while that is in progress.
    ///
    /// # Errors
    /// The reason why the connect has failed.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        match self {
            Carrier::System(stream) => platform::is_connected(stream),
            #[cfg(all(unix, not(simulated)))]
            Carrier::Custom(custom) => custom.is_connected(),
        }
    }

    /// Ends a connect that is not needed any more. Closing is not enough: a forked child may have a copy of the descriptor.
    pub(super) fn abandon(&self) {
        match self {
            // Fails if the peer was first.
            Carrier::System(stream) => _ = stream.shutdown(std::net::Shutdown::Both),
            #[cfg(all(unix, not(simulated)))]
            Carrier::Custom(custom) => custom.abandon(),
        }
    }
}

/// What a listener accepts streams from.
pub(super) enum AnyAcceptor {
    /// A listening socket or pipe.
    System(platform::Acceptor),
    /// A listener of a transport of the program.
    #[cfg(all(unix, not(simulated)))]
    Custom(CustomAcceptor),
}

impl From<platform::Acceptor> for AnyAcceptor {
    fn from(acceptor: platform::Acceptor) -> AnyAcceptor {
        AnyAcceptor::System(acceptor)
    }
}

impl AnyAcceptor {
    /// What the poller polls.
    pub(super) fn raw(&self) -> &platform::Acceptor {
        match self {
            AnyAcceptor::System(acceptor) => acceptor,
            #[cfg(all(unix, not(simulated)))]
            AnyAcceptor::Custom(custom) => &custom.polled,
        }
    }

    /// Accepts the next pending connection.
    ///
    /// # Errors
    /// `WouldBlock` if there is none; the operating system's, or the transport's.
    pub(super) fn accept(&self) -> io::Result<Carrier> {
        match self {
            AnyAcceptor::System(acceptor) => acceptor.accept().map(Carrier::System),
            #[cfg(all(unix, not(simulated)))]
            AnyAcceptor::Custom(custom) => custom.accept(),
        }
    }

    /// The network address that it listens at, if it has one.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.raw().local_addr()
    }

    /// Removes the file that it listens at, if there is one.
    pub(super) fn remove_file(&self) {
        self.raw().remove_file();
    }

    /// Stops listening, also in processes that have a copy of the descriptor; one of the program's transports stops when it is
    /// dropped.
    pub(super) fn stop(&self) {
        match self {
            AnyAcceptor::System(acceptor) => acceptor.stop(),
            #[cfg(all(unix, not(simulated)))]
            AnyAcceptor::Custom(_) => {}
        }
    }
}
