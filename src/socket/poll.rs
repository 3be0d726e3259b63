//! Waiting for several sockets at once.

use std::io;
use std::time::Duration;

use super::{Call, OptionValue, enter};
use crate::error::Error;
use crate::option::name;
use crate::sync::{self, Descriptor, Polled};

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
        if entry.readable {
            polled.push(Polled::new(descriptor(call, name::RCVFD)?));
        }
        if entry.writable {
            polled.push(Polled::new(descriptor(call, name::SNDFD)?));
        }
        if !entry.readable && !entry.writable {
            polled.push(Polled::new(call.closing_descriptor()?));
        }
    }
    let timeout = u64::try_from(timeout).ok().map(Duration::from_millis);
    sync::poll(&mut polled, timeout).map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Error::Interrupted,
        _ => error.into(),
    })?;
    if calls.iter().any(|call| call.is_closing()) {
        return Err(Error::Closed);
    }
    let mut answered = 0;
    let mut polled = polled.iter();
    let mut is_so = || polled.next().is_some_and(Polled::is_readable);
    for entry in entries {
        entry.is_readable = entry.readable && is_so();
        entry.is_writable = entry.writable && is_so();
        if !entry.readable && !entry.writable {
            // Nothing was asked, and nobody is closing it.
            is_so();
        }
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

fn descriptor(call: &Call, name: i32) -> Result<Descriptor, Error> {
    match call.option(0, name)? {
        OptionValue::Descriptor(descriptor) => Ok(descriptor),
        OptionValue::Int(_) | OptionValue::Text(_) => Err(Error::UnknownOption),
    }
}
