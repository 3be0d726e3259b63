//! Parsing of addresses, `transport://address`.
//!
//! An address is a byte string. Any bytes may follow `ipc://` and `inproc://`; hosts, ports and paths
//! of tcp and ws are text.

mod networks;
mod site;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::error::Error;
pub(crate) use networks::Networks;
pub(crate) use site::Site;

/// The longest address in bytes: `NN_SOCKADDR_MAX` counts the terminating zero as well.
pub const MAX_LENGTH: usize = 127;
/// The longest path of a local socket in bytes, without the terminating zero, and the longest abstract
/// name, without the leading zero.
const MAX_PATH: usize = 107;
/// Whether the system has an abstract namespace for local sockets.
const HAS_ABSTRACT_NAMES: bool = cfg!(any(target_os = "linux", target_os = "android"));
/// Whether a descriptor of the program can become an endpoint.
const HAS_DESCRIPTORS: bool = cfg!(all(unix, not(simulated)));

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `inproc://name`: a name within this process.
    Inproc(Vec<u8>),
    /// `ipc://path`, `unix://path` or `abstract://name`: a local socket.
    Ipc(LocalName),
    /// `tcp://…`, `tcp4://…` or `tcp6://…`.
    Tcp(TcpAddress),
    /// `ws://…`, `ws4://…` or `ws6://…`.
    Ws(WsAddress),
    /// `tls+tcp://…`, `tls+tcp4://…` or `tls+tcp6://…`.
    #[cfg(feature = "tls")]
    Tls(TcpAddress),
    /// `wss://…`, `wss4://…` or `wss6://…`.
    #[cfg(feature = "tls")]
    Wss(WsAddress),
    /// `fd://…` or `socket://…`: a descriptor that the program has opened.
    Descriptor(DescriptorAddress),
}

/// The name of a local socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocalName {
    /// The path of its file; on Windows, the name of a named pipe.
    Path(PathBuf),
    /// Its name in the abstract namespace of Linux, without the leading zero byte. To bind, an empty name
    /// lets the system choose one.
    Abstract(Vec<u8>),
}

/// `host:port`, or `local;host:port` to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpAddress {
    /// The versions of IP that may be used.
    pub(crate) family: Family,
    /// The local address or interface of a connection.
    pub(crate) local: Option<Host>,
    /// The address or interface to bind, or the host to connect to.
    pub(crate) host: Host,
    /// The port. To bind, zero lets the system choose one.
    pub(crate) port: u16,
}

/// Versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Both.
    Any,
    /// IPv4 only: `tcp4`, or `NN_IPV4ONLY`.
    V4,
    /// IPv6 only: `tcp6`, whatever `NN_IPV4ONLY` is.
    V6,
}

/// A descriptor of the program that becomes an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DescriptorAddress {
    /// Which one it is.
    pub(crate) descriptor: GivenDescriptor,
    /// Whether the bytes are those of the tcp mapping (`socket://`, as in nng) whatever the descriptor is.
    /// Otherwise a local socket has those of ipc.
    pub(crate) is_tcp: bool,
}

/// How an address names a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GivenDescriptor {
    /// `fd://7`: by its number.
    Number(i32),
    /// `fd://http`: by its name in the environment variable `LISTEN_FDNAMES`.
    Name(Vec<u8>),
}

/// A tcp address, whose port may be left out to connect, followed by a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WsAddress {
    /// The host and the port.
    pub(crate) at: TcpAddress,
    /// Host and port as they are written.
    pub(crate) authority: String,
    /// The path with its query; `/` if there is none.
    pub(crate) resource: String,
}

/// The port of a ws address without one.
const WS_PORT: u16 = 80;
/// The port of a wss address without one.
#[cfg(feature = "tls")]
const WSS_PORT: u16 = 443;

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `*`: every interface.
    Any,
    /// A numeric address; an IPv6 address may be in brackets.
    Literal(IpAddr),
    /// `fe80::1%eth0`: a link-local address, and the interface to its link.
    LinkLocal(Ipv6Addr, String),
    /// The name of a host or of an interface.
    Name(String),
}

impl Address {
    /// Parses an address for binding.
    ///
    /// # Errors
    /// As `Address::split`; [`Error::InvalidArgument`] for an invalid port. The host part is checked by
    /// the transport.
    pub(crate) fn to_bind(address: &[u8]) -> Result<Address, Error> {
        let (scheme, rest) = Self::split(address)?;
        match split_family(scheme) {
            (b"tcp", family) => Ok(Address::Tcp(TcpAddress::to_bind(&text(rest), family)?)),
            (b"ws", family) => Ok(Address::Ws(WsAddress::to_bind(&text(rest), family)?)),
            #[cfg(feature = "tls")]
            (b"tls+tcp", family) => Ok(Address::Tls(TcpAddress::to_bind(&text(rest), family)?)),
            #[cfg(feature = "tls")]
            (b"wss", family) => Ok(Address::Wss(WsAddress::to_bind(&text(rest), family)?)),
            _ => Self::to_either(scheme, rest),
        }
    }

    /// Parses an address for connecting.
    ///
    /// # Errors
    /// As `Address::split`; [`Error::InvalidArgument`] for an invalid port, host or path.
    pub(crate) fn to_connect(address: &[u8]) -> Result<Address, Error> {
        let (scheme, rest) = Self::split(address)?;
        match split_family(scheme) {
            (b"tcp", family) => Ok(Address::Tcp(TcpAddress::to_connect(&text(rest), family, None)?)),
            (b"ws", family) => Ok(Address::Ws(WsAddress::to_connect(&text(rest), family, WS_PORT)?)),
            #[cfg(feature = "tls")]
            (b"tls+tcp", family) => Ok(Address::Tls(TcpAddress::to_connect(&text(rest), family, None)?)),
            #[cfg(feature = "tls")]
            (b"wss", family) => Ok(Address::Wss(WsAddress::to_connect(&text(rest), family, WSS_PORT)?)),
            _ => match Self::to_either(scheme, rest)? {
                Address::Ipc(LocalName::Abstract(name)) if name.is_empty() => Err(Error::InvalidArgument),
                address => Ok(address),
            },
        }
    }

    /// The bytes before and after `://`.
    ///
    /// # Errors
    /// [`Error::AddressTooLong`], or [`Error::InvalidArgument`] when there is no `://`.
    pub(crate) fn split(address: &[u8]) -> Result<(&[u8], &[u8]), Error> {
        if address.len() > MAX_LENGTH {
            return Err(Error::AddressTooLong);
        }
        let colon = address.iter().position(|byte| *byte == b':').ok_or(Error::InvalidArgument)?;
        let (scheme, rest) = address.split_at(colon);
        let rest = rest.strip_prefix(b"://").ok_or(Error::InvalidArgument)?;
        Ok((scheme, rest))
    }

    /// Parses an address whose form is the same for binding and connecting.
    fn to_either(scheme: &[u8], rest: &[u8]) -> Result<Address, Error> {
        match scheme {
            b"inproc" => Ok(Address::Inproc(rest.to_owned())),
            b"ipc" | b"unix" if rest.is_empty() => Err(Error::InvalidArgument),
            b"ipc" | b"unix" if rest.len() > MAX_PATH => Err(Error::AddressTooLong),
            b"ipc" | b"unix" => Ok(Address::Ipc(LocalName::Path(path(rest)?))),
            b"abstract" if HAS_ABSTRACT_NAMES => {
                let name = decode_percent(rest)?;
                if name.len() > MAX_PATH {
                    return Err(Error::AddressTooLong);
                }
                Ok(Address::Ipc(LocalName::Abstract(name)))
            }
            b"fd" | b"socket" if HAS_DESCRIPTORS => {
                Ok(Address::Descriptor(DescriptorAddress::parse(rest, scheme == b"socket")?))
            }
            _ => Err(Error::UnknownTransport),
        }
    }
}

/// `address`, which ends in a port, with another port.
pub(crate) fn with_port(address: &[u8], port: u16) -> Vec<u8> {
    let end = address.iter().rposition(|byte| *byte == b':').map_or(address.len(), |colon| colon + 1);
    [&address[..end], port.to_string().as_bytes()].concat()
}

/// The address of a local socket with a name in the abstract namespace.
pub(crate) fn abstract_address(name: &[u8]) -> Vec<u8> {
    let mut address = b"abstract://".to_vec();
    for byte in name {
        match byte {
            b'%' => address.extend_from_slice(b"%25"),
            byte if byte.is_ascii_graphic() => address.push(*byte),
            byte => address.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    address
}

/// Splits the version of IP off a scheme: `tcp4` is `tcp` with IPv4 only.
fn split_family(scheme: &[u8]) -> (&[u8], Family) {
    for (digit, family) in [(b"4", Family::V4), (b"6", Family::V6)] {
        if let Some(name @ (b"tcp" | b"ws" | b"tls+tcp" | b"wss")) = scheme.strip_suffix(digit) {
            return (name, family);
        }
    }
    (scheme, Family::Any)
}

/// Replaces each `%` and the two hexadecimal digits behind it by their byte.
fn decode_percent(mut text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut decoded = Vec::with_capacity(text.len());
    while let Some((byte, rest)) = text.split_first() {
        text = rest;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let (digits, rest) = text.split_first_chunk::<2>().ok_or(Error::InvalidArgument)?;
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(Error::InvalidArgument);
        decoded.push((digit(digits[0])? << 4 | digit(digits[1])?) as u8);
        text = rest;
    }
    Ok(decoded)
}

/// The part behind `tcp://` or `ws://` as text. Invalid UTF-8 becomes a character that is not valid in the
/// name of a host or of an interface.
fn text(rest: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(rest)
}

/// The path with these bytes.
///
/// # Errors
/// None on Unix.
#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStrExt;

    Ok(std::ffi::OsStr::from_bytes(bytes).into())
}

/// The name of a named pipe, which is text.
///
/// # Errors
/// [`Error::InvalidArgument`] for bytes that are not UTF-8.
#[cfg(windows)]
fn path(bytes: &[u8]) -> Result<PathBuf, Error> {
    std::str::from_utf8(bytes).map(PathBuf::from).map_err(|_| Error::InvalidArgument)
}

impl Family {
    /// The versions that are left with `NN_IPV4ONLY`.
    pub(crate) fn limited(self, ipv4_only: bool) -> Family {
        if self == Family::Any && ipv4_only { Family::V4 } else { self }
    }

    /// Whether an address has one of the versions.
    pub(crate) fn has(self, ip: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}

impl DescriptorAddress {
    fn parse(text: &[u8], is_tcp: bool) -> Result<DescriptorAddress, Error> {
        let is_number = text.iter().all(u8::is_ascii_digit);
        let descriptor = match std::str::from_utf8(text) {
            _ if text.is_empty() => return Err(Error::InvalidArgument),
            Ok(digits) if is_number => {
                GivenDescriptor::Number(digits.parse().map_err(|_| Error::InvalidArgument)?)
            }
            _ if is_tcp => return Err(Error::InvalidArgument),
            _ => GivenDescriptor::Name(text.to_owned()),
        };
        Ok(DescriptorAddress { descriptor, is_tcp })
    }
}

impl TcpAddress {
    fn to_bind(text: &str, family: Family) -> Result<TcpAddress, Error> {
        let (host, port) = split_port(text)?;
        let host = if host.is_empty() { Host::Any } else { Host::parse(host) };
        Ok(TcpAddress { family, local: None, host, port })
    }

    fn to_connect(text: &str, family: Family, default_port: Option<u16>) -> Result<TcpAddress, Error> {
        let (local, remote) = match text.split_once(';') {
            Some((local, remote)) => (Some(Host::parse(local)), remote),
            None => (None, text),
        };
        let (host, port) = match default_port {
            Some(port) if remote.ends_with(']') || !remote.contains(':') => (remote, port),
            _ => split_port(remote)?,
        };
        let host = Host::parse(host);
        match &host {
            _ if port == 0 => Err(Error::InvalidArgument),
            Host::Any => Err(Error::InvalidArgument),
            Host::Name(name) if !is_host_name(name) => Err(Error::InvalidArgument),
            _ => Ok(TcpAddress { family, local, host, port }),
        }
    }
}

impl WsAddress {
    /// A bound socket accepts every path, so the address has none: it makes the port invalid.
    fn to_bind(text: &str, family: Family) -> Result<WsAddress, Error> {
        let at = TcpAddress::to_bind(text, family)?;
        Ok(WsAddress { at, authority: text.to_owned(), resource: "/".to_owned() })
    }

    fn to_connect(text: &str, family: Family, default_port: u16) -> Result<WsAddress, Error> {
        let (hosts, resource) = text.split_at(text.find('/').unwrap_or(text.len()));
        // The resource becomes a word in the first line of the upgrade request.
        if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::InvalidArgument);
        }
        let at = TcpAddress::to_connect(hosts, family, Some(default_port))?;
        let written = hosts.split_once(';').map_or(hosts, |(_, remote)| remote);
        let authority = match &at.host {
            // A zone has a meaning on this machine only, and is not part of a URI's host (RFC 3986, 3.2.2).
            Host::LinkLocal(_, zone) => written.replacen(&format!("%{zone}"), "", 1),
            _ => written.to_owned(),
        };
        let resource = if resource.is_empty() { "/" } else { resource }.to_owned();
        Ok(WsAddress { at, authority, resource })
    }
}

impl Host {
    fn parse(text: &str) -> Host {
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if text == "*" {
            Host::Any
        } else if let Ok(address) = inner.unwrap_or(text).parse::<Ipv6Addr>() {
            Host::Literal(address.into())
        } else if let Ok(address) = inner.unwrap_or(text).parse::<Ipv4Addr>() {
            Host::Literal(address.into())
        } else if let Some((address, zone)) = link_local(inner.unwrap_or(text)) {
            Host::LinkLocal(address, zone.to_owned())
        } else {
            Host::Name(text.to_owned())
        }
    }

    /// Its address, if it is numeric.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Literal(ip) => Some(*ip),
            Host::LinkLocal(ip, _) => Some((*ip).into()),
            Host::Any | Host::Name(_) => None,
        }
    }

    /// The name or the address that a server's certificate must have. A zone has a meaning on this machine only.
    #[cfg(feature = "tls")]
    pub(crate) fn to_verify(&self) -> String {
        match self {
            Host::Any => "*".to_owned(),
            Host::Literal(ip) => ip.to_string(),
            Host::LinkLocal(ip, _) => ip.to_string(),
            Host::Name(name) => name.clone(),
        }
    }
}

/// Splits a link-local address and its zone (RFC 4007, 11), the name or the number of an interface.
fn link_local(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, zone) = text.split_once('%')?;
    let address = address.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_unicast_link_local)?;
    (!zone.is_empty()).then_some((address, zone))
}

/// Splits host and port. The port must be 0 to 65535, in digits.
fn split_port(text: &str) -> Result<(&str, u16), Error> {
    let (host, port) = text.rsplit_once(':').ok_or(Error::InvalidArgument)?;
    // A sign is not a digit, but could be parsed.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::InvalidArgument);
    }
    port.parse().map(|port| (host, port)).map_err(|_| Error::InvalidArgument)
}

/// Whether it consists of labels of letters, digits and hyphens, joined by dots (RFC 1123, 2.1), and does not
/// begin with a hyphen.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    !name.starts_with('-') && name.len() <= 255 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(text: &str) -> Result<Address, Error> {
        Address::to_connect(text.as_bytes())
    }

    fn bind(text: &str) -> Result<Address, Error> {
        Address::to_bind(text.as_bytes())
    }

    fn ipc(path: &str) -> Address {
        Address::Ipc(LocalName::Path(path.into()))
    }

    #[test]
    fn an_address_of_each_transport_is_parsed() {
        assert_eq!(connect("inproc://a b"), Ok(Address::Inproc("a b".into())));
        assert_eq!(connect("inproc://"), Ok(Address::Inproc(Vec::new())));
        assert_eq!(connect("ipc:///tmp/x.ipc"), Ok(ipc("/tmp/x.ipc")));
        let tcp =
            TcpAddress { family: Family::Any, local: None, host: Host::Name("localhost".into()), port: 5555 };
        assert_eq!(connect("tcp://localhost:5555"), Ok(Address::Tcp(tcp)));
        let local = Some(Host::Literal(Ipv4Addr::LOCALHOST.into()));
        let tcp = TcpAddress {
            family: Family::Any,
            local,
            host: Host::Literal(Ipv6Addr::LOCALHOST.into()),
            port: 1,
        };
        assert_eq!(connect("tcp://127.0.0.1;[::1]:1"), Ok(Address::Tcp(tcp)));
        let link = |zone: &str| Host::LinkLocal("fe80::1".parse().unwrap(), zone.to_owned());
        let tcp = TcpAddress { family: Family::Any, local: Some(link("1")), host: link("eth0.5:1"), port: 2 };
        assert_eq!(connect("tcp://fe80::1%1;[fe80::1%eth0.5:1]:2"), Ok(Address::Tcp(tcp)));
        let tcp = TcpAddress { family: Family::Any, local: None, host: Host::Any, port: 65535 };
        assert_eq!(Address::to_bind(b"tcp://*:65535"), Ok(Address::Tcp(tcp)));
    }

    #[test]
    fn a_ws_address_may_have_a_path_and_no_port() {
        let ws = |text: &str| match connect(text) {
            Ok(Address::Ws(ws)) => Some((ws.at.host, ws.at.port, ws.authority, ws.resource)),
            _ => None,
        };
        let name = |name: &str| Host::Name(name.to_owned());
        let own = |host: Host, port: u16, authority: &str, resource: &str| {
            Some((host, port, authority.to_owned(), resource.to_owned()))
        };
        assert_eq!(ws("ws://a.b"), own(name("a.b"), 80, "a.b", "/"));
        assert_eq!(ws("ws://a:81"), own(name("a"), 81, "a:81", "/"));
        assert_eq!(ws("ws://a/b:c;d/?e=f"), own(name("a"), 80, "a", "/b:c;d/?e=f"));
        let loopback = Host::Literal(Ipv6Addr::LOCALHOST.into());
        assert_eq!(ws("ws://lo;[::1]/x"), own(loopback.clone(), 80, "[::1]", "/x"));
        assert_eq!(ws("ws://[::1]:5"), own(loopback, 5, "[::1]:5", "/"));
        let link = |zone: &str| Host::LinkLocal("fe80::1".parse().unwrap(), zone.to_owned());
        assert_eq!(ws("ws://[fe80::1%eth0]/%eth0"), own(link("eth0"), 80, "[fe80::1]", "/%eth0"));
        assert_eq!(ws("ws://[fe80::1%eth0]:5"), own(link("eth0"), 5, "[fe80::1]:5", "/"));
        for rest in
            ["", "/", "*", "*:5", ":5", "a:", "a:0", "a:5x", "a?b", "a b", "a/b c", "a/\r\nX: y", "-a/"]
        {
            assert_eq!(connect(&format!("ws://{rest}")), Err(Error::InvalidArgument), "{rest}");
        }
        for rest in ["*", "a", "*:5/", "*:5/a", "a:", "a:65536"] {
            assert_eq!(
                Address::to_bind(format!("ws://{rest}").as_bytes()),
                Err(Error::InvalidArgument),
                "{rest}"
            );
        }
        assert!(matches!(Address::to_bind(b"ws://*:5"), Ok(Address::Ws(ws)) if ws.at.port == 5));
    }

    #[test]
    fn an_invalid_address_has_a_specific_error() {
        for text in ["", "tcp", "tcp:", "tcp:/", "tcp:/x", "ipc://"] {
            assert_eq!(connect(text), Err(Error::InvalidArgument), "{text}");
        }
        for text in ["foo://x", "://x", "tcpx://a:1"] {
            assert_eq!(connect(text), Err(Error::UnknownTransport), "{text}");
        }
        let long = format!("inproc://{}", "x".repeat(MAX_LENGTH - 9));
        assert!(connect(&long).is_ok());
        assert_eq!(connect(&(long + "x")), Err(Error::AddressTooLong));
        assert_eq!(connect(&format!("ipc://{}", "x".repeat(108))), Err(Error::AddressTooLong));
    }

    #[test]
    fn to_bind_a_port_may_be_zero_and_the_interface_empty() {
        for (text, port) in [("tcp://*:0", 0), ("tcp://:0", 0), ("tcp://:05", 5)] {
            let at = TcpAddress { family: Family::Any, local: None, host: Host::Any, port };
            assert_eq!(bind(text), Ok(Address::Tcp(at)), "{text}");
        }
        assert!(
            matches!(bind("ws://:0"), Ok(Address::Ws(ws)) if (&ws.at.host, ws.at.port) == (&Host::Any, 0))
        );
        assert_eq!(with_port(b"tcp://[::1]:0", 65535), b"tcp://[::1]:65535");
    }

    #[test]
    fn a_scheme_may_name_the_version_of_ip() {
        for (scheme, family) in [("tcp", Family::Any), ("tcp4", Family::V4), ("tcp6", Family::V6)] {
            let text = format!("{scheme}://a:5");
            assert!(matches!(connect(&text), Ok(Address::Tcp(at)) if at.family == family), "{text}");
            assert!(matches!(bind(&text), Ok(Address::Tcp(at)) if at.family == family), "{text}");
        }
        for (scheme, family) in [("ws", Family::Any), ("ws4", Family::V4), ("ws6", Family::V6)] {
            let text = format!("{scheme}://a:5");
            assert!(matches!(connect(&text), Ok(Address::Ws(ws)) if ws.at.family == family), "{text}");
            assert!(matches!(bind(&text), Ok(Address::Ws(ws)) if ws.at.family == family), "{text}");
        }
        for text in ["tcp5://a:5", "tcp44://a:5", "ipc4://x", "4://x", "inproc6://x"] {
            assert_eq!(connect(text), Err(Error::UnknownTransport), "{text}");
        }
        assert_eq!(Family::Any.limited(true), Family::V4);
        assert_eq!([Family::V6.limited(true), Family::Any.limited(false)], [Family::V6, Family::Any]);
    }

    #[test]
    fn unix_is_ipc_and_an_abstract_name_may_have_any_bytes() {
        assert_eq!(connect("unix:///tmp/x"), Ok(ipc("/tmp/x")));
        assert_eq!(connect("unix://"), Err(Error::InvalidArgument));
        assert_eq!(connect("ipc://@x"), Ok(ipc("@x")));
        if !HAS_ABSTRACT_NAMES {
            assert_eq!(connect("abstract://x"), Err(Error::UnknownTransport));
            return;
        }
        let name = |name: &[u8]| Ok(Address::Ipc(LocalName::Abstract(name.to_owned())));
        assert_eq!(connect("abstract://a b/%00%fF%25"), name(b"a b/\0\xff%"));
        assert_eq!((bind("abstract://"), connect("abstract://")), (name(b""), Err(Error::InvalidArgument)));
        for text in ["%", "a%4", "%g0", "%+1", "%%"] {
            assert_eq!(bind(&format!("abstract://{text}")), Err(Error::InvalidArgument), "{text}");
        }
        let long = format!("abstract://{}", "x".repeat(MAX_PATH));
        assert!(bind(&long).is_ok());
        assert_eq!(bind(&(long + "x")), Err(Error::AddressTooLong));
        for bytes in [&b"plain"[..], b"", b"\0 %\x7f\xe9"] {
            assert_eq!(Address::to_bind(&abstract_address(bytes)), name(bytes));
        }
    }

    #[test]
    fn a_descriptor_has_a_number_or_a_name() {
        if !HAS_DESCRIPTORS {
            assert_eq!(connect("fd://7"), Err(Error::UnknownTransport));
            return;
        }
        let given = |descriptor, is_tcp| Ok(Address::Descriptor(DescriptorAddress { descriptor, is_tcp }));
        assert_eq!(bind("fd://7"), given(GivenDescriptor::Number(7), false));
        assert_eq!(connect("socket://07"), given(GivenDescriptor::Number(7), true));
        for name in ["http", "7a", "-7", "+7", "a b"] {
            let parsed = given(GivenDescriptor::Name(name.into()), false);
            assert_eq!(bind(&format!("fd://{name}")), parsed);
            assert_eq!(bind(&format!("socket://{name}")), Err(Error::InvalidArgument));
        }
        for text in ["fd://", "socket://", "fd://2147483648", "fd://99999999999999999999"] {
            assert_eq!(bind(text), Err(Error::InvalidArgument), "{text}");
        }
    }

    #[test]
    fn inproc_names_and_ipc_paths_are_bytes_and_hosts_are_text() {
        let address = Address::to_connect(b"inproc://\x80\xff\x01");
        assert_eq!(address, Ok(Address::Inproc(vec![0x80, 0xff, 1])));
        let address = Address::to_bind(b"ipc://caf\xe9");
        #[cfg(unix)]
        assert!(matches!(address, Ok(Address::Ipc(LocalName::Path(path))) if path.as_os_str().len() == 4));
        #[cfg(windows)]
        assert_eq!(address, Err(Error::InvalidArgument));
        for address in [&b"tcp://caf\xe9:5"[..], b"ws://caf\xe9:5", b"ws://h/caf\xe9", b"tcp://h:5\xe9"] {
            assert_eq!(Address::to_connect(address), Err(Error::InvalidArgument));
        }
        let local = Address::to_connect(b"tcp://caf\xe9;h:5");
        assert!(matches!(
            local,
            Ok(Address::Tcp(TcpAddress { family: Family::Any, local: Some(Host::Name(_)), .. }))
        ));
        assert_eq!(Address::to_bind(b"caf\xe9://x"), Err(Error::UnknownTransport));
    }

    #[test]
    fn ports_and_hosts_to_connect_to_are_checked() {
        for rest in [
            "*:",
            "*:1000000",
            "*:port",
            "127.0.0.1",
            "h:",
            "h:0",
            "h:65536",
            "h:+1",
            "h:4294967297",
            ":5555",
            "*:5555",
            "-h:5",
            "a.---.#:5",
            "a...1:5",
            ".1:5",
            "a b:5",
            "[fe80::1%]:5",
            "[2001:db8::1%eth0]:5",
            "[eth0%fe80::1]:5",
            "127.0.0.1%lo:5",
        ] {
            assert_eq!(connect(&format!("tcp://{rest}")), Err(Error::InvalidArgument), "{rest}");
        }
        for rest in ["a:1", "a.b-c.d:1", "example.org.:80", "127.0.0.1:1", "[::1]:1", "::1:5"] {
            assert!(connect(&format!("tcp://{rest}")).is_ok(), "{rest}");
        }
    }
}
