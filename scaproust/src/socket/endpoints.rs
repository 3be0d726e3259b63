//! The endpoints of a socket: bind, connect and shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::core::OpenEndpoint;
use super::endpoint_options::EndpointOptions;
use super::event::{EventKind, SocketEvent};
use super::peer_info::EndpointName;
use super::socket_endpoint::SocketEndpoint;
use super::statistics::Statistic;
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::sync::lock;
use crate::transport::{self, Endpoint, EndpointContext, Linger};

impl Socket {
    /// Binds the socket to an address. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_bind` documents them: those of the address, and of the operating system. [`Error::NotSupported`] for a
    /// context.
    pub fn bind(&self, address: &[u8]) -> Result<i32, Error> {
        self.bind_with(address, &EndpointOptions::default())
    }

    /// As [`Socket::bind`], for an endpoint with options of its own.
    ///
    /// # Errors
    /// As [`Socket::bind`], and [`Error::InvalidArgument`] or [`Error::UnknownOption`] for an option.
    pub(crate) fn bind_with(&self, address: &[u8], options: &EndpointOptions) -> Result<i32, Error> {
        let bound = self.add_endpoint(address, true, options, transport::bind).map(kept);
        if let Err(error) = bound {
            let mut edges = Edges::default();
            {
                let mut core = self.core.lock();
                core.statistics[Statistic::BindErrors] += 1;
                let (local, error) = (Some(address.to_owned()), Some(error));
                core.watch.publish(
                    SocketEvent { local, error, ..SocketEvent::new(EventKind::BindFailed) },
                    &mut edges,
                );
            }
            edges.deliver();
        }
        bound
    }

    /// Connects the socket to an address, without waiting for a connection. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_connect` documents them: those of the address. [`Error::NotSupported`] for a context.
    pub fn connect(&self, address: &[u8]) -> Result<i32, Error> {
        self.connect_with(address, &EndpointOptions::default())
    }

    /// As [`Socket::connect`], for an endpoint with options of its own.
    ///
    /// # Errors
    /// As [`Socket::connect`], and [`Error::InvalidArgument`] or [`Error::UnknownOption`] for an option.
    pub(crate) fn connect_with(&self, address: &[u8], options: &EndpointOptions) -> Result<i32, Error> {
        self.add_endpoint(address, false, options, transport::connect).map(kept)
    }

    /// As [`Socket::connect`], for a call that may still fail: if it succeeds, it [keeps](Endpoint::keep) the endpoint.
    ///
    /// # Errors
    /// As [`Socket::connect`].
    pub(super) fn begin_connect(&self, address: &[u8]) -> Result<(i32, Arc<dyn Endpoint>), Error> {
        self.add_endpoint(address, false, &EndpointOptions::default(), transport::connect)
    }

    fn add_endpoint(
        &self,
        address: &[u8],
        is_bound: bool,
        options: &EndpointOptions,
        make: impl FnOnce(&[u8], Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error>,
    ) -> Result<(i32, Arc<dyn Endpoint>), Error> {
        if self.is_context() {
            return self.check_parent().and(Err(Error::NotSupported));
        }
        let this = self.this.upgrade().ok_or(Error::Closed)?;
        let (context, id) = {
            let core = &mut *self.core.lock();
            let options = options.over(&core.options)?;
            let id = core.endpoints.next_id();
            let name = EndpointName::new(id, is_bound, address);
            (SocketEndpoint::new(this, name, &options), id)
        };
        let (state, name) = (context.state().clone(), context.name().clone());
        let connections = context.connections().clone();
        let made = make(address, Arc::new(context));
        let mut core = self.core.lock();
        let endpoint = match made {
            Ok(endpoint) => endpoint,
            Err(error) => {
                core.endpoints.return_id(id);
                return Err(error);
            }
        };
        if core.is_closing {
            drop(core);
            endpoint.close(&Linger::begin(Some(Duration::ZERO)));
            return Err(Error::Closed);
        }
        let open = OpenEndpoint { endpoint: endpoint.clone(), state, connections, name };
        core.endpoints.open.insert(id, open);
        Ok((id, endpoint))
    }

    /// The address of an endpoint, with what the system has chosen: a port, for example.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint.
    pub fn endpoint_address(&self, endpoint: i32) -> Result<Vec<u8>, Error> {
        let core = self.core.lock();
        core.endpoints
            .open
            .get(&endpoint)
            .map(|open| open.name.address().to_owned())
            .ok_or(Error::InvalidArgument)
    }

    /// The network address at which an endpoint listens; `None` if it is connected, or not one of tcp or ws.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint.
    pub(crate) fn endpoint_local_addr(&self, endpoint: i32) -> Result<Option<SocketAddr>, Error> {
        let endpoint = self.core.lock().endpoints.open.get(&endpoint).map(|open| open.endpoint.clone());
        endpoint.ok_or(Error::InvalidArgument).map(|endpoint| endpoint.local_addr())
    }

    /// As [`Socket::endpoint_address`], of the endpoint that was added last; empty if there is no endpoint.
    #[must_use]
    pub fn last_endpoint_address(&self) -> Vec<u8> {
        let core = self.core.lock();
        core.endpoints
            .open
            .last_key_value()
            .map(|(_, open)| open.name.address().to_owned())
            .unwrap_or_default()
    }

    /// Shuts an endpoint down. What was sent on it is still delivered, within the time of `NN_LINGER`; the
    /// call does not wait for that.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint, and [`Error::Closed`] while the socket is being closed.
    pub fn shutdown(&self, endpoint: i32) -> Result<(), Error> {
        let (OpenEndpoint { endpoint, state, name, .. }, linger) = {
            let mut core = self.lock()?;
            if core.is_context {
                return Err(Error::InvalidArgument);
            }
            let id = endpoint;
            let endpoint = core.endpoints.open.remove(&id).ok_or(Error::InvalidArgument)?;
            core.endpoints.counters.remove(&id);
            let linger = Linger::begin(core.options.timeout(SocketOption::Linger));
            core.endpoints.closing.retain(|(linger, _)| !linger.is_finished());
            (endpoint, linger)
        };
        endpoint.close(&linger);
        let mut edges = Edges::default();
        {
            let mut state = lock(&state);
            let mut core = self.core.lock();
            state.end(&mut core.statistics);
            core.watch.publish(name.event(EventKind::Closed), &mut edges);
            if !linger.is_finished() {
                core.endpoints.closing.push((linger, endpoint));
            }
        }
        edges.deliver();
        // A call may be waiting for its connection.
        self.connects.notify_all();
        Ok(())
    }
}

/// The id of an endpoint, which a call that succeeds keeps.
fn kept((id, endpoint): (i32, Arc<dyn Endpoint>)) -> i32 {
    endpoint.keep();
    id
}
