//! Opening sockets, and the stage of the library: unused, used or terminated.

use std::sync::Arc;

use super::exit::exit;
use super::registry::SOCKETS;
use super::{Socket, reporter};
use crate::error::Error;
use crate::message;
use crate::protocol::ProtocolInfo;
use crate::reactor::{IoContext, Seat};
use crate::sync::atomic::{AtomicU8, Ordering};
use crate::sync::{PerProcess, before_exit};

/// The domain of cooked sockets.
pub const AF_SP: i32 = 1;
/// The domain of raw sockets.
pub const AF_SP_RAW: i32 = 2;

/// [`UNUSED`], [`USED`] or [`TERMINATED`]. It only increases.
static STAGE: PerProcess<AtomicU8> = PerProcess::new(|| AtomicU8::new(UNUSED));
/// No call has tried to open a socket: there is nothing to terminate.
const UNUSED: u8 = 0;
/// A call has tried to open a socket, with or without success.
const USED: u8 = 1;
/// No socket can be opened any more.
const TERMINATED: u8 = 2;

/// Opens a socket of a domain and a protocol, by their numbers.
///
/// # Errors
/// [`Error::Terminated`], [`Error::UnknownDomain`], [`Error::TooManySockets`], or
/// [`Error::InvalidArgument`] when there is no such protocol; checked in this order.
pub fn open(domain: i32, protocol: i32) -> Result<i32, Error> {
    begin_use()?;
    if domain != AF_SP && domain != AF_SP_RAW {
        return Err(Error::UnknownDomain);
    }
    open_protocol(ProtocolInfo::from_number(protocol), domain == AF_SP_RAW)
}

/// Opens a socket of a protocol.
///
/// # Errors
/// [`Error::Terminated`], [`Error::TooManySockets`], or [`Error::InvalidArgument`] without a protocol.
pub fn open_protocol(info: Option<&'static ProtocolInfo>, is_raw: bool) -> Result<i32, Error> {
    open_at(None, info, is_raw)
}

/// Opens a socket with an I/O thread of the context.
///
/// # Errors
/// As [`open_protocol`]; [`Error::Closed`] in a forked child of the process that has made the context.
pub(crate) fn open_in(
    context: &Arc<IoContext>,
    info: &'static ProtocolInfo,
    is_raw: bool,
) -> Result<i32, Error> {
    let seat = context.join()?;
    open_at(Some(&seat), Some(info), is_raw).inspect_err(|_| seat.clone().leave())
}

fn open_at(seat: Option<&Seat>, info: Option<&'static ProtocolInfo>, is_raw: bool) -> Result<i32, Error> {
    SOCKETS.get().open(|id, entry| {
        // Checked under the table's lock, which a termination takes after it has set the stage: it finds all
        // sockets.
        begin_use()?;
        let info = info.ok_or(Error::InvalidArgument)?;
        // Under the lock under which the last closing releases it.
        message::keep_spare_memory();
        let socket = Socket::new(id, entry, info, is_raw, seat.cloned());
        // As above.
        reporter::begin(socket.prints_errors);
        Ok(socket)
    })
}

/// Notes that a socket is about to be opened, and installs the exit handler.
///
/// # Errors
/// [`Error::Terminated`].
fn begin_use() -> Result<(), Error> {
    before_exit(exit);
    let before = STAGE.get().fetch_max(USED, Ordering::SeqCst);
    if before == TERMINATED { Err(Error::Terminated) } else { Ok(()) }
}

/// Prevents sockets from being opened. Returns whether a call has tried to open one before.
pub(super) fn end_use() -> bool {
    STAGE.get().compare_exchange(USED, TERMINATED, Ordering::SeqCst, Ordering::SeqCst) != Err(UNUSED)
}
