//! The endpoints of a socket: bind, connect and shutdown.

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::core::OpenEndpoint;
use super::socket_endpoint::SocketEndpoint;
use super::statistics::Statistic;
use crate::error::Error;
use crate::option::SocketOption;
use crate::sync::atomic::AtomicBool;
use crate::sync::lock;
use crate::transport::{self, Endpoint, EndpointContext, Linger};

impl Socket {
    /// Binds the socket to an address. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_bind` documents them: those of the address, and of the operating system.
    pub fn bind(&self, address: &[u8]) -> Result<i32, Error> {
        let bound = self.add_endpoint(address, None, transport::bind);
        if bound.is_err() {
            self.core.lock().statistics[Statistic::BindErrors] += 1;
        }
        bound
    }

    /// Connects the socket to an address, without waiting for a connection. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_connect` documents them: those of the address.
    pub fn connect(&self, address: &[u8]) -> Result<i32, Error> {
        self.add_endpoint(address, None, transport::connect)
    }

    /// As [`Socket::connect`]. `has_pipe` becomes `true`, before `connects` is notified, as soon as the endpoint has a
    /// pipe.
    pub(super) fn connect_watched(&self, address: &[u8], has_pipe: Arc<AtomicBool>) -> Result<i32, Error> {
        self.add_endpoint(address, Some(has_pipe), transport::connect)
    }

    fn add_endpoint(
        &self,
        address: &[u8],
        has_pipe: Option<Arc<AtomicBool>>,
        make: impl FnOnce(&[u8], Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error>,
    ) -> Result<i32, Error> {
        let this = self.this.upgrade().ok_or(Error::Closed)?;
        let mut context = SocketEndpoint::new(this, address, &self.core.lock().options);
        context.has_pipe = has_pipe;
        let state = context.state().clone();
        let endpoint = make(address, Arc::new(context))?;
        let address = endpoint.address(address);
        let mut core = self.core.lock();
        if core.is_closing {
            drop(core);
            endpoint.close(&Linger::begin(Some(Duration::ZERO)));
            return Err(Error::Closed);
        }
        Ok(core.endpoints.insert(OpenEndpoint { endpoint, state, address }))
    }

    /// The address of an endpoint, with what the system has chosen: a port, for example.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint.
    pub fn endpoint_address(&self, endpoint: i32) -> Result<Vec<u8>, Error> {
        let core = self.core.lock();
        core.endpoints.open.get(&endpoint).map(|open| open.address.clone()).ok_or(Error::InvalidArgument)
    }

    /// As [`Socket::endpoint_address`], of the endpoint that was added last; empty if there is no endpoint.
    #[must_use]
    pub fn last_endpoint_address(&self) -> Vec<u8> {
        let core = self.core.lock();
        core.endpoints.open.last_key_value().map(|(_, open)| open.address.clone()).unwrap_or_default()
    }

    /// Shuts an endpoint down. What was sent on it is still delivered, within the time of `NN_LINGER`; the
    /// call does not wait for that.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint, and [`Error::Closed`] while the socket is being closed.
    pub fn shutdown(&self, endpoint: i32) -> Result<(), Error> {
        let (OpenEndpoint { endpoint, state, .. }, linger) = {
            let mut core = self.core.lock();
            if core.is_closing {
                return Err(Error::Closed);
            }
            let endpoint = core.endpoints.open.remove(&endpoint).ok_or(Error::InvalidArgument)?;
            let linger = Linger::begin(core.options.timeout(SocketOption::Linger));
            core.endpoints.closing.retain(|(linger, _)| !linger.is_finished());
            (endpoint, linger)
        };
        endpoint.close(&linger);
        lock(&state).end(&mut self.core.lock().statistics);
        // A call may be waiting for its connection.
        self.connects.notify_all();
        if !linger.is_finished() {
            self.core.lock().endpoints.closing.push((linger, endpoint));
        }
        Ok(())
    }
}
