//! Named pipes: their names, how they are opened, and non-blocking reads and writes on one end.
//!
//! mio starts each read in advance and copies the bytes of a write, so a write that has returned may still be in
//! progress. [`PipeEnd::write`] reports a write only when it is complete: closing must know whether everything was
//! delivered.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{FromRawHandle, IntoRawHandle};

use mio::windows::NamedPipe;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
};

use crate::address::LocalName;
use crate::sync::{Mutex, lock, rank};

/// The size of a pipe's buffer in each direction, in bytes; a hint to the system.
const BUFFER: u32 = 64 * 1024;
/// The most bytes of one read: as many as mio reads at once.
const READ_SIZE: usize = 4 * 1024;
/// The most bytes of one write.
const WRITE_SIZE: usize = 64 * 1024;

/// The name of a pipe.
pub(in crate::transport::stream) type LocalAddress = OsString;

/// The name of the pipe for an ipc address: the same as in the C library.
///
/// # Errors
/// For an abstract name, which no address has here.
pub(in crate::transport::stream) fn local_address(name: &LocalName) -> io::Result<LocalAddress> {
    let LocalName::Path(path) = name else { return Err(io::ErrorKind::Unsupported.into()) };
    let mut name = OsString::from(r"\\.\pipe\");
    name.push(path);
    Ok(name)
}

/// Makes an instance of the pipe `name` that waits for a peer. There may be any number.
///
/// # Errors
/// The operating system's.
pub(super) fn create(name: &LocalAddress) -> io::Result<NamedPipe> {
    let name: Vec<u16> = name.encode_wide().chain([0]).collect();
    // SAFETY: the name ends with a zero, and there are no attributes.
    let handle = unsafe {
        CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER,
            BUFFER,
            0,
            std::ptr::null(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and owned by nobody else.
    Ok(unsafe { NamedPipe::from_raw_handle(handle) })
}

/// Connects to a waiting instance of the pipe `name`.
///
/// # Errors
/// The operating system's; `ERROR_PIPE_BUSY` when no instance waits.
pub(super) fn open(name: &LocalAddress) -> io::Result<PipeEnd> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OVERLAPPED).open(name)?;
    // SAFETY: the handle is open, and given away.
    Ok(PipeEnd::new(unsafe { NamedPipe::from_raw_handle(file.into_raw_handle()) }))
}

/// One end of a connected pipe.
#[derive(Debug)]
pub(super) struct PipeEnd {
    pub(super) pipe: NamedPipe,
    writing: Mutex<Writing, rank::PipeWrite>,
}

/// The state of the last write.
#[derive(Debug)]
struct Writing {
    /// The poller has not reported that the pipe is writable since it was registered, or since the write began. It
    /// reports once for each.
    is_busy: bool,
    /// The size of a write that was not yet reported to the caller, in bytes.
    written: usize,
}

impl PipeEnd {
    pub(super) fn new(pipe: NamedPipe) -> PipeEnd {
        PipeEnd { pipe, writing: Mutex::new(Writing { is_busy: true, written: 0 }) }
    }

    /// The poller has reported that the pipe is writable.
    pub(super) fn note_writable(&self) {
        lock(&self.writing).is_busy = false;
    }

    /// Writes some of the bytes. Returns `WouldBlock` while the write is in progress; the caller repeats the call with
    /// the same bytes when the pipe is writable, and gets the number of bytes that were written.
    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut writing = lock(&self.writing);
        if !writing.is_busy && writing.written == 0 {
            let mut bytes = Vec::with_capacity(WRITE_SIZE.min(slices.iter().map(|slice| slice.len()).sum()));
            for slice in slices {
                let room = WRITE_SIZE - bytes.len();
                bytes.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            writing.written = (&self.pipe).write(&bytes)?;
            writing.is_busy = true;
        }
        if writing.is_busy {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(std::mem::take(&mut writing.written))
    }

    /// Reads the bytes that have arrived, as many as fit.
    pub(super) fn read(&self, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let mut bytes = [0; READ_SIZE];
        let wanted = room.len().min(READ_SIZE);
        let count = (&self.pipe).read(&mut bytes[..wanted])?;
        for (place, byte) in room.iter_mut().zip(&bytes[..count]) {
            place.write(*byte);
        }
        Ok(count)
    }
}
