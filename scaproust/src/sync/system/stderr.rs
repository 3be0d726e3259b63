//! Writing to standard error without blocking, without a lock and without a signal.
//!
//! Standard error may be a pipe or a terminal that is not read, and it belongs to the host: its flags must
//! not be changed. What cannot be written at once is dropped.

use std::ffi::c_int;
use std::fs::{File, FileType};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::ptr;

/// Writes a line to standard error if that does not block.
pub(crate) fn print(line: &[u8]) {
    match kind() {
        Some(kind) if kind.is_socket() => send(line),
        Some(kind) if kind.is_file() => write(libc::STDERR_FILENO, line),
        Some(_) => match reopened() {
            Some(own) => write(own.as_raw_fd(), line),
            None if has_room() => write(libc::STDERR_FILENO, line),
            None => {}
        },
        None => {}
    }
}

/// The file type of standard error, by the standard library: where a word has 32 bits, fstat(2) of C fails for a
/// file of 2 GiB.
fn kind() -> Option<FileType> {
    // SAFETY: the file is not dropped: the descriptor stays open, and the host's.
    let stderr = ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDERR_FILENO) });
    stderr.metadata().ok().map(|status| status.file_type())
}

/// The same pipe or terminal, opened again in non-blocking mode; `None` if a pipe has no reader.
#[cfg(target_os = "linux")]
fn reopened() -> Option<OwnedFd> {
    let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: the path is a string that ends with a zero.
    let descriptor = unsafe { libc::open(c"/dev/fd/2".as_ptr(), flags) };
    // SAFETY: just opened, and not owned elsewhere.
    (descriptor >= 0).then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// On other systems opening it gives the same open file description, which blocks.
#[cfg(not(target_os = "linux"))]
fn reopened() -> Option<OwnedFd> {
    None
}

/// Whether a short write would not block, unless another writer comes first. For systems and users that
/// cannot open it again.
fn has_room() -> bool {
    let mut entry = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one entry, valid for writing.
    unsafe { libc::poll(&raw mut entry, 1, 0) == 1 && entry.revents == libc::POLLOUT }
}

fn send(line: &[u8]) {
    // SAFETY: the bytes are valid for reading.
    without_sigpipe(|| unsafe {
        libc::send(libc::STDERR_FILENO, line.as_ptr().cast(), line.len(), libc::MSG_DONTWAIT);
    });
}

fn write(descriptor: RawFd, line: &[u8]) {
    // SAFETY: the bytes are valid for reading.
    without_sigpipe(|| unsafe {
        libc::write(descriptor, line.as_ptr().cast(), line.len());
    });
}

/// Runs `write`, and consumes a SIGPIPE that it raises. The signal is sent to the thread that writes.
fn without_sigpipe(write: impl FnOnce()) {
    let mut pipe = MaybeUninit::uninit();
    let mut before = MaybeUninit::uninit();
    // SAFETY: the sets are valid for writing, and filled before they are read. sigwait is called only for a
    // signal that is pending for this thread, so it returns at once.
    unsafe {
        libc::sigemptyset(pipe.as_mut_ptr());
        libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), before.as_mut_ptr());
        let was_pending = is_pending();
        write();
        if !was_pending && is_pending() {
            let mut signal: c_int = 0;
            libc::sigwait(pipe.as_ptr(), &raw mut signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
    }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: valid for writing, and filled before it is read.
    unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0 && libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}
