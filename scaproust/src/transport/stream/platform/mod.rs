//! What systems do differently about a stream: its type, how it is accepted, connected and polled.
//!
//! Each system has a folder with the same names in it. What sockets have in common is in
//! `network`, and used by both.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

pub(super) use own::{
    Acceptor, LocalAddress, NO_SIGNAL, NOTHING, REFUSED, SHORT_READ_IS_ALL, Stream, UNREACHABLE,
    abandon_unsent, connect_local, descriptor, has_unacknowledged, is_connected, is_scarce, is_under_way,
    listen_locally, local_address, note_writable, polled, take_port,
};
