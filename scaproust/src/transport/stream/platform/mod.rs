//! Streams of the operating system: their type, and how they are accepted, connected and polled.
//!
//! Each system has a module with the same names. What the sockets of all systems share is in `network`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

pub(super) use own::{
    Acceptor, LocalAddress, NO_INTEREST, NO_SIGNAL, REFUSED, SHORT_READ_IS_ALL, Stream, UNREACHABLE,
    abandon_unsent, connect_local, descriptor, has_unacknowledged, is_connected, is_in_progress, is_scarce,
    listen_locally, local_address, note_writable, polled, take_port,
};
