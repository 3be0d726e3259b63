//! `nn_symbol`, `nn_symbol_info`: the names and numbers of the interface, for language bindings.
//!
//! Owns their table. The order is part of the interface: new names are added at the end.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF, ECONNABORTED, ECONNREFUSED, ECONNRESET,
    EFAULT, EHOSTUNREACH, EINPROGRESS, EINTR, EINVAL, EMFILE, EMSGSIZE, ENAMETOOLONG, ENETDOWN, ENETRESET,
    ENETUNREACH, ENOBUFS, ENODEV, ENOMEM, ENOPROTOOPT, ENOTCONN, ENOTSOCK, ENOTSUP, EPROTO, EPROTONOSUPPORT,
    ETIMEDOUT,
};

use super::boundary;
use super::constants::*;
use scaproust::ffi::error::{Error, HAUSNUMERO};

/// The description of a constant of this interface.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_symbol_properties {
    /// Its value.
    pub value: c_int,
    /// Its name.
    pub name: *const c_char,
    /// Its namespace, an NN_NS_ constant.
    pub ns: c_int,
    /// For an option, its NN_TYPE_ constant, else NN_TYPE_NONE.
    pub r#type: c_int,
    /// For an option or a statistic, its NN_UNIT_ constant, else NN_UNIT_NONE.
    pub unit: c_int,
}

/// Returns the name of the constant with index `i`, from 0 on, and writes its value to `value`
/// unless that is NULL.
///
/// Returns NULL with EINVAL past the last one.
///
/// # Safety
/// `value` must be NULL or point to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_symbol(i: c_int, value: *mut c_int) -> *const c_char {
    boundary::call(ptr::null(), || {
        let symbol = symbol(i).ok_or(Error::InvalidArgument)?;
        if !value.is_null() {
            // SAFETY: as the caller promises.
            unsafe { value.write(symbol.value) };
        }
        Ok(symbol.name.as_ptr())
    })
}

/// Writes the description of the constant with index `i`, from 0 on, to `buf`; returns the number
/// of bytes written, which is at most `buflen`.
///
/// Returns 0 past the last one.
///
/// # Safety
/// `buf` must point to `buflen` writable bytes, or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nn_symbol_info(i: c_int, buf: *mut nn_symbol_properties, buflen: c_int) -> c_int {
    boundary::call(0, || {
        let (Some(symbol), Ok(room)) = (symbol(i), usize::try_from(buflen)) else { return Ok(0) };
        if buf.is_null() {
            return Err(Error::BadPointer);
        }
        let properties = symbol.properties();
        let length = room.min(size_of::<nn_symbol_properties>());
        // SAFETY: both sides have `length` bytes; the caller's need not be aligned.
        unsafe { ptr::copy_nonoverlapping((&raw const properties).cast::<u8>(), buf.cast(), length) };
        Ok(length as c_int)
    })
}

/// An entry of the table.
struct Symbol {
    name: &'static CStr,
    value: c_int,
    namespace: c_int,
    option_type: c_int,
    unit: c_int,
}

impl Symbol {
    fn properties(&self) -> nn_symbol_properties {
        nn_symbol_properties {
            value: self.value,
            name: self.name.as_ptr(),
            ns: self.namespace,
            r#type: self.option_type,
            unit: self.unit,
        }
    }
}

fn symbol(index: c_int) -> Option<&'static Symbol> {
    SYMBOLS.get(usize::try_from(index).ok()?)
}

/// The name and the value of a constant: `name!(NN_PAIR)`.
macro_rules! name {
    ($constant:ident) => {
        (terminated(concat!(stringify!($constant), "\0")), $constant)
    };
}

const fn terminated(name: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("a name has one zero, at its end"),
    }
}

/// A constant that is neither an option nor a statistic.
const fn plain(namespace: c_int, (name, value): (&'static CStr, c_int)) -> Symbol {
    Symbol { name, value, namespace, option_type: NN_TYPE_NONE, unit: NN_UNIT_NONE }
}

/// An integer: an option or a statistic.
const fn int(namespace: c_int, unit: c_int, (name, value): (&'static CStr, c_int)) -> Symbol {
    Symbol { name, value, namespace, option_type: NN_TYPE_INT, unit }
}

/// An option whose value is text or bytes.
const fn text(namespace: c_int, (name, value): (&'static CStr, c_int)) -> Symbol {
    Symbol { name, value, namespace, option_type: NN_TYPE_STR, unit: NN_UNIT_NONE }
}

/// Error numbers that only this library has. The headers define them by the same sum.
const ETERM: c_int = HAUSNUMERO + 53;
const EFSM: c_int = HAUSNUMERO + 54;

static SYMBOLS: &[Symbol] = &[
    plain(NN_NS_NAMESPACE, name!(NN_NS_NAMESPACE)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_VERSION)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_DOMAIN)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_TRANSPORT)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_PROTOCOL)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_OPTION_LEVEL)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_SOCKET_OPTION)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_TRANSPORT_OPTION)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_OPTION_TYPE)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_OPTION_UNIT)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_FLAG)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_ERROR)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_LIMIT)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_EVENT)),
    plain(NN_NS_NAMESPACE, name!(NN_NS_STATISTIC)),
    plain(NN_NS_OPTION_TYPE, name!(NN_TYPE_NONE)),
    plain(NN_NS_OPTION_TYPE, name!(NN_TYPE_INT)),
    plain(NN_NS_OPTION_TYPE, name!(NN_TYPE_STR)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_NONE)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_BYTES)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_MILLISECONDS)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_PRIORITY)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_BOOLEAN)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_COUNTER)),
    plain(NN_NS_OPTION_UNIT, name!(NN_UNIT_MESSAGES)),
    plain(NN_NS_VERSION, name!(NN_VERSION_CURRENT)),
    plain(NN_NS_VERSION, name!(NN_VERSION_REVISION)),
    plain(NN_NS_VERSION, name!(NN_VERSION_AGE)),
    plain(NN_NS_DOMAIN, name!(AF_SP)),
    plain(NN_NS_DOMAIN, name!(AF_SP_RAW)),
    plain(NN_NS_TRANSPORT, name!(NN_INPROC)),
    plain(NN_NS_TRANSPORT, name!(NN_IPC)),
    plain(NN_NS_TRANSPORT, name!(NN_TCP)),
    plain(NN_NS_TRANSPORT, name!(NN_WS)),
    plain(NN_NS_PROTOCOL, name!(NN_PAIR)),
    plain(NN_NS_PROTOCOL, name!(NN_PUB)),
    plain(NN_NS_PROTOCOL, name!(NN_SUB)),
    plain(NN_NS_PROTOCOL, name!(NN_REP)),
    plain(NN_NS_PROTOCOL, name!(NN_REQ)),
    plain(NN_NS_PROTOCOL, name!(NN_PUSH)),
    plain(NN_NS_PROTOCOL, name!(NN_PULL)),
    plain(NN_NS_PROTOCOL, name!(NN_SURVEYOR)),
    plain(NN_NS_PROTOCOL, name!(NN_RESPONDENT)),
    plain(NN_NS_PROTOCOL, name!(NN_BUS)),
    plain(NN_NS_LIMIT, name!(NN_SOCKADDR_MAX)),
    plain(NN_NS_OPTION_LEVEL, name!(NN_SOL_SOCKET)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_LINGER)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BYTES, name!(NN_SNDBUF)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BYTES, name!(NN_RCVBUF)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BYTES, name!(NN_RCVMAXSIZE)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_SNDTIMEO)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_RCVTIMEO)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_RECONNECT_IVL)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_RECONNECT_IVL_MAX)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_PRIORITY, name!(NN_SNDPRIO)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_PRIORITY, name!(NN_RCVPRIO)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_SNDFD)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_RCVFD)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_DOMAIN)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_PROTOCOL)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BOOLEAN, name!(NN_IPV4ONLY)),
    text(NN_NS_SOCKET_OPTION, name!(NN_SOCKET_NAME)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_MAXTTL)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_SUB_SUBSCRIBE)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_SUB_UNSUBSCRIBE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_MILLISECONDS, name!(NN_REQ_RESEND_IVL)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_MILLISECONDS, name!(NN_SURVEYOR_DEADLINE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BOOLEAN, name!(NN_TCP_NODELAY)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_WS_MSG_TYPE)),
    plain(NN_NS_FLAG, name!(NN_DONTWAIT)),
    plain(NN_NS_FLAG, name!(NN_WS_MSG_TYPE_TEXT)),
    plain(NN_NS_FLAG, name!(NN_WS_MSG_TYPE_BINARY)),
    plain(NN_NS_EVENT, name!(NN_POLLIN)),
    plain(NN_NS_EVENT, name!(NN_POLLOUT)),
    plain(NN_NS_ERROR, name!(EADDRINUSE)),
    plain(NN_NS_ERROR, name!(EADDRNOTAVAIL)),
    plain(NN_NS_ERROR, name!(EAFNOSUPPORT)),
    plain(NN_NS_ERROR, name!(EAGAIN)),
    plain(NN_NS_ERROR, name!(EBADF)),
    plain(NN_NS_ERROR, name!(ECONNREFUSED)),
    plain(NN_NS_ERROR, name!(EFAULT)),
    plain(NN_NS_ERROR, name!(EFSM)),
    plain(NN_NS_ERROR, name!(EINPROGRESS)),
    plain(NN_NS_ERROR, name!(EINTR)),
    plain(NN_NS_ERROR, name!(EINVAL)),
    plain(NN_NS_ERROR, name!(EMFILE)),
    plain(NN_NS_ERROR, name!(ENAMETOOLONG)),
    plain(NN_NS_ERROR, name!(ENETDOWN)),
    plain(NN_NS_ERROR, name!(ENOBUFS)),
    plain(NN_NS_ERROR, name!(ENODEV)),
    plain(NN_NS_ERROR, name!(ENOMEM)),
    plain(NN_NS_ERROR, name!(ENOPROTOOPT)),
    plain(NN_NS_ERROR, name!(ENOTSOCK)),
    plain(NN_NS_ERROR, name!(ENOTSUP)),
    plain(NN_NS_ERROR, name!(EPROTO)),
    plain(NN_NS_ERROR, name!(EPROTONOSUPPORT)),
    plain(NN_NS_ERROR, name!(ETERM)),
    plain(NN_NS_ERROR, name!(ETIMEDOUT)),
    plain(NN_NS_ERROR, name!(EACCES)),
    plain(NN_NS_ERROR, name!(ECONNABORTED)),
    plain(NN_NS_ERROR, name!(ECONNRESET)),
    plain(NN_NS_ERROR, name!(EHOSTUNREACH)),
    plain(NN_NS_ERROR, name!(EMSGSIZE)),
    plain(NN_NS_ERROR, name!(ENETRESET)),
    plain(NN_NS_ERROR, name!(ENETUNREACH)),
    plain(NN_NS_ERROR, name!(ENOTCONN)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_ESTABLISHED_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_ACCEPTED_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_DROPPED_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_BROKEN_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_CONNECT_ERRORS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_BIND_ERRORS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_ACCEPT_ERRORS)),
    int(NN_NS_STATISTIC, NN_UNIT_MESSAGES, name!(NN_STAT_MESSAGES_SENT)),
    int(NN_NS_STATISTIC, NN_UNIT_MESSAGES, name!(NN_STAT_MESSAGES_RECEIVED)),
    int(NN_NS_STATISTIC, NN_UNIT_BYTES, name!(NN_STAT_BYTES_SENT)),
    int(NN_NS_STATISTIC, NN_UNIT_BYTES, name!(NN_STAT_BYTES_RECEIVED)),
    int(NN_NS_STATISTIC, NN_UNIT_NONE, name!(NN_STAT_CURRENT_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_NONE, name!(NN_STAT_INPROGRESS_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_PRIORITY, name!(NN_STAT_CURRENT_SND_PRIORITY)),
    int(NN_NS_STATISTIC, NN_UNIT_NONE, name!(NN_STAT_CURRENT_EP_ERRORS)),
    // What follows libnanomsg does not have.
    text(NN_NS_SOCKET_OPTION, name!(NN_LAST_ENDPOINT)),
    text(NN_NS_SOCKET_OPTION, name!(NN_ENDPOINT_ADDRESS)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_MILLISECONDS, name!(NN_CONNECT_TIMEO)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BOOLEAN, name!(NN_RCV_PREFER_NEW)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BOOLEAN, name!(NN_CONFLATE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BOOLEAN, name!(NN_TCP_KEEPALIVE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TCP_KEEPALIVE_IDLE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TCP_KEEPALIVE_INTVL)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TCP_KEEPALIVE_CNT)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_MILLISECONDS, name!(NN_TCP_USER_TIMEOUT)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_IPC_PERMISSIONS)),
    plain(NN_NS_PROTOCOL, name!(NN_PAIR_V1)),
    plain(NN_NS_PROTOCOL, name!(NN_STAR)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BOOLEAN, name!(NN_PUB_FILTER)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BOOLEAN, name!(NN_SUB_FILTER_UPSTREAM)),
    int(NN_NS_STATISTIC, NN_UNIT_NONE, name!(NN_STAT_CURRENT_SUBSCRIPTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_MESSAGES, name!(NN_STAT_INVALID_MESSAGES)),
    text(NN_NS_SOCKET_OPTION, name!(NN_MONITOR)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_BOOLEAN, name!(NN_PEER_INFO)),
    text(NN_NS_SOCKET_OPTION, name!(NN_PIPE_CLOSE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_IPC_PEER_UID)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_IPC_PEER_GID)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TCP_ACCEPT)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_REFUSED_CONNECTIONS)),
    int(NN_NS_STATISTIC, NN_UNIT_COUNTER, name!(NN_STAT_HANDSHAKE_ERRORS)),
    int(NN_NS_STATISTIC, NN_UNIT_MESSAGES, name!(NN_STAT_MESSAGES_DROPPED)),
    int(NN_NS_SOCKET_OPTION, NN_UNIT_NONE, name!(NN_SHARE)),
    plain(NN_NS_OPTION_LEVEL, name!(NN_TLS)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CA)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CERT)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_KEY)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CRL)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CA_FILE)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CERT_FILE)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_KEY_FILE)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_CRL_FILE)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TLS_AUTH)),
    text(NN_NS_TRANSPORT_OPTION, name!(NN_TLS_SERVER_NAME)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TLS_MIN_VERSION)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TLS_MAX_VERSION)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BOOLEAN, name!(NN_TLS_SYSTEM_ROOTS)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_NONE, name!(NN_TLS_RELOAD)),
    plain(NN_NS_FLAG, name!(NN_TLS_AUTH_NONE)),
    plain(NN_NS_FLAG, name!(NN_TLS_AUTH_OPTIONAL)),
    plain(NN_NS_FLAG, name!(NN_TLS_AUTH_REQUIRED)),
    plain(NN_NS_FLAG, name!(NN_TLS_1_2)),
    plain(NN_NS_FLAG, name!(NN_TLS_1_3)),
    text(NN_NS_SOCKET_OPTION, name!(NN_ENDPOINT_STATISTICS)),
    text(NN_NS_SOCKET_OPTION, name!(NN_PIPE_STATISTICS)),
    int(NN_NS_TRANSPORT_OPTION, NN_UNIT_BYTES, name!(NN_IPC_SHM)),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The symbol `index`, as both functions return it: they must agree.
    fn described(index: c_int) -> Option<(String, nn_symbol_properties)> {
        let mut properties = nn_symbol_properties { value: 0, name: ptr::null(), ns: 0, r#type: 0, unit: 0 };
        let size = size_of::<nn_symbol_properties>() as c_int;
        let mut value = 0;
        // SAFETY: both places are valid, and a name ends with a zero.
        unsafe {
            let name = nn_symbol(index, &raw mut value);
            let length = nn_symbol_info(index, &raw mut properties, size + 100);
            if name.is_null() {
                assert_eq!((boundary::errno(), length), (libc::EINVAL, 0));
                return None;
            }
            assert_eq!((length, properties.value, properties.name), (size, value, name));
            assert_eq!(nn_symbol(index, ptr::null_mut()), name);
            Some((CStr::from_ptr(name).to_str().unwrap().to_owned(), properties))
        }
    }

    #[test]
    fn every_name_occurs_once() {
        let names: Vec<String> = (0..).map_while(described).map(|(name, _)| name).collect();
        assert_eq!(names.len(), SYMBOLS.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), SYMBOLS.len());
        // The names that libnanomsg has keep their places.
        assert_eq!(
            (names[0].as_str(), names[120].as_str()),
            ("NN_NS_NAMESPACE", "NN_STAT_CURRENT_EP_ERRORS")
        );
        assert!(
            described(-1).is_none() && described(c_int::MAX).is_none() && described(c_int::MIN).is_none()
        );
    }

    #[test]
    fn every_namespace_type_and_unit_has_a_symbol() {
        let all: Vec<_> = (0..).map_while(described).collect();
        let values = |namespace: c_int| -> HashSet<c_int> {
            all.iter().filter(|(_, it)| it.ns == namespace).map(|(_, it)| it.value).collect()
        };
        let (namespaces, kinds, units) =
            (values(NN_NS_NAMESPACE), values(NN_NS_OPTION_TYPE), values(NN_NS_OPTION_UNIT));
        assert_eq!((namespaces.len(), kinds.len(), units.len()), (15, 3, 7));
        for (name, it) in &all {
            let known = namespaces.contains(&it.ns) && kinds.contains(&it.r#type) && units.contains(&it.unit);
            assert!(known, "{name}");
            let is_option = [NN_NS_SOCKET_OPTION, NN_NS_TRANSPORT_OPTION, NN_NS_STATISTIC].contains(&it.ns);
            assert_eq!(it.r#type != NN_TYPE_NONE, is_option, "{name}");
        }
    }

    #[test]
    fn own_errors_have_the_numbers_of_errno() {
        assert_eq!((ETERM, EFSM), (Error::Terminated.errno(), Error::WrongState.errno()));
    }

    #[test]
    fn properties_are_cut_to_the_room() {
        let mut place = [0xaa_u8; size_of::<nn_symbol_properties>()];
        let buffer = place.as_mut_ptr().cast::<nn_symbol_properties>();
        // SAFETY: the place has at least the given length; null is allowed.
        unsafe {
            assert_eq!(nn_symbol_info(1, buffer, 4), 4);
            assert_eq!((nn_symbol_info(1, buffer, 0), nn_symbol_info(1, buffer, -1)), (0, 0));
            assert_eq!((nn_symbol_info(1, ptr::null_mut(), 4), boundary::errno()), (0, libc::EFAULT));
        }
        assert_eq!(place[..4], NN_NS_VERSION.to_ne_bytes());
        assert!(place[4..].iter().all(|&byte| byte == 0xaa));
    }
}
