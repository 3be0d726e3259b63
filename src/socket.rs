//! `nn_socket`, `nn_close`, `nn_setsockopt`, `nn_getsockopt`.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::size_t;

use super::vector::bytes_at;
use super::{boundary, option};
use scaproust::ffi::error::Error;
use scaproust::ffi::socket;

/// Opens a socket and returns its id, or -1.
///
/// `domain` is AF_SP or AF_SP_RAW, `protocol` one of the protocol numbers such as NN_REQ. Fails
/// with EAFNOSUPPORT (no such domain), EMFILE (too many sockets), EINVAL (no such protocol) or
/// ETERM (after nn_term).
#[unsafe(no_mangle)]
pub extern "C" fn nn_socket(domain: c_int, protocol: c_int) -> c_int {
    boundary::call(-1, || socket::open(domain, protocol))
}

/// Closes a socket; returns 0, or -1 with EBADF.
///
/// Waits until messages already sent are delivered, for at most NN_LINGER milliseconds: 1000 by
/// default; 0: do not wait. Calls of other threads on the socket fail with EBADF.
#[unsafe(no_mangle)]
pub extern "C" fn nn_close(s: c_int) -> c_int {
    boundary::call(-1, || socket::close(s).map(|()| 0))
}

/// Sets an option; returns 0, or -1.
///
/// `level` is NN_SOL_SOCKET, a protocol or a transport. Fails with EBADF (no such socket),
/// EFAULT (`optval` is NULL and `optvallen` not 0), ENOPROTOOPT (no such option) or EINVAL (the
/// value is out of range, or has the wrong length).
///
/// # Safety
/// `optval` must point to `optvallen` bytes, or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_setsockopt(
    s: c_int,
    level: c_int,
    option: c_int,
    optval: *const c_void,
    optvallen: size_t,
) -> c_int {
    boundary::call(-1, || {
        let socket = socket::enter_open(s)?;
        // SAFETY: as the caller promises; the call below does not keep the bytes.
        let value = unsafe { bytes_at(optval, optvallen) }?;
        option::set(&socket, level, option, value).map(|()| 0)
    })
}

/// Reads an option; returns 0, or -1.
///
/// At most `*optvallen` bytes are written to `optval`; then `*optvallen` is set to the full length
/// of the value. A text is followed by a zero if there is room; the length does not include it.
/// Fails with EBADF (no such socket), EFAULT (a NULL pointer), ENOPROTOOPT (no such option) or
/// EINVAL (the option has an argument, which is invalid).
///
/// # Safety
/// `optvallen` must point to a number, and `optval` to that many bytes; either may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_getsockopt(
    s: c_int,
    level: c_int,
    option: c_int,
    optval: *mut c_void,
    optvallen: *mut size_t,
) -> c_int {
    boundary::call(-1, || {
        let socket = socket::enter_open(s)?;
        if optval.is_null() || optvallen.is_null() {
            return Err(Error::BadPointer);
        }
        // SAFETY: both pointers were checked; the caller promises `*optvallen` bytes of room.
        let write = |bytes: &[u8], length| unsafe {
            let room = optvallen.read();
            ptr::copy_nonoverlapping(bytes.as_ptr(), optval.cast(), bytes.len().min(room));
            optvallen.write(length);
        };
        // SAFETY: as above; only an option whose argument the caller has put there reads it.
        let argument = |place: &mut [u8]| unsafe {
            if optvallen.read() < place.len() {
                return Err(Error::InvalidArgument);
            }
            ptr::copy_nonoverlapping(optval.cast(), place.as_mut_ptr(), place.len());
            Ok(())
        };
        option::get(&socket, level, option, argument, write).map(|()| 0)
    })
}
