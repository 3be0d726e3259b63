//! The options of one endpoint, which it has in place of those of its socket.

use std::borrow::Cow;
#[cfg(feature = "tls")]
use std::sync::Arc;

use crate::error::Error;
use crate::option::{Options, Setting, SocketOption, Value};

/// The options that an endpoint has in place of those of its socket. Only options that are read when an endpoint is made
/// have an effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointOptions {
    values: Vec<(SocketOption, Value)>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<crate::tls::Settings>>,
}

impl EndpointOptions {
    /// Sets an option. It is checked when the endpoint is made.
    pub(crate) fn set(&mut self, option: SocketOption, value: Value) {
        self.values.push((option, value));
    }

    /// Sets all options of TLS.
    #[cfg(feature = "tls")]
    pub(crate) fn set_tls(&mut self, settings: crate::tls::Settings) {
        self.tls = Some(Arc::new(settings));
    }

    /// The options of the endpoint, whose socket has the options `of_socket`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value out of range or malformed, [`Error::UnknownOption`] for an option that the operating
    /// system does not have.
    pub(super) fn over<'a>(&self, of_socket: &'a Options) -> Result<Cow<'a, Options>, Error> {
        let mut options = Cow::Borrowed(of_socket);
        for (option, value) in &self.values {
            if !option.is_available() {
                return Err(Error::UnknownOption);
            }
            let setting = match value {
                Value::Int(value) => Setting::Int(*value),
                Value::Bytes(bytes) => Setting::Bytes(bytes),
            };
            options.to_mut().set(*option, setting)?;
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            options.to_mut().tls = tls.clone();
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_the_options_of_its_socket_but_for_its_own() {
        let mut of_socket = Options::new(7);
        of_socket.set(SocketOption::SendPriority, Setting::Int(3)).unwrap();
        of_socket.set(SocketOption::ReconnectInterval, Setting::Int(50)).unwrap();
        let mut own = EndpointOptions::default();
        assert!(matches!(own.over(&of_socket), Ok(Cow::Borrowed(_))));
        own.set(SocketOption::SendPriority, Value::Int(16));
        let options = own.over(&of_socket).unwrap();
        let values =
            [SocketOption::SendPriority, SocketOption::ReconnectInterval].map(|name| options.int(name));
        assert_eq!((values, of_socket.int(SocketOption::SendPriority)), ([16, 50], 3));
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        for (option, value) in [
            (SocketOption::SendPriority, Value::Int(17)),
            (SocketOption::TcpAccept, Value::Bytes(b"localhost".to_vec())),
            (SocketOption::TcpAccept, Value::Bytes(b",".to_vec())),
            (SocketOption::TcpAccept, Value::Bytes(b"\0::1".to_vec())),
            (SocketOption::ReconnectInterval, Value::Bytes(Vec::new())),
        ] {
            let mut own = EndpointOptions::default();
            own.set(option, value);
            assert_eq!(own.over(&Options::new(7)).err(), Some(Error::InvalidArgument), "{option:?}");
        }
    }
}
