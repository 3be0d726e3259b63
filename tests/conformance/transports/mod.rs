//! What every transport must do.

mod addresses;
mod connections;
mod flow;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use nanomsg::capi::constants::{NN_IPV4ONLY, NN_SOL_SOCKET};

use crate::role::{Kind, Role};
use crate::socket::Socket;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Inproc,
    Ipc,
    Tcp,
    Tcp6,
    Ws,
    Ws6,
}

/// The transports, by the names that the tests have.
mod all {
    use super::Transport;

    macro_rules! transports {
        ($($name:ident $transport:ident;)*) => {
            $(pub fn $name() -> Transport {
                Transport::$transport
            })*
        };
    }

    transports! {
        inproc Inproc;
        ipc Ipc;
        tcp Tcp;
        tcp_over_ipv6 Tcp6;
        ws Ws;
        ws_over_ipv6 Ws6;
    }
}

/// The checks that hold for every transport.
macro_rules! every_transport {
    ($($check:ident)*) => {
        $crate::cases! {
            $crate::transports::all: [inproc ipc tcp tcp_over_ipv6 ws ws_over_ipv6] $($check)*
        }
    };
}
use every_transport;

/// Those that hold for the transports that have connections in the kernel.
macro_rules! every_stream {
    ($($check:ident)*) => {
        $crate::cases! {
            $crate::transports::all: [ipc tcp tcp_over_ipv6 ws ws_over_ipv6] $($check)*
        }
    };
}
use every_stream;

/// An address that nobody else uses; its file goes with it.
pub struct Address {
    text: String,
    file: Option<PathBuf>,
}

impl Transport {
    /// An address; `None` where this machine has no IPv6, and the check has nothing to look at.
    fn address(self) -> Option<Address> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let plain = |text: String| Some(Address { text, file: None });
        match self {
            Transport::Inproc => plain(format!("inproc://{name}")),
            // The name of a pipe, which is in no folder.
            Transport::Ipc if cfg!(windows) => plain(format!("ipc://{name}")),
            Transport::Ipc => {
                let file = std::env::temp_dir().join(name);
                Some(Address { text: format!("ipc://{}", file.display()), file: Some(file) })
            }
            Transport::Tcp => plain(format!("tcp://127.0.0.1:{}", free_port("127.0.0.1"))),
            Transport::Ws => plain(format!("ws://127.0.0.1:{}", free_port("127.0.0.1"))),
            Transport::Tcp6 if has_ipv6() => plain(format!("tcp://[::1]:{}", free_port("::1"))),
            Transport::Ws6 if has_ipv6() => plain(format!("ws://[::1]:{}", free_port("::1"))),
            Transport::Tcp6 | Transport::Ws6 => {
                eprintln!("no IPv6 here: nothing was tested");
                None
            }
        }
    }
}

impl std::ops::Deref for Address {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // A listener takes its file with it; one that could not be made has left none.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind(("::1", 0)).is_ok()
}

/// A port that nobody uses now and nobody will be handed by chance: below the range from which the
/// kernel serves outgoing connections, so that whoever connects in vain does not meet himself.
fn free_port(host: &str) -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes at the same time begin at different places.
    let start = (std::process::id().wrapping_mul(509) % u32::from(COUNT)) as u16;
    let next = || FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
    let is_free = |port: &u16| TcpListener::bind((host, *port)).is_ok();
    std::iter::repeat_with(next).take(1000).find(is_free).expect("no free port")
}

/// A socket that may use IPv6.
fn open(kind: Kind) -> Socket {
    let socket = Socket::open(Role::cooked(kind));
    socket.set(NN_SOL_SOCKET, NN_IPV4ONLY, 0).expect("NN_IPV4ONLY");
    socket
}

/// Two sockets, the first of which is bound and the second connected.
fn link(address: &str, bound: Kind) -> (Socket, Socket) {
    let (one, other) = (open(bound), open(bound.peer()));
    one.bind(address).expect("nn_bind");
    other.connect(address).expect("nn_connect");
    one.wait_for_connections(1);
    other.wait_for_connections(1);
    (one, other)
}
