//! Asking a process for its report.

use std::time::Duration;

use scaproust::{Error, Message, Req};

use super::failure::Failure;

/// The time between two attempts to connect.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(100);

/// A connection to the report of a process. It is made again when it is lost.
pub(crate) struct Viewer {
    socket: Req,
    address: String,
}

impl Viewer {
    /// Begins to connect to `address`.
    ///
    /// # Errors
    /// A failure if it is no address.
    pub(crate) fn connect(address: &str) -> Result<Viewer, Failure> {
        let connect = || -> Result<Viewer, Error> {
            let socket = Req::new()?;
            socket.set_reconnect_interval(RECONNECT_INTERVAL)?;
            // A report is as long as the process has connections.
            socket.set_max_message_size(None)?;
            socket.connect(address)?;
            Ok(Viewer { socket, address: address.to_owned() })
        };
        connect().map_err(Failure::socket(&format!("Can't connect to {}", address.escape_debug())))
    }

    /// The address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a report, and waits for it for at most this time.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::OutOfMemory`].
    pub(crate) fn ask(&self, timeout: Duration) -> Result<Message, Error> {
        self.socket.request("")?.timeout(timeout).wait()
    }
}
