//! The stream of a connection: the operating system's, and the layer that carries the connection's bytes over it.
//!
//! Owns what the driver must know about the two; the halves in [`wire`](crate::wire) know neither. The layer is chosen when
//! the stream is made. A new layer is a variant of [`Layer`] and its arm of each `match`.

#[cfg(all(test, not(loom)))]
pub(super) mod masked;
#[cfg(all(feature = "tls", unix, any(fuzzing, test), not(any(loom, simulated))))]
mod secured;
#[cfg(feature = "tls")]
mod tls;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};

use socket2::MaybeUninitSlice;

#[cfg(all(test, not(loom)))]
use self::masked::Masked;
#[cfg(all(feature = "tls", unix, any(fuzzing, test), not(any(loom, simulated))))]
pub(crate) use self::secured::Secured;
#[cfg(feature = "tls")]
use self::tls::Tls;
#[cfg(all(unix, not(simulated)))]
use super::custom::{CustomLayer, CustomStream};
use super::platform::{self, NO_SIGNAL, SHORT_READ_IS_ALL};
use super::rings::Shared;
use crate::pipe::Credentials;
use crate::sync::Descriptor;
#[cfg(feature = "tls")]
use crate::tls::{Config, Failure, Fault, PeerIdentity};
use crate::transport::PeerWatch;

/// A stream of bytes to a peer.
pub(super) struct Stream {
    raw: platform::Stream,
    link: Link,
    layer: Layer,
}

/// Where the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Behind TCP.
    Network,
    /// On this machine, behind a Unix-domain socket or a named pipe.
    Local,
    /// Behind a transport of the program.
    #[cfg(all(unix, not(simulated)))]
    Custom,
}

impl Link {
    /// The network addresses of the peer of `raw` and of this side, if they have such.
    pub(super) fn network_addresses(
        self,
        raw: &platform::Stream,
    ) -> (Option<SocketAddr>, Option<SocketAddr>) {
        match self {
            Link::Network => platform::network_addresses(raw),
            Link::Local => (None, None),
            // There are none unless its descriptor is that of a socket of TCP.
            #[cfg(all(unix, not(simulated)))]
            Link::Custom => platform::network_addresses(raw),
        }
    }

    /// The peer's process, if it is on this machine and the system names it.
    pub(super) fn credentials(self, raw: &platform::Stream) -> Option<Credentials> {
        match self {
            Link::Network => None,
            Link::Local => platform::credentials(raw),
            #[cfg(all(unix, not(simulated)))]
            Link::Custom => None,
        }
    }
}

/// How the connection's bytes travel over the operating system's stream.
enum Layer {
    /// As they are.
    Plain,
    /// Through rings in shared memory, if the peer wants that as well.
    Shared(Box<Shared>),
    /// As records of TLS.
    #[cfg(feature = "tls")]
    Tls(Box<Tls>),
    /// As the stream of a transport of the program carries them.
    #[cfg(all(unix, not(simulated)))]
    Custom(CustomLayer),
    /// Changed, for the tests of the driver.
    #[cfg(all(test, not(loom)))]
    Masked(Masked),
}

impl Stream {
    /// A TCP stream, connected.
    pub(super) fn over_network(raw: platform::Stream) -> Stream {
        Stream { raw, link: Link::Network, layer: Layer::Plain }
    }

    /// A TCP stream, connected, that carries TLS.
    ///
    /// # Errors
    /// If the system has no random numbers.
    #[cfg(feature = "tls")]
    pub(super) fn secure(raw: platform::Stream, config: &Config) -> Result<Stream, Failure> {
        Ok(Stream { raw, link: Link::Network, layer: Layer::Tls(Box::new(Tls::new(config)?)) })
    }

    /// A stream within this machine, connected.
    pub(super) fn local(raw: platform::Stream) -> Stream {
        Stream { raw, link: Link::Local, layer: Layer::Plain }
    }

    /// A stream within this machine, connected, with shared memory if there is some for it.
    pub(super) fn sharing(raw: platform::Stream, shared: Option<Shared>) -> Stream {
        let layer = shared.map_or(Layer::Plain, |shared| Layer::Shared(Box::new(shared)));
        Stream { raw, link: Link::Local, layer }
    }

    /// A connected stream of a transport of the program.
    #[cfg(all(unix, not(simulated)))]
    pub(super) fn custom(custom: CustomStream) -> Stream {
        let (raw, layer) = custom.into_parts();
        Stream { raw, link: Link::Custom, layer: Layer::Custom(layer) }
    }

    /// A stream within this machine with the layer of the tests.
    #[cfg(all(test, not(loom)))]
    pub(super) fn masked(raw: platform::Stream) -> Stream {
        Stream { raw, link: Link::Local, layer: Layer::Masked(Masked::default()) }
    }

    /// The operating system's stream, for the poller and for connecting.
    pub(super) fn raw(&self) -> &platform::Stream {
        &self.raw
    }

    /// Whether the stream is within this machine, and not TCP.
    pub(super) fn is_local(&self) -> bool {
        self.link == Link::Local
    }

    /// The network addresses of the peer and of this side, if they have such.
    pub(super) fn network_addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        self.link.network_addresses(&self.raw)
    }

    /// The peer's process, if it is on this machine and the system names it.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.link.credentials(&self.raw)
    }

    /// Whether the stream carries TLS.
    pub(super) fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return matches!(self.layer, Layer::Tls(_));
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Sets `TCP_NODELAY`, if there is TCP.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn set_nodelay(&self, is_set: bool) -> io::Result<()> {
        match self.link {
            Link::Network => self.raw.set_tcp_nodelay(is_set),
            Link::Local => Ok(()),
            #[cfg(all(unix, not(simulated)))]
            Link::Custom => Ok(()),
        }
    }

    /// Lets the system find out that the peer is gone, if there is TCP.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn watch_peer(&self, watch: &PeerWatch) -> io::Result<()> {
        match self.link {
            Link::Network => platform::watch_peer(&self.raw, watch),
            Link::Local => Ok(()),
            #[cfg(all(unix, not(simulated)))]
            Link::Custom => Ok(()),
        }
    }

    /// The descriptor that a thread polls before it reads from the stream itself; `None` if that would not tell whether
    /// there is something to read, or only the I/O thread can read.
    pub(super) fn descriptor(&self) -> Option<Descriptor> {
        match &self.layer {
            Layer::Plain | Layer::Shared(_) => platform::descriptor(&self.raw),
            #[cfg(feature = "tls")]
            // All plaintext is taken by a read, except by one into little memory.
            Layer::Tls(tls) if tls.holds_plaintext() => None,
            #[cfg(feature = "tls")]
            Layer::Tls(_) => platform::descriptor(&self.raw),
            // The program's stream may hold bytes that it has read ahead.
            #[cfg(all(unix, not(simulated)))]
            Layer::Custom(_) => None,
            #[cfg(all(test, not(loom)))]
            Layer::Masked(_) => None,
        }
    }

    /// Whether [`Stream::read`] can fill the memory of a message without a copy.
    pub(super) fn reads_directly(&self) -> bool {
        match &self.layer {
            Layer::Plain | Layer::Shared(_) => true,
            #[cfg(feature = "tls")]
            Layer::Tls(_) => false,
            #[cfg(all(unix, not(simulated)))]
            Layer::Custom(_) => false,
            #[cfg(all(test, not(loom)))]
            Layer::Masked(_) => false,
        }
    }

    /// Reads into `direct`, which requires [`Stream::reads_directly`], and then into `spill`. Returns the number of bytes;
    /// zero is the end.
    ///
    /// # Errors
    /// The operating system's; `WouldBlock` when nothing is left to read until the poller reports the stream.
    pub(super) fn read(
        &self,
        direct: Option<&mut [MaybeUninit<u8>]>,
        spill: &mut [MaybeUninit<u8>],
    ) -> io::Result<usize> {
        match (&self.layer, direct) {
            (Layer::Plain, None) => self.raw.recv(spill),
            (Layer::Plain, Some(direct)) => {
                let mut both = [MaybeUninitSlice::new(direct), MaybeUninitSlice::new(spill)];
                self.raw.recv_vectored(&mut both).map(|(count, _)| count)
            }
            (Layer::Shared(shared), direct) => shared.read(&self.raw, direct, spill),
            #[cfg(feature = "tls")]
            (Layer::Tls(tls), _) => tls.read(&self.raw, spill),
            #[cfg(all(unix, not(simulated)))]
            (Layer::Custom(custom), _) => custom.read(spill),
            #[cfg(all(test, not(loom)))]
            (Layer::Masked(masked), _) => masked.read(&self.raw, spill),
        }
    }

    /// Whether a read that did not fill its buffers has left nothing to read until the poller reports the stream.
    pub(super) fn short_read_is_all(&self) -> bool {
        match &self.layer {
            Layer::Plain => SHORT_READ_IS_ALL,
            Layer::Shared(shared) => shared.tells_of_input(),
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.short_read_is_all(),
            #[cfg(all(unix, not(simulated)))]
            Layer::Custom(_) => false,
            #[cfg(all(test, not(loom)))]
            Layer::Masked(_) => false,
        }
    }

    /// Writes as many bytes of `pieces` as the stream takes, without SIGPIPE. Returns their number.
    ///
    /// # Errors
    /// The operating system's; `WouldBlock` when it takes none until the poller reports room.
    pub(super) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&self.layer, pieces) {
            (Layer::Plain, [only]) => self.raw.send_with_flags(only, NO_SIGNAL),
            (Layer::Plain, pieces) => self.raw.send_vectored_with_flags(pieces, NO_SIGNAL),
            (Layer::Shared(shared), pieces) => shared.write(&self.raw, pieces),
            #[cfg(feature = "tls")]
            (Layer::Tls(tls), pieces) => tls.write(&self.raw, pieces),
            #[cfg(all(unix, not(simulated)))]
            (Layer::Custom(custom), pieces) => custom.write(pieces),
            #[cfg(all(test, not(loom)))]
            (Layer::Masked(masked), pieces) => masked.write(&self.raw, pieces),
        }
    }

    /// Whether a write by this thread would wait for no lock that it holds, when it was interrupted while it read.
    pub(super) fn is_free(&self) -> bool {
        match &self.layer {
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.is_free(),
            Layer::Shared(shared) => shared.is_free(),
            _ => true,
        }
    }

    /// Writes the bytes that the layer holds back: those that [`Stream::write`] has accepted, and its own answers to what
    /// was read.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub(super) fn flush(&self) -> io::Result<()> {
        match &self.layer {
            Layer::Plain => Ok(()),
            Layer::Shared(shared) => shared.flush(&self.raw),
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.flush(&self.raw),
            #[cfg(all(unix, not(simulated)))]
            Layer::Custom(_) => Ok(()),
            #[cfg(all(test, not(loom)))]
            Layer::Masked(masked) => masked.flush(&self.raw),
        }
    }

    /// Whether there is something to [`flush`](Stream::flush), after a read.
    pub(super) fn wants_flush(&self) -> bool {
        match &self.layer {
            Layer::Plain => false,
            Layer::Shared(shared) => shared.wants_flush(),
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.wants_flush(),
            #[cfg(all(unix, not(simulated)))]
            Layer::Custom(_) => false,
            #[cfg(all(test, not(loom)))]
            Layer::Masked(masked) => masked.wants_flush(),
        }
    }

    /// Whether polling the descriptor tells that there is something to read. Not so while a read has left bytes in shared
    /// memory: then the thread that has stopped there, or the one that makes room for them, must see to it that they are read.
    pub(super) fn tells_of_input(&self) -> bool {
        match &self.layer {
            Layer::Shared(shared) => shared.tells_of_input(),
            _ => true,
        }
    }

    /// Whether the connection's bytes travel through shared memory. Room for a writer is then reported as something to read.
    pub(super) fn uses_shared_memory(&self) -> bool {
        match &self.layer {
            Layer::Shared(shared) => shared.is_in_use(),
            _ => false,
        }
    }

    /// Whether the peer, or its kernel, may not have taken everything.
    pub(super) fn has_unacknowledged(&self) -> bool {
        let shared = if let Layer::Shared(shared) = &self.layer { shared.has_unread() } else { None };
        shared.unwrap_or_else(|| platform::has_unacknowledged(&self.raw))
    }

    /// Whether bytes were read ahead that no event will report.
    pub(super) fn holds_input(&self) -> bool {
        match &self.layer {
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.holds_plaintext(),
            _ => false,
        }
    }

    /// Whether the layer has failed, and has an alert for the peer that says why.
    pub(super) fn has_alert(&self) -> bool {
        match &self.layer {
            #[cfg(feature = "tls")]
            Layer::Tls(tls) => tls.fault().is_some(),
            _ => false,
        }
    }

    /// Whether the kernel has bytes or the end of the peer's direction, or an error, that no read has returned yet.
    #[cfg(feature = "tls")]
    pub(super) fn has_input(&self) -> bool {
        let outcome = self.raw.peek(&mut [MaybeUninit::uninit()]);
        !outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the peer's first message of the TLS handshake has come and was accepted. `None` while it, or a later one, is being
    /// processed, and for other streams.
    #[cfg(feature = "tls")]
    pub(super) fn handshake_has_begun(&self) -> Option<bool> {
        match &self.layer {
            Layer::Tls(tls) => tls.has_begun(),
            _ => None,
        }
    }

    /// The kind of the layer's failure, if it has failed: the error of a read does not tell it.
    #[cfg(feature = "tls")]
    pub(super) fn fault(&self) -> Option<Fault> {
        match &self.layer {
            Layer::Tls(tls) => tls.fault(),
            _ => None,
        }
    }

    /// The peer, if it has shown a certificate.
    #[cfg(feature = "tls")]
    pub(super) fn peer_identity(&self) -> Option<PeerIdentity> {
        match &self.layer {
            Layer::Tls(tls) => tls.peer(),
            _ => None,
        }
    }

    /// Why the connection has failed, when it has ended before the peer's greeting; `None` unless it carries TLS.
    #[cfg(feature = "tls")]
    pub(super) fn handshake_failure(&self) -> Option<Failure> {
        match &self.layer {
            Layer::Tls(tls) => Some(tls.reason()),
            _ => None,
        }
    }

    /// Shuts down both directions of a connection that was never made. Another thread that performs the TLS handshake is not
    /// waited for: there is nothing to tell the peer then.
    pub(super) fn abandon(&self) {
        if self.is_free() {
            self.shutdown(Shutdown::Both);
        } else {
            // Fails if the peer was first.
            let _ = self.raw.shutdown(Shutdown::Both);
        }
    }

    /// Shuts down one direction or both, for each process that has the descriptor.
    pub(super) fn shutdown(&self, how: Shutdown) {
        #[cfg(feature = "tls")]
        if let Layer::Tls(tls) = &self.layer {
            tls.close(&self.raw, how);
        }
        #[cfg(all(unix, not(simulated)))]
        if let Layer::Custom(custom) = &self.layer {
            return custom.shutdown(how);
        }
        // Fails if the peer was first.
        let _ = self.raw.shutdown(how);
    }
}
