//! The target `address`: any bytes as an address.
//!
//! An address that was parsed and written as text again has the same meaning, and its parts cannot
//! break out of the line of HTTP in which they are sent.

use std::net::IpAddr;

use crate::address::{Address, Host, MAX_LENGTH, TcpAddress, WsAddress};

/// Parses the bytes as an address to bind and to connect to.
pub fn address(input: &[u8]) {
    for parse in [Address::to_bind, Address::to_connect] {
        let Ok(address) = parse(input) else { continue };
        assert!(input.len() <= MAX_LENGTH);
        let written = match &address {
            Address::Inproc(name) => [b"inproc://", &name[..]].concat(),
            Address::Ipc(path) => {
                assert!((1..108).contains(&path.as_os_str().len()));
                [b"ipc://", path.as_os_str().as_encoded_bytes()].concat()
            }
            Address::Tcp(at) => format!("tcp://{}", tcp(at)).into_bytes(),
            Address::Ws(ws) => {
                format!("ws://{}", ws_rest(ws, || parse(&[input, b"/"].concat()).is_err())).into_bytes()
            }
            #[cfg(feature = "tls")]
            Address::Tls(at) => format!("tls+tcp://{}", tcp(at)).into_bytes(),
            #[cfg(feature = "tls")]
            Address::Wss(ws) => {
                format!("wss://{}", ws_rest(ws, || parse(&[input, b"/"].concat()).is_err())).into_bytes()
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

fn tcp(TcpAddress { local, host: at, port }: &TcpAddress) -> String {
    assert_ne!(*port, 0);
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
