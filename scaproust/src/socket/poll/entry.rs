//! What a polling call waits for at one socket.

use crate::error::Error;

/// What to wait for at one socket, and what was found. With neither `readable` nor `writable`, the call only
/// waits for the socket's closing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollEntry {
    /// The socket's number.
    pub socket: i32,
    /// Wait until a message can be received.
    pub readable: bool,
    /// Wait until a message can be sent.
    pub writable: bool,
    /// Found: a message can be received.
    pub is_readable: bool,
    /// Found: a message can be sent.
    pub is_writable: bool,
}

/// An empty list with room for `count` items. The count comes from the program, and so there may be no memory
/// for it.
pub fn room_for<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
    Ok(list)
}
