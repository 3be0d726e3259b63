//! The one table that ties an error to its errno value and its text.
//!
//! Every layer speaks [`Error`]; only the C face turns it into `errno`.

use std::ffi::{CStr, c_int};
use std::fmt;
use std::io;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as own;
#[cfg(windows)]
use windows as own;

/// Offset of the error numbers that belong to this library alone, and of the fallbacks for
/// numbers that a platform lacks.
pub const HAUSNUMERO: c_int = 156_384_712;

/// Why an operation did not happen.
///
/// The names follow what happened; [`Error::errno`] gives the number a C program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// Nothing can be sent or received right now, and the call must not block (`EAGAIN`).
    WouldBlock,
    /// The time allowed for the operation is over (`ETIMEDOUT`).
    TimedOut,
    /// A signal handler ran while the call was blocked (`EINTR`).
    Interrupted,
    /// The socket is not open, or was closed meanwhile (`EBADF`).
    Closed,
    /// The library was terminated (`ETERM`).
    Terminated,
    /// The protocol does not allow the operation in its present state (`EFSM`).
    WrongState,
    /// The socket type has no such direction (`ENOTSUP`).
    NotSupported,
    /// An argument is out of its range (`EINVAL`).
    InvalidArgument,
    /// A pointer that must not be null is null (`EFAULT`).
    BadPointer,
    /// A size is out of its range (`EMSGSIZE`).
    MessageSize,
    /// Memory ran out (`ENOMEM`).
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
    /// What the operating system answered, as its errno value.
    Os(c_int),
}

impl Error {
    /// The errno value of this error.
    ///
    /// ```
    /// assert_eq!(nanomsg::Error::WouldBlock.errno(), 11); // EAGAIN on Linux
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

/// The text for an error number, if the system's C library may have none for it.
#[must_use]
pub fn own_text(errno: c_int) -> Option<&'static CStr> {
    match errno.wrapping_sub(HAUSNUMERO) {
        53 => Some(c"Nanomsg library was terminated"),
        54 => Some(c"Operation cannot be performed in this state"),
        _ => own::text(errno),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.errno();
        match own_text(errno) {
            Some(text) => f.write_str(&text.to_string_lossy()),
            None => f.write_str(&own::describe(errno)),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.raw_os_error().map(own::errno_of) {
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
    fn own_errors_have_numbers_and_texts_of_their_own() {
        assert_eq!(Error::Terminated.errno(), 156_384_765);
        assert_eq!(Error::WrongState.errno(), 156_384_766);
        assert_eq!(Error::WrongState.to_string(), "Operation cannot be performed in this state");
        assert!(own_text(libc::EINVAL).is_none());
        assert_eq!(Error::BadPointer.to_string(), "Bad address");
    }

    #[cfg(unix)]
    #[test]
    fn system_errors_keep_their_number() {
        let error = Error::from(io::Error::from_raw_os_error(libc::EACCES));
        assert_eq!(error, Error::Os(libc::EACCES));
        assert_eq!(error.errno(), libc::EACCES);
    }

    #[cfg(windows)]
    #[test]
    fn system_errors_have_the_number_that_c_programs_know() {
        let error = |answer: i32| Error::from(io::Error::from_raw_os_error(answer));
        assert_eq!(error(10061), Error::Os(libc::ECONNREFUSED));
        assert_eq!(error(10048), Error::AddressInUse);
        assert_eq!(error(5), Error::Os(libc::EACCES));
        assert_eq!(error(10061).to_string(), "Connection refused");
    }
}
