//! Transports of the program behave as the library's own.

#![cfg(all(unix, feature = "testing", not(any(loom, simulated))))]

#[path = "../ports/mod.rs"]
mod ports;
mod streams;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use scaproust::custom::testing::check_transport;
use scaproust::custom::{ByteStream, StreamListener, Transport, add_transport};
use scaproust::{Error, EventKind, Pair};

use ports::free_port;
use streams::{Local, Manner};

/// A new address of a scheme whose addresses are paths.
fn path(scheme: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("scaproust-{}-{count}", std::process::id());
    format!("{scheme}://{}", std::env::temp_dir().join(name).display())
}

#[test]
fn transports_of_the_library_keep_the_rules() {
    check_transport(|| path("ipc"));
    check_transport(|| format!("tcp://127.0.0.1:{}", free_port("127.0.0.1")));
}

#[test]
fn a_transport_of_the_program_keeps_the_rules() {
    add_transport("plain", Local(Manner::Plain)).unwrap();
    check_transport(|| path("plain"));
}

#[test]
fn a_stream_may_move_few_bytes_at_once() {
    add_transport("little", Local(Manner::Little)).unwrap();
    check_transport(|| path("little"));
}

/// The other side is one of the library's own: the transport has the bytes of the tcp mapping.
#[test]
fn a_stream_that_panics_or_lies_loses_its_connection_only() {
    for (scheme, manner) in [("panics", Manner::Panics), ("lies", Manner::Lies)] {
        add_transport(scheme, Local(manner)).unwrap();
        let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
        let mut events = one.events().unwrap();
        let at = one.bind(path(scheme)).unwrap().address().unwrap();
        other.connect(at).unwrap();
        let ended = events.find(|event| event.kind == EventKind::HandshakeFailed).unwrap();
        assert_eq!(ended.error, Some(Error::Os(libc::EIO)));

        let (bound, connected) = (Pair::new().unwrap(), Pair::new().unwrap());
        connected.connect(bound.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
        bound.send("still there").unwrap();
        assert_eq!(connected.recv().unwrap(), "still there");
    }
}

#[test]
#[should_panic(expected = "the transport breaks a rule: messages of any size arrive, in their order")]
fn a_transport_that_breaks_a_rule_is_found() {
    add_transport("broken", Failing).unwrap();
    check_transport(|| path("broken"));
}

/// A transport that only fails.
struct Failing;

impl Transport for Failing {
    fn listen(&self, address: &[u8]) -> io::Result<Box<dyn StreamListener>> {
        match address {
            b"panic" => panic!("asked for by the test"),
            _ => Err(io::Error::from_raw_os_error(libc::ENODEV)),
        }
    }

    fn connect(&self, _address: &[u8]) -> io::Result<Box<dyn ByteStream>> {
        panic!("asked for by the test")
    }
}

#[test]
fn an_endpoint_that_cannot_be_made_is_an_error() {
    add_transport("failing", Failing).unwrap();
    let socket = Pair::new().unwrap();
    assert_eq!(socket.bind("failing://x").err(), Some(Error::Os(libc::ENODEV)));
    assert_eq!(socket.bind("failing://panic").err(), Some(Error::Os(libc::EIO)));
    let mut events = socket.events().unwrap();
    socket.connect("failing://x").unwrap();
    let failed = events.find(|event| event.kind == EventKind::Retry).unwrap();
    assert_eq!(failed.error, Some(Error::Os(libc::EIO)));
}

#[test]
fn a_scheme_is_a_word_that_is_not_taken() {
    for scheme in ["", "a b", "a/b", "a:b", "caf\u{e9}", "tcp", "tcp4", "ws6", "ipc", "inproc", "fd", "unix"]
    {
        assert_eq!(add_transport(scheme, Failing), Err(Error::InvalidArgument), "{scheme}");
    }
    add_transport("taken+2.0-x", Failing).unwrap();
    assert_eq!(add_transport("taken+2.0-x", Failing), Err(Error::AddressInUse));
    let socket = Pair::new().unwrap();
    assert_eq!(socket.connect("not-taken://x").err(), Some(Error::UnknownTransport));
    assert_eq!(socket.connect("taken+2.0-x//x").err(), Some(Error::InvalidArgument));
}
