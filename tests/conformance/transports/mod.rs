//! The checks for every transport.

mod addresses;
mod connections;
mod flow;
#[path = "../../../scaproust/tests/ports/mod.rs"]
mod ports;

use std::cell::Cell;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nanomsg::constants::{NN_IPC, NN_IPC_SHM, NN_IPV4ONLY, NN_SOL_SOCKET};
#[cfg(feature = "tls")]
use nanomsg::constants::{NN_TLS, NN_TLS_CA, NN_TLS_CERT};

use crate::role::{Role, SocketType};
use crate::socket::Socket;
use ports::free_port;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Inproc,
    Ipc,
    /// ipc with shared memory, where the system has it.
    SharedIpc,
    Tcp,
    Tcp6,
    Ws,
    Ws6,
    #[cfg(feature = "tls")]
    TlsTcp,
    #[cfg(feature = "tls")]
    Wss,
}

/// The transports, by the names that the tests have.
mod all {
    use super::Transport;

    macro_rules! transports {
        ($($(#[$attribute:meta])* $name:ident $transport:ident;)*) => {
            $($(#[$attribute])*
            pub(super) fn $name() -> Transport {
                Transport::$transport
            })*
        };
    }

    transports! {
        inproc Inproc;
        ipc Ipc;
        ipc_with_shared_memory SharedIpc;
        tcp Tcp;
        tcp_over_ipv6 Tcp6;
        ws Ws;
        ws_over_ipv6 Ws6;
        #[cfg(feature = "tls")]
        tls_over_tcp TlsTcp;
        #[cfg(feature = "tls")]
        wss Wss;
    }
}

/// The checks for every transport.
macro_rules! every_transport {
    ($($check:ident)*) => {
        $crate::cases! {
            $crate::transports::all: [
                inproc ipc ipc_with_shared_memory tcp tcp_over_ipv6 ws ws_over_ipv6
                #[cfg(feature = "tls")] tls_over_tcp
                #[cfg(feature = "tls")] wss
            ]
            $($check)*
        }
    };
}
use every_transport;

/// The checks for transports with connections in the kernel.
macro_rules! every_stream {
    ($($check:ident)*) => {
        $crate::cases! {
            $crate::transports::all: [
                ipc ipc_with_shared_memory tcp tcp_over_ipv6 ws ws_over_ipv6
                #[cfg(feature = "tls")] tls_over_tcp
                #[cfg(feature = "tls")] wss
            ]
            $($check)*
        }
    };
}
use every_stream;

thread_local! {
    /// Sockets that this thread opens for the address that it has made last use shared memory.
    static SHARES_MEMORY: Cell<bool> = const { Cell::new(false) };
}

/// An unused address; its file is removed with it.
pub(crate) struct Address {
    text: String,
    file: Option<PathBuf>,
}

impl Transport {
    /// An address; `None` if it needs IPv6 and this machine has none: the check is then skipped.
    fn address(self) -> Option<Address> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let plain = |text: String| Some(Address { text, file: None });
        SHARES_MEMORY.set(self == Transport::SharedIpc);
        match self {
            Transport::Inproc => plain(format!("inproc://{name}")),
            // The name of a named pipe, which is not in a folder.
            Transport::Ipc | Transport::SharedIpc if cfg!(windows) => plain(format!("ipc://{name}")),
            Transport::Ipc | Transport::SharedIpc => {
                let file = std::env::temp_dir().join(name);
                Some(Address { text: format!("ipc://{}", file.display()), file: Some(file) })
            }
            Transport::Tcp => plain(format!("tcp://127.0.0.1:{}", free_port("127.0.0.1"))),
            Transport::Ws => plain(format!("ws://127.0.0.1:{}", free_port("127.0.0.1"))),
            #[cfg(feature = "tls")]
            Transport::TlsTcp => plain(format!("tls+tcp://127.0.0.1:{}", free_port("127.0.0.1"))),
            #[cfg(feature = "tls")]
            Transport::Wss => plain(format!("wss://127.0.0.1:{}", free_port("127.0.0.1"))),
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
            // A listener removes its file; if it could not be made, there is none.
            let _ = std::fs::remove_file(file);
        }
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind(("::1", 0)).is_ok()
}

/// A socket that is ready for an endpoint of any transport.
fn open(socket_type: SocketType) -> Socket {
    open_role(Role::cooked(socket_type))
}

/// As `open`, raw or cooked: the socket may use IPv6, and has a certificate and trusts those of the others.
fn open_role(role: Role) -> Socket {
    let socket = Socket::open(role);
    socket.set(NN_SOL_SOCKET, NN_IPV4ONLY, 0).expect("NN_IPV4ONLY");
    socket.set(NN_IPC, NN_IPC_SHM, if SHARES_MEMORY.get() { 65536 } else { 0 }).expect("NN_IPC_SHM");
    #[cfg(feature = "tls")]
    {
        const CERTIFICATE: &[u8] = include_bytes!("../../../scaproust/src/tls/certificates/server.pem");
        const AUTHORITY: &[u8] = include_bytes!("../../../scaproust/src/tls/certificates/ca.pem");
        socket.set_bytes(NN_TLS, NN_TLS_CERT, CERTIFICATE).expect("NN_TLS_CERT");
        socket.set_bytes(NN_TLS, NN_TLS_CA, AUTHORITY).expect("NN_TLS_CA");
    }
    socket
}

/// Two sockets, the first of which is bound and the second connected.
fn link(address: &str, bound: SocketType) -> (Socket, Socket) {
    let (one, other) = (open(bound), open(bound.peer()));
    one.bind(address).expect("nn_bind");
    other.connect(address).expect("nn_connect");
    one.wait_for_connections(1);
    other.wait_for_connections(1);
    (one, other)
}
