//! Waiting for several sockets at once.

use std::os::fd::RawFd;

use super::{Call, OptionValue, enter};
use crate::error::Error;
use crate::option::name;

/// A question about a socket, and its answer. Without a question, it is only waited for the
/// socket's being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The socket's number.
    pub socket: i32,
    /// Asked: can a message be received?
    pub readable: bool,
    /// Asked: can a message be sent?
    pub writable: bool,
    /// Answered: a message can be received.
    pub is_readable: bool,
    /// Answered: a message can be sent.
    pub is_writable: bool,
}

/// Waits until a question can be answered with yes, at most for `timeout` milliseconds, or for
/// ever if that is negative. Answers the number of entries with a yes.
///
/// # Errors
/// [`Error::Closed`] if an entry is no open socket, or is closed meanwhile;
/// [`Error::UnknownOption`] if it cannot be asked that; [`Error::Interrupted`] by a signal;
/// [`Error::OutOfMemory`].
pub fn poll(entries: &mut [PollEntry], timeout: i32) -> Result<usize, Error> {
    // The calls stay inside until the end, so that no descriptor is closed under us.
    let mut calls = room_for(entries.len())?;
    for entry in &*entries {
        calls.push(enter(entry.socket)?);
    }
    let mut polled = room_for(2 * entries.len())?;
    for (entry, call) in entries.iter().zip(&calls) {
        // poll(2) leaves entries with a negative descriptor out.
        let fds = match (entry.readable, entry.writable) {
            (false, false) => [call.closing_descriptor()?, -1],
            (true, false) => [descriptor(call, name::RCVFD)?, -1],
            (false, true) => [-1, descriptor(call, name::SNDFD)?],
            (true, true) => [descriptor(call, name::RCVFD)?, descriptor(call, name::SNDFD)?],
        };
        polled.extend(fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }));
    }
    let count = libc::nfds_t::try_from(polled.len()).map_err(|_| Error::InvalidArgument)?;
    // SAFETY: the array is valid for writing, and has that length.
    if unsafe { libc::poll(polled.as_mut_ptr(), count, timeout) } < 0 {
        return Err(match Error::from(std::io::Error::last_os_error()) {
            Error::Os(libc::EINTR) => Error::Interrupted,
            error => error,
        });
    }
    if calls.iter().any(|call| call.is_closing()) {
        return Err(Error::Closed);
    }
    let mut answered = 0;
    for (entry, polled) in entries.iter_mut().zip(polled.chunks(2)) {
        entry.is_readable = polled[0].revents & libc::POLLIN != 0;
        entry.is_writable = polled[1].revents & libc::POLLIN != 0;
        answered += usize::from(entry.is_readable || entry.is_writable);
    }
    Ok(answered)
}

/// An empty list that need not grow. How long it is, the host says.
fn room_for<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    Ok(list)
}

fn descriptor(call: &Call, name: i32) -> Result<RawFd, Error> {
    match call.option(0, name)? {
        OptionValue::Int(descriptor) => Ok(descriptor),
        OptionValue::Text(_) => Err(Error::UnknownOption),
    }
}
