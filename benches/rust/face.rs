//! The costs of the Rust interface: a round trip between two tasks beside one over bare streams of tokio, and a message beside
//! one through the C interface. On Linux also how the I/O threads of a context share the work.
//!
//! `make bench-rust` runs it. Each round runs all cases once, one after the other; the figures are the medians of the rounds,
//! and only those of one run can be compared.

use std::ffi::c_void;
use std::hint::black_box;
use std::sync::Arc;

use nanomsg::constants::{AF_SP, NN_PAIR};
use nanomsg::{nn_bind, nn_connect, nn_recv, nn_send, nn_socket};
use scaproust::{Pair, Rep, Req};
use tokio::runtime::Runtime;

mod cases;
#[cfg(target_os = "linux")]
mod io_threads;

use cases::{Case, SIZE, address, bare_streams, measure, requests, round_trips, runtime};

fn main() {
    for threads in [1, 2] {
        for transport in ["inproc", "ipc", "tcp"] {
            let suffix =
                format!("{transport}, tasks on {threads} thread{}", if threads > 1 { "s" } else { "" });
            let bare = bare_streams(runtime(threads), transport);
            let cases = vec![
                ("tokio", bare),
                ("pair", Some(pairs(runtime(threads), transport))),
                ("request", Some(requests(runtime(threads), transport))),
            ];
            measure(&format!("round trip over {suffix}"), cases);
        }
    }
    measure(
        "a message of 64 bytes, in one thread",
        vec![("C", Some(c_messages())), ("Rust", Some(messages()))],
    );
    measure("a request and its reply, in one thread", vec![("blocking", Some(blocking_requests()))]);
    #[cfg(target_os = "linux")]
    io_threads::compare();
}

fn pairs(runtime: Runtime, transport: &str) -> Case {
    let (one, other) = (Pair::new().expect("a socket"), Pair::new().expect("a socket"));
    let endpoint = other.bind(address(transport, "pair")).expect("an address");
    one.connect(endpoint.address().expect("an address")).expect("an address");
    let one = Arc::new(one);
    let answer = async move {
        while let Ok(message) = other.recv_async().await {
            other.send_async(message).await.expect("sent");
        }
    };
    round_trips(runtime, answer, move |count| {
        let one = one.clone();
        async move {
            for _ in 0..count {
                one.send_async([0; SIZE]).await.expect("sent");
                black_box(one.recv_async().await.expect("received"));
            }
        }
    })
}

/// Sends a message over inproc, and receives it.
fn messages() -> Case {
    let (one, other) = (Pair::new().expect("a socket"), Pair::new().expect("a socket"));
    one.bind("inproc://face/message").expect("an address");
    other.connect("inproc://face/message").expect("an address");
    Box::new(move |count| {
        for _ in 0..count {
            one.send(black_box(&[0; SIZE])).expect("sent");
            black_box(other.recv().expect("received"));
        }
    })
}

/// The same through the C interface.
fn c_messages() -> Case {
    let [one, other] = [(); 2].map(|()| nn_socket(AF_SP, NN_PAIR));
    // SAFETY: the text ends with a zero.
    let bound = unsafe { nn_bind(one, c"inproc://face/c".as_ptr()) };
    // SAFETY: as above.
    let connected = unsafe { nn_connect(other, c"inproc://face/c".as_ptr()) };
    assert!(bound > 0 && connected > 0);
    Box::new(move |count| {
        let (message, mut buffer) = ([0_u8; SIZE], [0_u8; SIZE]);
        for _ in 0..count {
            // SAFETY: the message has this length.
            let sent = unsafe { nn_send(one, black_box(&message).as_ptr().cast::<c_void>(), SIZE, 0) };
            // SAFETY: the buffer has this length.
            let received = unsafe { nn_recv(other, buffer.as_mut_ptr().cast::<c_void>(), SIZE, 0) };
            assert!(sent == SIZE as i32 && received == sent);
            black_box(&buffer);
        }
    })
}

/// A request, and its reply, over inproc.
fn blocking_requests() -> Case {
    let (client, server) = (Req::new().expect("a socket"), Rep::new().expect("a socket"));
    server.bind("inproc://face/blocking").expect("an address");
    client.connect("inproc://face/blocking").expect("an address");
    Box::new(move |count| {
        for _ in 0..count {
            let pending = client.request(black_box(&[0; SIZE])).expect("sent");
            let (request, reply) = server.accept().expect("received");
            reply.send(request).expect("sent");
            black_box(pending.wait().expect("a reply"));
        }
    })
}
