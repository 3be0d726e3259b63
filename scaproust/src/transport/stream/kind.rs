//! The kind of an endpoint's streams: what it makes of those that the operating system has connected.

use std::io;
#[cfg(feature = "tls")]
use std::sync::Arc;

use super::carrier::Carrier;
use super::layers::{Link, Stream};
use super::rings::{Shared, Side};
#[cfg(feature = "tls")]
use crate::sync::{Mutex, lock, rank};
#[cfg(feature = "tls")]
use crate::tls::{Config, Failure, Settings};
use crate::transport::SharedMemory;

/// The kind of an endpoint's streams.
pub(super) enum StreamKind {
    /// TCP.
    Network,
    /// Within this machine.
    Local,
    /// Within this machine, with rings in shared memory if the peer wants them as well.
    Shared(Side, SharedMemory),
    /// TLS over TCP.
    #[cfg(feature = "tls")]
    Secure(Security),
    /// Of a transport of the program.
    #[cfg(all(unix, not(simulated)))]
    Custom,
}

/// The TLS of an endpoint.
#[cfg(feature = "tls")]
pub(super) struct Security {
    settings: Arc<Settings>,
    /// The host to connect to; `None` for a bound endpoint.
    host: Option<String>,
    config: Mutex<Config, rank::TlsConfig>,
}

impl StreamKind {
    /// The kind of the streams of an ipc endpoint on this `side`, with shared memory if that is on and the system has it.
    pub(super) fn local(side: Side, memory: &SharedMemory) -> StreamKind {
        if Shared::EXISTS && memory.ring() > 0 {
            StreamKind::Shared(side, memory.clone())
        } else {
            StreamKind::Local
        }
    }

    /// Whether the answer to a peer's greeting says that shared memory is accepted, which the peer offers with it.
    pub(super) fn awaits_offer(&self) -> bool {
        matches!(self, StreamKind::Shared(Side::Accepted, _))
    }

    /// The kind of an endpoint with TLS that connects to `host`, or is bound.
    ///
    /// # Errors
    /// As [`Config::client`] and [`Config::server`].
    #[cfg(feature = "tls")]
    pub(super) fn secure(settings: &Arc<Settings>, host: Option<String>) -> Result<StreamKind, Failure> {
        let config = Mutex::new(config(settings, host.as_deref())?);
        Ok(StreamKind::Secure(Security { settings: settings.clone(), host, config }))
    }

    /// What the streams of the operating system lead to.
    pub(super) fn link(&self) -> Link {
        match self {
            StreamKind::Local | StreamKind::Shared(..) => Link::Local,
            StreamKind::Network => Link::Network,
            #[cfg(feature = "tls")]
            StreamKind::Secure(_) => Link::Network,
            #[cfg(all(unix, not(simulated)))]
            StreamKind::Custom => Link::Custom,
        }
    }

    /// The stream over a connected one.
    ///
    /// # Errors
    /// If there are no random numbers for TLS.
    pub(super) fn stream(&self, carrier: Carrier) -> io::Result<Stream> {
        let raw = match carrier {
            Carrier::System(raw) => raw,
            #[cfg(all(unix, not(simulated)))]
            Carrier::Custom(custom) => return Ok(Stream::custom(custom)),
        };
        match self {
            StreamKind::Network => Ok(Stream::over_network(raw)),
            StreamKind::Local => Ok(Stream::local(raw)),
            StreamKind::Shared(side, memory) => Ok(Stream::sharing(raw, Shared::new(*side, memory))),
            #[cfg(all(unix, not(simulated)))]
            StreamKind::Custom => Ok(Stream::over_network(raw)),
            #[cfg(feature = "tls")]
            StreamKind::Secure(security) => {
                let config = lock(&security.config).clone();
                Stream::secure(raw, &config).map_err(|failure| io::Error::other(failure.reason))
            }
        }
    }

    /// Whether connections begin with a handshake that can fail: they count as made when the peer's greeting has come.
    pub(super) fn is_secure(&self) -> bool {
        match self {
            StreamKind::Network | StreamKind::Local | StreamKind::Shared(..) => false,
            #[cfg(feature = "tls")]
            StreamKind::Secure(_) => true,
            #[cfg(all(unix, not(simulated)))]
            StreamKind::Custom => false,
        }
    }

    /// Reads the files of the endpoint again, for the connections that are made from now on. On failure nothing changes.
    ///
    /// # Errors
    /// As [`StreamKind::secure`]; [`InvalidArgument`](crate::Error::InvalidArgument) without TLS.
    #[cfg(feature = "tls")]
    pub(super) fn reload(&self) -> Result<(), Failure> {
        let StreamKind::Secure(Security { settings, host, config: current }) = self else {
            let reason = "the endpoint has no TLS".to_owned();
            return Err(Failure { error: crate::Error::InvalidArgument, reason });
        };
        let new = config(settings, host.as_deref())?;
        *lock(current) = new;
        Ok(())
    }
}

#[cfg(feature = "tls")]
fn config(settings: &Settings, host: Option<&str>) -> Result<Config, Failure> {
    match host {
        Some(host) => Config::client(settings, host),
        None => Config::server(settings),
    }
}
