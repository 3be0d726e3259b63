//! Options in the form in which C passes them: a level, a name, and bytes.

use std::ffi::c_int;

use super::statistic;
use scaproust::ffi::error::Error;
use scaproust::ffi::option::{
    LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, OptionType, Setting, SocketOption, Value, name,
};
use scaproust::ffi::socket::{AF_SP, AF_SP_RAW, Socket};
#[cfg(feature = "tls")]
use scaproust::ffi::tls::{LEVEL_TLS, TlsOption, TlsType};

/// Sets an option.
///
/// # Errors
/// [`Error::UnknownOption`], or [`Error::InvalidArgument`] for a wrong length or value; for `NN_SHARE` also those of
/// [`Socket::share`].
pub(super) fn set(socket: &Socket, level: c_int, name: c_int, bytes: &[u8]) -> Result<(), Error> {
    if (level, name) == (LEVEL_SOCKET, name::PIPE_CLOSE) {
        let pipe = bytes.try_into().map_err(|_| Error::InvalidArgument)?;
        return socket.disconnect(u64::from_ne_bytes(pipe));
    }
    #[cfg(feature = "tls")]
    if level == LEVEL_TLS {
        let option = TlsOption::find(name).ok_or(Error::UnknownOption)?;
        return match option.tls_type() {
            TlsType::Int => socket.set_tls_int(option, int(bytes)?),
            TlsType::Text => socket.set_tls_text(option, bytes),
        };
    }
    if let Some(option) = SocketOption::find(level, name)
        && socket.has_option(option)
    {
        return socket.set_option(option, setting(option.option_type(), bytes)?);
    }
    if (level, name) == (LEVEL_SOCKET, name::SHARE) {
        return socket.share(int(bytes)?);
    }
    if level == c_int::from(socket.protocol().number) {
        let option_type = socket.protocol().option_type(name).ok_or(Error::UnknownOption)?;
        return socket.set_protocol_option(name, setting(option_type, bytes)?);
    }
    if [LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS].contains(&level) {
        // Nearly all options of these levels are integers. As in the C library, the length is checked first.
        int(bytes)?;
    }
    Err(Error::UnknownOption)
}

/// Passes the value of an option to `write` as bytes, with its length, which does not include the zero after a text. An
/// option that has an argument takes it from the beginning of the buffer with `argument`, which fails if the buffer is shorter.
///
/// # Errors
/// [`Error::UnknownOption`]; [`Error::InvalidArgument`] for an invalid argument; for the descriptors also
/// [`Error::Closed`] and the operating system's errors.
pub(super) fn get(
    socket: &Socket,
    level: c_int,
    name: c_int,
    argument: impl FnOnce(&mut [u8]) -> Result<(), Error>,
    write: impl FnOnce(&[u8], usize),
) -> Result<(), Error> {
    let option = SocketOption::find(level, name).filter(|option| socket.has_option(*option));
    let value = match (level, name, option) {
        #[cfg(feature = "tls")]
        (LEVEL_TLS, ..) => socket.tls_option(TlsOption::find(name).ok_or(Error::UnknownOption)?)?,
        // The C library always returns 0, and tests of language bindings rely on that.
        (.., Some(SocketOption::Linger)) => Value::Int(0),
        (.., Some(option)) => socket.option(option),
        (LEVEL_SOCKET, name::DOMAIN, _) => Value::Int(if socket.is_raw() { AF_SP_RAW } else { AF_SP }),
        (LEVEL_SOCKET, name::PROTOCOL, _) => Value::Int(socket.protocol().number.into()),
        (LEVEL_SOCKET, name::LAST_ENDPOINT | name::ENDPOINT_ADDRESS, _) => {
            let address = match name {
                name::LAST_ENDPOINT => socket.last_endpoint_address(),
                _ => socket.endpoint_address(endpoint(argument)?)?,
            };
            write_text(address, write);
            return Ok(());
        }
        (LEVEL_SOCKET, name::ENDPOINT_STATISTICS, _) => {
            let bytes = statistic::encode_endpoint(&socket.endpoint_statistics(endpoint(argument)?)?);
            write(&bytes, bytes.len());
            return Ok(());
        }
        (LEVEL_SOCKET, name::PIPE_STATISTICS, _) => {
            let mut pipe = [0; size_of::<u64>()];
            argument(&mut pipe)?;
            let bytes = statistic::encode_pipe(&socket.pipe_statistics(u64::from_ne_bytes(pipe))?);
            write(&bytes, bytes.len());
            return Ok(());
        }
        (LEVEL_SOCKET, name::SHARE, _) => Value::Int(socket.parent().map_or(-1, Socket::number)),
        (LEVEL_SOCKET, name::SNDFD | name::RCVFD, _) => {
            let is_for_sending = name == name::SNDFD;
            let descriptor =
                if is_for_sending { socket.send_descriptor() } else { socket.receive_descriptor() }?;
            write(&descriptor.to_ne_bytes(), size_of_val(&descriptor));
            return Ok(());
        }
        _ if level == c_int::from(socket.protocol().number) => Value::Int(socket.protocol_option(name)?),
        _ => return Err(Error::UnknownOption),
    };
    match value {
        Value::Int(value) => write(&value.to_ne_bytes(), size_of::<c_int>()),
        Value::Bytes(bytes) => match option.map(SocketOption::option_type) {
            // Those that are not in the table are of TLS.
            None | Some(OptionType::Text { .. }) => write_text(bytes, write),
            Some(OptionType::Bytes | OptionType::Int { .. }) => write(&bytes, bytes.len()),
        },
    }
    Ok(())
}

/// The id of an endpoint at the beginning of the buffer.
fn endpoint(argument: impl FnOnce(&mut [u8]) -> Result<(), Error>) -> Result<c_int, Error> {
    let mut bytes = [0; size_of::<c_int>()];
    argument(&mut bytes)?;
    Ok(c_int::from_ne_bytes(bytes))
}

/// Passes a text and the zero behind it to `write`, with the length of the text.
fn write_text(mut text: Vec<u8>, write: impl FnOnce(&[u8], usize)) {
    let length = text.len();
    text.push(0);
    write(&text, length);
}

/// The setting that bytes encode.
fn setting(option_type: OptionType, bytes: &[u8]) -> Result<Setting<'_>, Error> {
    match option_type {
        OptionType::Int { .. } => int(bytes).map(Setting::Int),
        OptionType::Text { .. } | OptionType::Bytes => Ok(Setting::Bytes(bytes)),
    }
}

/// An `int` in the machine's byte order.
fn int(bytes: &[u8]) -> Result<c_int, Error> {
    bytes.try_into().map(c_int::from_ne_bytes).map_err(|_| Error::InvalidArgument)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use scaproust::ffi::protocol::{PUSH, ProtocolInfo, REQ, SUB};
    use scaproust::ffi::socket;

    /// The results of setting these options of a new socket.
    fn set_all(
        protocol: &'static ProtocolInfo,
        settings: &[(c_int, c_int, &[u8])],
    ) -> Vec<Result<(), Error>> {
        let id = socket::open_protocol(Some(protocol), false).unwrap();
        let call = socket::enter(id).unwrap();
        let results = settings.iter().map(|(level, name, bytes)| set(&call, *level, *name, bytes)).collect();
        drop(call);
        socket::close(id).unwrap();
        results
    }

    #[test]
    fn the_length_is_checked_before_the_name() {
        const INVALID: Result<(), Error> = Err(Error::InvalidArgument);
        const UNKNOWN: Result<(), Error> = Err(Error::UnknownOption);
        let one = 1_i32.to_ne_bytes();
        let settings: [(c_int, c_int, &[u8]); 8] = [
            (LEVEL_SOCKET, 99, &[0; 3]),
            (LEVEL_SOCKET, 99, &one),
            (LEVEL_SOCKET, 0, &one),
            (LEVEL_SOCKET, name::DOMAIN, &one),
            (LEVEL_WS, 1, &[1; 5]),
            (LEVEL_WS, 2, &one),
            (LEVEL_TCP, 2, &[]),
            (-5, 1, &[]),
        ];
        let expected = [INVALID, UNKNOWN, UNKNOWN, UNKNOWN, INVALID, UNKNOWN, INVALID, UNKNOWN];
        assert_eq!(set_all(&PUSH, &settings), expected);
    }

    #[test]
    fn the_options_of_a_protocol_belong_to_its_level() {
        const UNKNOWN: Result<(), Error> = Err(Error::UnknownOption);
        let (sub, req) = (c_int::from(SUB.number), c_int::from(REQ.number));
        assert_eq!(
            set_all(&SUB, &[(sub, 1, b"a"), (sub, 3, b"a"), (req, 1, &[0; 4])]),
            [Ok(()), UNKNOWN, UNKNOWN]
        );
        let settings: [(c_int, c_int, &[u8]); 3] = [(req, 1, &[0; 4]), (req, 1, b"a"), (req, 2, b"a")];
        assert_eq!(set_all(&REQ, &settings), [Ok(()), Err(Error::InvalidArgument), UNKNOWN]);
    }
}
