//! Round trips of a request and its reply between two tasks: of this crate, of others, and over bare streams of tokio.
//!
//! Each round runs all cases once, one after the other; the figures are the medians of the rounds, and only those of one run
//! can be compared.

use std::ffi::CString;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use anng::protocols::reqrep0;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use zeromq::{Socket as _, SocketRecv as _, SocketSend as _};

#[path = "../../rust/cases.rs"]
mod cases;

use cases::{Case, SIZE, bare_streams, measure, requests, round_trips, runtime};

fn main() {
    for threads in [1, 2] {
        for transport in ["ipc", "tcp"] {
            let cases = vec![
                ("tokio", bare_streams(runtime(threads), transport)),
                ("scaproust", Some(requests(runtime(threads), transport))),
                (
                    "anng",
                    Some(anng_requests(runtime(threads), &address(transport, &format!("anng-{threads}")))),
                ),
                (
                    "zeromq",
                    Some(zeromq_requests(
                        runtime(threads),
                        &address(transport, &format!("zeromq-{threads}")),
                    )),
                ),
            ];
            measure(
                &format!("a request and its reply over {transport}, runtime with {threads} threads"),
                cases,
            );
        }
    }
}

/// An address that is used once, with a port that is free at the moment: not all crates tell the one that they were given.
fn address(transport: &str, name: &str) -> String {
    if transport == "tcp" {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        return format!("tcp://{}", listener.local_addr().expect("an address"));
    }
    cases::address(transport, name)
}

fn anng_requests(runtime: Runtime, address: &str) -> Case {
    let address = CString::new(address).expect("no zero");
    let (server, client) = runtime.block_on(async {
        let server = reqrep0::Rep0::listen(&address).await.expect("an address");
        (server, reqrep0::Req0::dial(&address).await.expect("an address"))
    });
    let client = Arc::new(client);
    let answer = async move {
        let mut context = server.context();
        while let Ok((request, responder)) = context.receive().await {
            responder.reply(request).await.expect("sent");
        }
    };
    round_trips(runtime, answer, move |count| {
        let client = client.clone();
        async move {
            let mut context = client.context();
            for _ in 0..count {
                let mut request = anng::Message::with_capacity(SIZE);
                request.write_all(&[0; SIZE]).expect("room");
                let reply = context.request(request).await.expect("sent");
                black_box(reply.await.expect("a reply"));
            }
        }
    })
}

fn zeromq_requests(runtime: Runtime, address: &str) -> Case {
    let (mut server, client) = runtime.block_on(async {
        let (mut server, mut client) = (zeromq::RepSocket::new(), zeromq::ReqSocket::new());
        server.bind(address).await.expect("an address");
        client.connect(address).await.expect("an address");
        (server, client)
    });
    let client = Arc::new(Mutex::new(client));
    let answer = async move {
        while let Ok(request) = server.recv().await {
            server.send(request).await.expect("sent");
        }
    };
    round_trips(runtime, answer, move |count| {
        let client = client.clone();
        async move {
            let mut client = client.lock().await;
            for _ in 0..count {
                client.send(vec![0; SIZE].into()).await.expect("sent");
                black_box(client.recv().await.expect("a reply"));
            }
        }
    })
}
