//! The target `address`: any bytes as an address.
//!
//! An address that was parsed and written as text again has the same meaning, and its parts cannot
//! break out of the line of HTTP in which they are sent.

use std::net::IpAddr;

use crate::address::{
    Address, DescriptorAddress, Family, GivenDescriptor, Host, LocalName, MAX_LENGTH, TcpAddress, WsAddress,
    abstract_address,
};

/// Parses the bytes as an address to bind and to connect to.
pub fn address(input: &[u8]) {
    for parse in [Address::to_bind, Address::to_connect] {
        let Ok(address) = parse(input) else { continue };
        assert!(input.len() <= MAX_LENGTH);
        let written = match &address {
            Address::Inproc(name) => [b"inproc://", &name[..]].concat(),
            Address::Ipc(LocalName::Path(path)) => {
                assert!((1..108).contains(&path.as_os_str().len()));
                [b"ipc://", path.as_os_str().as_encoded_bytes()].concat()
            }
            Address::Ipc(LocalName::Abstract(name)) => {
                assert!(name.len() < 108);
                abstract_address(name)
            }
            Address::Descriptor(DescriptorAddress { descriptor, is_tcp }) => {
                let scheme = if *is_tcp { "socket://" } else { "fd://" };
                match descriptor {
                    GivenDescriptor::Number(number) => format!("{scheme}{number}").into_bytes(),
                    GivenDescriptor::Name(name) => [scheme.as_bytes(), name].concat(),
                }
            }
            Address::Tcp(at) => format!("tcp{}://{}", version(at.family), tcp(at)).into_bytes(),
            Address::Ws(ws) => {
                let rest = ws_rest(ws, || parse(&[input, b"/"].concat()).is_err());
                format!("ws{}://{rest}", version(ws.at.family)).into_bytes()
            }
            #[cfg(feature = "tls")]
            Address::Tls(at) => format!("tls+tcp{}://{}", version(at.family), tcp(at)).into_bytes(),
            #[cfg(feature = "tls")]
            Address::Wss(ws) => {
                let rest = ws_rest(ws, || parse(&[input, b"/"].concat()).is_err());
                format!("wss{}://{rest}", version(ws.at.family)).into_bytes()
            }
        };
        match (parse(&written), address) {
            // The text may have another form, so the parsed values are compared.
            (Ok(Address::Ws(again)), Address::Ws(first)) => expect_same(&again, &first),
            #[cfg(feature = "tls")]
            (Ok(Address::Wss(again)), Address::Wss(first)) => expect_same(&again, &first),
            (Err(_), _) if written.len() > MAX_LENGTH => {} // Brackets and a port make it longer.
            (again, first) => assert_eq!(again, Ok(first), "{}", input.escape_ascii()),
        }
    }
}

/// The part of a ws address behind the `://`. `takes_no_path` says whether it is one to bind, which has no path.
fn ws_rest(ws: &WsAddress, takes_no_path: impl Fn() -> bool) -> String {
    assert!(ws.resource.starts_with('/') && is_word(&ws.resource));
    let is_bound = ws.resource == "/" && takes_no_path();
    assert!(is_bound || is_word(&ws.authority), "{:?}", ws.authority);
    let path = if is_bound { "" } else { &ws.resource };
    format!("{}{path}", tcp(&ws.at))
}

fn expect_same(again: &WsAddress, first: &WsAddress) {
    assert_eq!((&again.at, &again.resource), (&first.at, &first.resource));
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The end of the scheme.
fn version(family: Family) -> &'static str {
    match family {
        Family::Any => "",
        Family::V4 => "4",
        Family::V6 => "6",
    }
}

fn tcp(TcpAddress { local, host: at, port, .. }: &TcpAddress) -> String {
    let local = local.as_ref().map(|local| format!("{};", host(local))).unwrap_or_default();
    format!("{local}{}:{port}", host(at))
}

fn host(host: &Host) -> String {
    match host {
        Host::Any => "*".into(),
        Host::Literal(IpAddr::V6(address)) => format!("[{address}]"),
        Host::Literal(address) => address.to_string(),
        Host::LinkLocal(address, zone) => format!("[{address}%{zone}]"),
        Host::Name(name) => name.clone(),
    }
}
