//! Windows: the system has error codes of its own, which are translated to errno values of the C runtime.
//! Its older version has no texts for the errno values of networks.

use std::ffi::{CStr, c_int};

use windows_sys::Win32::Foundation as system;
use windows_sys::Win32::Networking::WinSock as sockets;

/// The errno value for an error code of the system.
pub(super) fn errno_of(code: i32) -> c_int {
    match code {
        sockets::WSAEINTR => libc::EINTR,
        sockets::WSAEBADF => libc::EBADF,
        sockets::WSAEACCES => libc::EACCES,
        sockets::WSAEFAULT => libc::EFAULT,
        sockets::WSAEINVAL => libc::EINVAL,
        sockets::WSAEMFILE => libc::EMFILE,
        sockets::WSAEWOULDBLOCK => libc::EAGAIN,
        sockets::WSAEINPROGRESS => libc::EINPROGRESS,
        sockets::WSAENOTSOCK => libc::ENOTSOCK,
        sockets::WSAEMSGSIZE => libc::EMSGSIZE,
        sockets::WSAENOPROTOOPT => libc::ENOPROTOOPT,
        sockets::WSAEPROTONOSUPPORT => libc::EPROTONOSUPPORT,
        sockets::WSAEOPNOTSUPP => libc::ENOTSUP,
        sockets::WSAEAFNOSUPPORT => libc::EAFNOSUPPORT,
        sockets::WSAEADDRINUSE => libc::EADDRINUSE,
        sockets::WSAEADDRNOTAVAIL => libc::EADDRNOTAVAIL,
        sockets::WSAENETDOWN => libc::ENETDOWN,
        sockets::WSAENETUNREACH => libc::ENETUNREACH,
        sockets::WSAENETRESET => libc::ENETRESET,
        sockets::WSAECONNABORTED => libc::ECONNABORTED,
        sockets::WSAECONNRESET => libc::ECONNRESET,
        sockets::WSAENOBUFS => libc::ENOBUFS,
        sockets::WSAENOTCONN => libc::ENOTCONN,
        sockets::WSAETIMEDOUT => libc::ETIMEDOUT,
        sockets::WSAECONNREFUSED => libc::ECONNREFUSED,
        sockets::WSAEHOSTUNREACH => libc::EHOSTUNREACH,
        code => errno_of_file(code.cast_unsigned()),
    }
}

/// As `errno_of`, for codes of calls on named pipes and memory.
fn errno_of_file(code: system::WIN32_ERROR) -> c_int {
    match code {
        // No pipe has this name, or its owner accepts no connection now.
        system::ERROR_FILE_NOT_FOUND | system::ERROR_PATH_NOT_FOUND | system::ERROR_PIPE_BUSY => {
            libc::ECONNREFUSED
        }
        system::ERROR_ALREADY_EXISTS => libc::EADDRINUSE,
        system::ERROR_ACCESS_DENIED => libc::EACCES,
        system::ERROR_TOO_MANY_OPEN_FILES => libc::EMFILE,
        system::ERROR_NOT_ENOUGH_MEMORY | system::ERROR_OUTOFMEMORY | system::ERROR_COMMITMENT_LIMIT => {
            libc::ENOMEM
        }
        system::ERROR_INVALID_NAME | system::ERROR_INVALID_PARAMETER => libc::EINVAL,
        system::ERROR_BROKEN_PIPE | system::ERROR_NO_DATA => libc::ECONNRESET,
        system::ERROR_PIPE_NOT_CONNECTED => libc::ENOTCONN,
        _ => libc::EIO,
    }
}

/// The text for an errno value for which the C library may have none.
pub(super) fn text(errno: c_int) -> Option<&'static CStr> {
    Some(match errno {
        libc::EADDRINUSE => c"Address already in use",
        libc::EADDRNOTAVAIL => c"Cannot assign requested address",
        libc::EAFNOSUPPORT => c"Address family not supported by protocol",
        libc::ECONNABORTED => c"Software caused connection abort",
        libc::ECONNREFUSED => c"Connection refused",
        libc::ECONNRESET => c"Connection reset by peer",
        libc::EHOSTUNREACH => c"No route to host",
        libc::EINPROGRESS => c"Operation now in progress",
        libc::EMSGSIZE => c"Message too long",
        libc::ENETDOWN => c"Network is down",
        libc::ENETRESET => c"Network dropped connection on reset",
        libc::ENETUNREACH => c"Network is unreachable",
        libc::ENOBUFS => c"No buffer space available",
        libc::ENOPROTOOPT => c"Protocol not available",
        libc::ENOTCONN => c"Socket is not connected",
        libc::ENOTRECOVERABLE => c"State not recoverable",
        libc::ENOTSOCK => c"Socket operation on non-socket",
        libc::ENOTSUP => c"Operation not supported",
        libc::EPROTO => c"Protocol error",
        libc::EPROTONOSUPPORT => c"Protocol not supported",
        libc::ETIMEDOUT => c"Operation timed out",
        _ => return None,
    })
}

/// The C library's text for an errno value.
pub(super) fn describe(errno: c_int) -> String {
    // SAFETY: `strerror` takes any number.
    let text = unsafe { libc::strerror(errno) };
    if text.is_null() {
        return format!("Error {errno}");
    }
    // SAFETY: a string that ends with a zero, and that only this thread's next call changes.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
