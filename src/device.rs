//! `nn_device`.

use std::ffi::c_int;

use super::boundary;
use scaproust::ffi::device::{Device, join, reflect};
use scaproust::ffi::error::Error;
use scaproust::ffi::socket::BlockingCall;
use scaproust::ffi::sync::Sleep;

/// Forwards messages between two raw sockets of one pattern, with their protocol headers; returns
/// only when it fails, and then -1.
///
/// Messages received from each socket are sent to the other, as far as their protocols receive and
/// send. If one of the ids is negative, messages received from the other socket are sent back to
/// it. A message is received only when it can be sent. Fails with EBADF (no such socket, or it was
/// closed during the call), EINVAL (a socket is not raw, or the protocols do not match), ENOTSUP (a
/// single socket that cannot both send and receive), EINTR (a signal handler ran; a device that
/// forwards in both directions goes on) or ETIMEDOUT (NN_RCVTIMEO or NN_SNDTIMEO has passed).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn nn_device(s1: c_int, s2: c_int) -> c_int {
    boundary::blocking(|| {
        let device = match (s1 < 0, s2 < 0) {
            (true, true) => Err(Error::Closed),
            (false, true) => reflect(s1),
            (true, false) => reflect(s2),
            (false, false) => join(s1, s2),
        }?;
        boundary::suspend(DeviceCall(device))
    })
}

/// A call that never returns a value.
struct DeviceCall(Device);

impl BlockingCall for DeviceCall {
    type Output = c_int;

    fn proceed(&mut self) -> Result<Option<c_int>, Error> {
        self.0.proceed().map(|result| result.map(|never| match never {}))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.0.sleep()
    }
}
