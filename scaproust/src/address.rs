//! Parsing of addresses, `transport://address`.
//!
//! An address is a byte string. Any bytes may follow `ipc://` and `inproc://`; hosts, ports and paths
//! of tcp and ws are text.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::error::Error;

/// The longest address in bytes: `NN_SOCKADDR_MAX` counts the terminating zero as well.
pub const MAX_LENGTH: usize = 127;
/// The longest path of a local socket in bytes, without the terminating zero.
const MAX_PATH: usize = 107;

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `inproc://name`: a name within this process.
    Inproc(Vec<u8>),
    /// `ipc://path`: the path of a local socket.
    Ipc(PathBuf),
    /// `tcp://…`.
    Tcp(TcpAddress),
    /// `ws://…`.
    Ws(WsAddress),
    /// `tls+tcp://…`.
    #[cfg(feature = "tls")]
    Tls(TcpAddress),
    /// `wss://…`.
    #[cfg(feature = "tls")]
    Wss(WsAddress),
}

/// `host:port`, or `local;host:port` to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpAddress {
    /// The local address or interface of a connection.
    pub(crate) local: Option<Host>,
    /// The address or interface to bind, or the host to connect to.
    pub(crate) host: Host,
    /// The port, not zero.
    pub(crate) port: u16,
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
        match Self::split(address)? {
            (b"tcp", rest) => Ok(Address::Tcp(TcpAddress::to_bind(&text(rest))?)),
            (b"ws", rest) => Ok(Address::Ws(WsAddress::to_bind(&text(rest))?)),
            #[cfg(feature = "tls")]
            (b"tls+tcp", rest) => Ok(Address::Tls(TcpAddress::to_bind(&text(rest))?)),
            #[cfg(feature = "tls")]
            (b"wss", rest) => Ok(Address::Wss(WsAddress::to_bind(&text(rest))?)),
            (scheme, rest) => Self::inproc_or_ipc(scheme, rest),
        }
    }

    /// Parses an address for connecting.
    ///
    /// # Errors
    /// As `Address::split`; [`Error::InvalidArgument`] for an invalid port, host or path.
    pub(crate) fn to_connect(address: &[u8]) -> Result<Address, Error> {
        match Self::split(address)? {
            (b"tcp", rest) => Ok(Address::Tcp(TcpAddress::to_connect(&text(rest), None)?)),
            (b"ws", rest) => Ok(Address::Ws(WsAddress::to_connect(&text(rest), WS_PORT)?)),
            #[cfg(feature = "tls")]
            (b"tls+tcp", rest) => Ok(Address::Tls(TcpAddress::to_connect(&text(rest), None)?)),
            #[cfg(feature = "tls")]
            (b"wss", rest) => Ok(Address::Wss(WsAddress::to_connect(&text(rest), WSS_PORT)?)),
            (scheme, rest) => Self::inproc_or_ipc(scheme, rest),
        }
    }

    /// The bytes before and after `://`.
    ///
    /// # Errors
    /// [`Error::AddressTooLong`], or [`Error::InvalidArgument`] when there is no `://`.
    fn split(address: &[u8]) -> Result<(&[u8], &[u8]), Error> {
        if address.len() > MAX_LENGTH {
            return Err(Error::AddressTooLong);
        }
        let colon = address.iter().position(|byte| *byte == b':').ok_or(Error::InvalidArgument)?;
        let (scheme, rest) = address.split_at(colon);
        let rest = rest.strip_prefix(b"://").ok_or(Error::InvalidArgument)?;
        Ok((scheme, rest))
    }

    fn inproc_or_ipc(scheme: &[u8], rest: &[u8]) -> Result<Address, Error> {
        match scheme {
            b"inproc" => Ok(Address::Inproc(rest.to_owned())),
            b"ipc" if rest.is_empty() => Err(Error::InvalidArgument),
            b"ipc" if rest.len() > MAX_PATH => Err(Error::AddressTooLong),
            b"ipc" => Ok(Address::Ipc(path(rest)?)),
            _ => Err(Error::UnknownTransport),
        }
    }
}

/// The part behind the `://` of a network transport as text. Invalid UTF-8 becomes a character that is not valid in the
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

impl TcpAddress {
    fn to_bind(text: &str) -> Result<TcpAddress, Error> {
        let (host, port) = split_port(text)?;
        Ok(TcpAddress { local: None, host: Host::parse(host), port })
    }

    fn to_connect(text: &str, default_port: Option<u16>) -> Result<TcpAddress, Error> {
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
            Host::Any => Err(Error::InvalidArgument),
            Host::Name(name) if !is_host_name(name) => Err(Error::InvalidArgument),
            _ => Ok(TcpAddress { local, host, port }),
        }
    }
}

impl WsAddress {
    /// A bound socket accepts every path, so the address has none: it makes the port invalid.
    fn to_bind(text: &str) -> Result<WsAddress, Error> {
        let at = TcpAddress::to_bind(text)?;
        Ok(WsAddress { at, authority: text.to_owned(), resource: "/".to_owned() })
    }

    fn to_connect(text: &str, default_port: u16) -> Result<WsAddress, Error> {
        let (hosts, resource) = text.split_at(text.find('/').unwrap_or(text.len()));
        // The resource becomes a word in the first line of the upgrade request.
        if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::InvalidArgument);
        }
        let at = TcpAddress::to_connect(hosts, Some(default_port))?;
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

    /// Whether it is a numeric IPv6 address, which `NN_IPV4ONLY` excludes.
    pub(crate) fn is_ipv6(&self) -> bool {
        matches!(self, Host::Literal(IpAddr::V6(_)) | Host::LinkLocal(..))
    }
}

/// Splits a link-local address and its zone (RFC 4007, 11), the name or the number of an interface.
fn link_local(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, zone) = text.split_once('%')?;
    let address = address.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_unicast_link_local)?;
    (!zone.is_empty()).then_some((address, zone))
}

/// Splits host and port. The port must be 1 to 65535, in digits.
fn split_port(text: &str) -> Result<(&str, u16), Error> {
    let (host, port) = text.rsplit_once(':').ok_or(Error::InvalidArgument)?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { port.parse::<u32>().unwrap_or(0) } else { 0 };
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok((host, port)),
        _ => Err(Error::InvalidArgument),
    }
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

    #[test]
    fn an_address_of_each_transport_is_parsed() {
        assert_eq!(connect("inproc://a b"), Ok(Address::Inproc("a b".into())));
        assert_eq!(connect("inproc://"), Ok(Address::Inproc(Vec::new())));
        assert_eq!(connect("ipc:///tmp/x.ipc"), Ok(Address::Ipc("/tmp/x.ipc".into())));
        let tcp = TcpAddress { local: None, host: Host::Name("localhost".into()), port: 5555 };
        assert_eq!(connect("tcp://localhost:5555"), Ok(Address::Tcp(tcp)));
        let local = Some(Host::Literal(Ipv4Addr::LOCALHOST.into()));
        let tcp = TcpAddress { local, host: Host::Literal(Ipv6Addr::LOCALHOST.into()), port: 1 };
        assert_eq!(connect("tcp://127.0.0.1;[::1]:1"), Ok(Address::Tcp(tcp)));
        let link = |zone: &str| Host::LinkLocal("fe80::1".parse().unwrap(), zone.to_owned());
        let tcp = TcpAddress { local: Some(link("1")), host: link("eth0.5:1"), port: 2 };
        assert_eq!(connect("tcp://fe80::1%1;[fe80::1%eth0.5:1]:2"), Ok(Address::Tcp(tcp)));
        let tcp = TcpAddress { local: None, host: Host::Any, port: 65535 };
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
        for rest in ["*", "a", "*:5/", "*:5/a", "a:0"] {
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
    fn inproc_names_and_ipc_paths_are_bytes_and_hosts_are_text() {
        let address = Address::to_connect(b"inproc://\x80\xff\x01");
        assert_eq!(address, Ok(Address::Inproc(vec![0x80, 0xff, 1])));
        let address = Address::to_bind(b"ipc://caf\xe9");
        #[cfg(unix)]
        assert!(matches!(address, Ok(Address::Ipc(path)) if path.as_os_str().len() == 4));
        #[cfg(windows)]
        assert_eq!(address, Err(Error::InvalidArgument));
        for address in [&b"tcp://caf\xe9:5"[..], b"ws://caf\xe9:5", b"ws://h/caf\xe9", b"tcp://h:5\xe9"] {
            assert_eq!(Address::to_connect(address), Err(Error::InvalidArgument));
        }
        let local = Address::to_connect(b"tcp://caf\xe9;h:5");
        assert!(matches!(local, Ok(Address::Tcp(TcpAddress { local: Some(Host::Name(_)), .. }))));
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
