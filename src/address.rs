//! `transport://address`, parsed once into a typed value.
//!
//! An address is a row of bytes. What follows `ipc://` and `inproc://` may be any; the hosts, ports
//! and paths of the network are text.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::error::Error;

/// The longest address in bytes: `NN_SOCKADDR_MAX` counts the terminating zero as well.
pub const MAX_LENGTH: usize = 127;
/// The longest path of a local socket in bytes.
const MAX_PATH: usize = 107;

/// What an endpoint is bound or connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `inproc://name`: another socket of the same process.
    Inproc(Vec<u8>),
    /// `ipc://path`: a local socket.
    Ipc(PathBuf),
    /// `tcp://…`.
    Tcp(TcpAddress),
    /// `ws://…`.
    Ws(WsAddress),
}

/// `host:port`, or `local;host:port` to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpAddress {
    /// Where a connection is to start from.
    pub(crate) local: Option<Host>,
    /// Where to bind, or whom to connect to.
    pub(crate) host: Host,
    /// The port, never zero.
    pub(crate) port: u16,
}

/// As for tcp, and to connect also a path; the port is 80 unless it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WsAddress {
    /// Where that is on the network.
    pub(crate) at: TcpAddress,
    /// Host and port as they were written.
    pub(crate) authority: String,
    /// The path, with a query if it has one; at least `/`.
    pub(crate) resource: String,
}

/// The port of a WebSocket whose address names none.
const WS_PORT: u16 = 80;

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `*`: every interface.
    Any,
    /// An address in numbers; one of IPv6 may stand in brackets.
    Literal(IpAddr),
    /// `fe80::1%eth0`: an address that is unique on one link only, and the interface to that link.
    LinkLocal(Ipv6Addr, String),
    /// The name of a host or an interface.
    Name(String),
}

impl Address {
    /// Parses an address for binding.
    ///
    /// # Errors
    /// As `Address::split`; [`Error::InvalidArgument`] for a bad port. What the host part of an
    /// address may be is the transport's to say.
    pub(crate) fn to_bind(address: &[u8]) -> Result<Address, Error> {
        match Self::split(address)? {
            (b"tcp", rest) => Ok(Address::Tcp(TcpAddress::to_bind(&text(rest))?)),
            // Every path is served, so none can be named: it would be a bad port.
            (b"ws", rest) => {
                let authority = text(rest).into_owned();
                let at = TcpAddress::to_bind(&authority)?;
                Ok(Address::Ws(WsAddress { at, authority, resource: "/".to_owned() }))
            }
            (scheme, rest) => Self::local(scheme, rest),
        }
    }

    /// Parses an address for connecting.
    ///
    /// # Errors
    /// As `Address::split`; [`Error::InvalidArgument`] for a bad port, host or path.
    pub(crate) fn to_connect(address: &[u8]) -> Result<Address, Error> {
        match Self::split(address)? {
            (b"tcp", rest) => Ok(Address::Tcp(TcpAddress::to_connect(&text(rest), None)?)),
            (b"ws", rest) => Ok(Address::Ws(WsAddress::to_connect(&text(rest))?)),
            (scheme, rest) => Self::local(scheme, rest),
        }
    }

    /// The scheme, and what follows `://`.
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

    fn local(scheme: &[u8], rest: &[u8]) -> Result<Address, Error> {
        match scheme {
            b"inproc" => Ok(Address::Inproc(rest.to_owned())),
            b"ipc" if rest.is_empty() => Err(Error::InvalidArgument),
            b"ipc" if rest.len() > MAX_PATH => Err(Error::AddressTooLong),
            b"ipc" => Ok(Address::Ipc(path(rest)?)),
            _ => Err(Error::UnknownTransport),
        }
    }
}

/// What follows the scheme of tcp and ws. Bytes that are no text become a character that is in the
/// name of no host and no interface.
fn text(rest: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(rest)
}

/// A path is the bytes that it was given as.
///
/// # Errors
/// None; there are some on Windows.
#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<PathBuf, Error> {
    use std::os::unix::ffi::OsStrExt;

    Ok(std::ffi::OsStr::from_bytes(bytes).into())
}

/// The name of a pipe is text to the system, which here is given as UTF-8.
///
/// # Errors
/// [`Error::InvalidArgument`] for anything else.
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
    fn to_connect(text: &str) -> Result<WsAddress, Error> {
        let (hosts, resource) = text.split_at(text.find('/').unwrap_or(text.len()));
        // It becomes part of a line of words.
        if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::InvalidArgument);
        }
        let at = TcpAddress::to_connect(hosts, Some(WS_PORT))?;
        let written = hosts.split_once(';').map_or(hosts, |(_, remote)| remote);
        let authority = match &at.host {
            // Zones are this machine's affair, and no part of a URI's host (RFC 3986, 3.2.2).
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

    /// Whether it is an IPv6 address in numbers, which `NN_IPV4ONLY` forbids.
    pub(crate) fn is_ipv6(&self) -> bool {
        matches!(self, Host::Literal(IpAddr::V6(_)) | Host::LinkLocal(..))
    }
}

/// An address with a zone (RFC 4007, 11): the name or the number of an interface.
fn link_local(text: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, zone) = text.split_once('%')?;
    let address = address.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_unicast_link_local)?;
    (!zone.is_empty()).then_some((address, zone))
}

/// Cuts the port off; zero, or more than 65535, or anything but digits is invalid.
fn split_port(text: &str) -> Result<(&str, u16), Error> {
    let (host, port) = text.rsplit_once(':').ok_or(Error::InvalidArgument)?;
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { port.parse::<u32>().unwrap_or(0) } else { 0 };
    match u16::try_from(port) {
        Ok(port) if port > 0 => Ok((host, port)),
        _ => Err(Error::InvalidArgument),
    }
}

/// Labels of letters, digits and hyphens, joined by dots (RFC 1123, 2.1); the name does not begin
/// with a hyphen.
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
    fn every_transport_has_its_form() {
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
    fn a_websocket_has_a_path_and_need_not_have_a_port() {
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
    fn what_is_wrong_with_an_address_has_a_name() {
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
    fn names_and_paths_are_bytes_and_hosts_are_text() {
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
