//! The endpoints of a socket: bind, connect and shutdown.

use std::sync::Arc;
use std::time::Duration;

use super::Socket;
use super::socket_endpoint::SocketEndpoint;
use super::statistics::Statistic;
use crate::error::Error;
use crate::option::SocketOption;
use crate::sync::lock;
use crate::transport::{self, Endpoint, EndpointContext, Linger};

impl Socket {
    /// Binds the socket to an address. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_bind` documents them: those of the address, and of the operating system. [`Error::NotSupported`] for a
    /// context.
    pub fn bind(&self, address: &[u8]) -> Result<i32, Error> {
        let bound = self.add_endpoint(address, transport::bind);
        if bound.is_err() {
            self.core.lock().statistics[Statistic::BindErrors] += 1;
        }
        bound
    }

    /// Connects the socket to an address. Returns the endpoint's id.
    ///
    /// # Errors
    /// As `nn_connect` documents them: those of the address. [`Error::NotSupported`] for a context.
    pub fn connect(&self, address: &[u8]) -> Result<i32, Error> {
        self.add_endpoint(address, transport::connect)
    }

    fn add_endpoint(
        &self,
        address: &[u8],
        make: impl FnOnce(&[u8], Arc<dyn EndpointContext>) -> Result<Arc<dyn Endpoint>, Error>,
    ) -> Result<i32, Error> {
        if self.is_context() {
            return Err(Error::NotSupported);
        }
        let this = self.this.upgrade().ok_or(Error::Closed)?;
        let context = SocketEndpoint::new(this, address, &self.core.lock().options);
        let state = context.state().clone();
        let endpoint = make(address, Arc::new(context))?;
        let mut core = self.core.lock();
        if core.is_closing {
            drop(core);
            endpoint.close(&Linger::begin(Some(Duration::ZERO)));
            return Err(Error::Closed);
        }
        Ok(core.endpoints.insert(endpoint, state))
    }

    /// Shuts an endpoint down. What was sent on it is still delivered, within the time of `NN_LINGER`; the
    /// call does not wait for that.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint, and [`Error::Closed`] while the socket is being closed.
    pub fn shutdown(&self, endpoint: i32) -> Result<(), Error> {
        let ((endpoint, state), linger) = {
            let mut core = self.lock()?;
            if core.is_context {
                return Err(Error::InvalidArgument);
            }
            let endpoint = core.endpoints.open.remove(&endpoint).ok_or(Error::InvalidArgument)?;
            let linger = Linger::begin(core.options.timeout(SocketOption::Linger));
            core.endpoints.closing.retain(|(linger, _)| !linger.is_finished());
            (endpoint, linger)
        };
        endpoint.close(&linger);
        lock(&state).end(&mut self.core.lock().statistics);
        if !linger.is_finished() {
            self.core.lock().endpoints.closing.push((linger, endpoint));
        }
        Ok(())
    }
}
