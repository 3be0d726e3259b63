//! The errors of all layers, with their errno values and texts.
//!
//! Only the C API sets `errno`.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::io;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

/// Offset of the errno values that only this library has (`NN_HAUSNUMERO`), and of the substitutes for those
/// that a platform lacks.
pub const HAUSNUMERO: c_int = 156_384_712;

/// Why an operation failed. [`Error::errno`] is the number that a C program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The call would have to block, and must not (`EAGAIN`).
    WouldBlock,
    /// The operation took longer than its timeout (`ETIMEDOUT`).
    TimedOut,
    /// A signal handler ran while the call was blocked (`EINTR`).
    Interrupted,
    /// The socket is not open, or was closed during the call (`EBADF`).
    Closed,
    /// The library was terminated (`ETERM`).
    Terminated,
    /// The protocol does not allow the operation in its current state (`EFSM`).
    WrongState,
    /// The socket's protocol cannot send, or cannot receive (`ENOTSUP`).
    NotSupported,
    /// An argument is invalid (`EINVAL`).
    InvalidArgument,
    /// A pointer that must not be null is null (`EFAULT`).
    BadPointer,
    /// A size is out of range (`EMSGSIZE`).
    MessageSize,
    /// Out of memory (`ENOMEM`).
    OutOfMemory,
    /// No more sockets or descriptors can be opened (`EMFILE`).
    TooManySockets,
    /// There is no such option (`ENOPROTOOPT`).
    UnknownOption,
    /// There is no such address family (`EAFNOSUPPORT`).
    UnknownDomain,
    /// There is no such transport (`EPROTONOSUPPORT`).
    UnknownTransport,
    /// The address is longer than 127 bytes (`ENAMETOOLONG`).
    AddressTooLong,
    /// The address is in use by another endpoint (`EADDRINUSE`).
    AddressInUse,
    /// There is no such network interface (`ENODEV`).
    NoSuchInterface,
    /// An error of the operating system, as an errno value.
    Os(c_int),
}

impl Error {
    /// The errno value of this error.
    ///
    /// ```
    /// assert_eq!(scaproust::Error::WouldBlock.errno(), 11); // EAGAIN on Linux
    /// ```
    #[must_use]
    pub fn errno(self) -> c_int {
        match self {
            Error::WouldBlock => libc::EAGAIN,
            Error::TimedOut => libc::ETIMEDOUT,
            Error::Interrupted => libc::EINTR,
            Error::Closed => libc::EBADF,
            Error::Terminated => HAUSNUMERO + 53,
            Error::WrongState => HAUSNUMERO + 54,
            Error::NotSupported => libc::ENOTSUP,
            Error::InvalidArgument => libc::EINVAL,
            Error::BadPointer => libc::EFAULT,
            Error::MessageSize => libc::EMSGSIZE,
            Error::OutOfMemory => libc::ENOMEM,
            Error::TooManySockets => libc::EMFILE,
            Error::UnknownOption => libc::ENOPROTOOPT,
            Error::UnknownDomain => libc::EAFNOSUPPORT,
            Error::UnknownTransport => libc::EPROTONOSUPPORT,
            Error::AddressTooLong => libc::ENAMETOOLONG,
            Error::AddressInUse => libc::EADDRINUSE,
            Error::NoSuchInterface => libc::ENODEV,
            Error::Os(errno) => errno,
        }
    }
}

/// The text for an errno value, if the system's C library may have none for it.
#[must_use]
pub fn own_text(errno: c_int) -> Option<&'static CStr> {
    match errno.wrapping_sub(HAUSNUMERO) {
        53 => Some(c"Nanomsg library was terminated"),
        54 => Some(c"Operation cannot be performed in this state"),
        _ => platform::text(errno),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.errno();
        match own_text(errno) {
            Some(text) => f.write_str(&text.to_string_lossy()),
            None => f.write_str(&platform::describe(errno)),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The kind of this error in the standard library.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// assert_eq!(scaproust::Error::TimedOut.kind(), ErrorKind::TimedOut);
    /// ```
    #[must_use]
    pub fn kind(self) -> io::ErrorKind {
        match self {
            Error::WouldBlock => io::ErrorKind::WouldBlock,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::Interrupted => io::ErrorKind::Interrupted,
            Error::Closed | Error::Terminated => io::ErrorKind::NotConnected,
            Error::NotSupported | Error::UnknownOption | Error::UnknownDomain | Error::UnknownTransport => {
                io::ErrorKind::Unsupported
            }
            Error::InvalidArgument | Error::BadPointer | Error::MessageSize | Error::AddressTooLong => {
                io::ErrorKind::InvalidInput
            }
            Error::OutOfMemory => io::ErrorKind::OutOfMemory,
            Error::AddressInUse => io::ErrorKind::AddrInUse,
            Error::NoSuchInterface => io::ErrorKind::AddrNotAvailable,
            #[cfg(unix)]
            Error::Os(errno) => io::Error::from_raw_os_error(errno).kind(),
            // Elsewhere an errno value is not a number of the operating system.
            _ => io::ErrorKind::Other,
        }
    }
}

impl From<Error> for io::Error {
    /// An error of the operating system as one, and others with this error inside.
    fn from(error: Error) -> io::Error {
        match error {
            #[cfg(unix)]
            Error::Os(errno) => io::Error::from_raw_os_error(errno),
            error => io::Error::new(error.kind(), error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            return *error;
        }
        match error.raw_os_error().map(platform::errno_of) {
            Some(libc::EADDRINUSE) => Error::AddressInUse,
            Some(errno) => Error::Os(errno),
            None if error.kind() == io::ErrorKind::WouldBlock => Error::WouldBlock,
            None => Error::InvalidArgument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_this_library_have_numbers_and_texts() {
        assert_eq!(Error::Terminated.errno(), 156_384_765);
        assert_eq!(Error::WrongState.errno(), 156_384_766);
        assert_eq!(Error::WrongState.to_string(), "Operation cannot be performed in this state");
        assert!(own_text(libc::EINVAL).is_none());
        assert_eq!(Error::BadPointer.to_string(), "Bad address");
    }

    #[test]
    fn errors_survive_the_way_through_the_standard_library() {
        for error in [Error::WrongState, Error::WouldBlock, Error::AddressInUse, Error::Os(libc::EACCES)] {
            assert_eq!(Error::from(io::Error::from(error)), error);
            assert_eq!(io::Error::from(error).kind(), error.kind());
        }
    }

    #[cfg(unix)]
    #[test]
    fn system_errors_keep_their_errno() {
        let error = Error::from(io::Error::from_raw_os_error(libc::EACCES));
        assert_eq!(error, Error::Os(libc::EACCES));
        assert_eq!(error.errno(), libc::EACCES);
    }

    #[cfg(windows)]
    #[test]
    fn system_errors_become_errno_values() {
        let error = |code: i32| Error::from(io::Error::from_raw_os_error(code));
        assert_eq!(error(10061), Error::Os(libc::ECONNREFUSED));
        assert_eq!(error(10048), Error::AddressInUse);
        assert_eq!(error(5), Error::Os(libc::EACCES));
        assert_eq!(error(10061).to_string(), "Connection refused");
    }
}
