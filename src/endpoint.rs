//! `nn_bind`, `nn_connect`, `nn_shutdown`.

use std::ffi::{c_char, c_int};

use super::boundary;
use super::constants::NN_SOCKADDR_MAX;
use scaproust::ffi::error::Error;
use scaproust::ffi::socket;

/// Adds an endpoint that peers connect to; returns its id (1 or more), or -1.
///
/// An address is `inproc://name`, `ipc://path`, `tcp://interface:port` or `ws://interface:port`; the
/// manual names further forms. With port 0 the system chooses one: see NN_ENDPOINT_ADDRESS.
/// Fails with EBADF (no such socket), EINVAL (not an address), ENAMETOOLONG (NN_SOCKADDR_MAX or
/// more bytes), EPROTONOSUPPORT (no such transport), ENODEV (no such interface), EADDRINUSE, or
/// another error of the operating system.
///
/// # Safety
/// `addr` must be a text that ends with a zero, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_bind(s: c_int, addr: *const c_char) -> c_int {
    boundary::call(-1, || {
        let socket = socket::enter(s)?;
        // SAFETY: as the caller promises; the call below does not keep the text.
        socket.bind(unsafe { address_at(addr) }?)
    })
}

/// Adds an endpoint that connects to a peer; returns its id (1 or more), or -1.
///
/// The call does not wait for the peer, unless NN_CONNECT_TIMEO is set. The library goes on trying to
/// connect, and reconnects when the connection is lost. An address is `inproc://name`, `ipc://path`, `tcp://[local;]host:port`
/// or `ws://[local;]host[:port][/path]`. Fails with EBADF (no such socket), EINVAL (not an
/// address), ENAMETOOLONG (NN_SOCKADDR_MAX or more bytes), EPROTONOSUPPORT (no such transport) or
/// ENODEV (no such interface).
///
/// # Safety
/// `addr` must be a text that ends with a zero, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_connect(s: c_int, addr: *const c_char) -> c_int {
    boundary::call(-1, || {
        drop(socket::enter(s)?);
        // SAFETY: as the caller promises; the call below does not keep the text.
        socket::connect(s, unsafe { address_at(addr) }?)
    })
}

/// Removes an endpoint and its connections; returns 0, or -1.
///
/// The call does not wait: messages already sent are delivered in the background, within NN_LINGER.
/// `how` is the id that nn_bind or nn_connect returned. Fails with EBADF (no such socket) or
/// EINVAL (no such endpoint).
#[unsafe(no_mangle)]
pub extern "C" fn nn_shutdown(s: c_int, how: c_int) -> c_int {
    boundary::call(-1, || socket::enter(s)?.shutdown(how).map(|()| 0))
}

/// The bytes at `address` before the zero. At most `NN_SOCKADDR_MAX` bytes are read.
///
/// # Safety
/// `address` must be a text that ends with a zero, or null; it must live as long as the result.
unsafe fn address_at<'a>(address: *const c_char) -> Result<&'a [u8], Error> {
    const LIMIT: usize = NN_SOCKADDR_MAX as usize;
    if address.is_null() {
        return Err(Error::InvalidArgument);
    }
    // SAFETY: the caller's text ends with a zero; nothing after it is read.
    let bytes = unsafe {
        let length = libc::strnlen(address, LIMIT);
        std::slice::from_raw_parts(address.cast::<u8>(), length)
    };
    if bytes.len() == LIMIT {
        return Err(Error::AddressTooLong);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    fn parse(bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let text = CString::new(bytes).unwrap();
        // SAFETY: `text` is terminated, and lives until the copy is made.
        unsafe { address_at(text.as_ptr()) }.map(<[u8]>::to_vec)
    }

    #[test]
    fn an_address_has_at_most_127_bytes() {
        assert_eq!(parse(&[b'a'; 127]).unwrap().len(), 127);
        assert_eq!(parse(&[b'a'; 128]), Err(Error::AddressTooLong));
        assert_eq!(parse(&[b'a'; 4096]), Err(Error::AddressTooLong));
        assert_eq!(parse(b"").unwrap(), b"");
    }

    #[test]
    fn any_bytes_are_accepted_but_null_is_refused() {
        assert_eq!(parse(b"ipc://\xff").unwrap(), b"ipc://\xff");
        // SAFETY: null is allowed.
        assert_eq!(unsafe { address_at(std::ptr::null()) }, Err(Error::InvalidArgument));
    }
}
