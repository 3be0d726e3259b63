//! The number of an endpoint.

use std::fmt;

/// The number of an endpoint of a socket: 1 for the first one, then 2, and so on. Endpoints of two sockets may have the same.
///
/// ```
/// # use scaproust::{Error, EventKind, Pull};
/// let socket = Pull::new()?;
/// let mut events = socket.events()?;
/// let endpoint = socket.bind("inproc://doc/endpoint_id")?;
/// let listening = events.find(|event| event.kind == EventKind::Listening).unwrap();
/// assert_eq!(listening.endpoint, Some(endpoint.id()));
/// assert_eq!((endpoint.id().get(), endpoint.id().to_string()), (1, "1".into()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub(crate) i32);

impl EndpointId {
    /// The number, as C programs have it.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
