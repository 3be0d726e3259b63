//! `nn_device`.

use std::ffi::c_int;

use super::boundary;
use crate::device::{Device, join, reflect};
use crate::error::Error;
use crate::socket::Blocked;
use crate::sync::Sleep;

/// Forwards messages between two raw sockets of one pattern, with their protocol headers; does
/// not return before that fails, and then returns -1.
///
/// What one of them receives, the other one sends, and the other way round if they have that
/// direction. With a negative id as one of the sockets, the other one sends back what it receives
/// itself. A message is received only when it can be sent. Fails with EBADF (no such socket, or
/// closed meanwhile), EINVAL (a socket is not raw, or they do not fit each other), ENOTSUP (a
/// single socket that does not both send and receive), EINTR (a signal came; in
/// two directions it goes on) or ETIMEDOUT (NN_RCVTIMEO or NN_SNDTIMEO of a socket is over).
#[unsafe(no_mangle)]
pub extern "C-unwind" fn nn_device(s1: c_int, s2: c_int) -> c_int {
    boundary::blocking(|| {
        let device = match (s1 < 0, s2 < 0) {
            (true, true) => Err(Error::Closed),
            (false, true) => reflect(s1),
            (true, false) => reflect(s2),
            (false, false) => join(s1, s2),
        }?;
        boundary::park(Endless(device))
    })
}

/// A call that never answers.
struct Endless(Device);

impl Blocked for Endless {
    type Output = c_int;

    fn proceed(&mut self) -> Result<Option<c_int>, Error> {
        self.0.proceed().map(|answer| answer.map(|never| match never {}))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.0.sleep()
    }
}
