//! Cases that are measured in turn: round trips between two tasks, bare and by requests.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scaproust::{Rep, Req};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

/// The length of a message in bytes.
pub(crate) const SIZE: usize = 64;
const ROUNDS: usize = 7;
/// How long a case runs in each round.
const TIME: Duration = Duration::from_millis(250);
/// How many messages or round trips lie between two looks at the clock.
const STEP: u32 = 100;

/// A case that was prepared: does its work so many times.
pub(crate) type Case = Box<dyn FnMut(u32)>;

/// Runs the cases in turn. Prints a line with the median of each, and its ratio to the first.
pub(crate) fn measure(title: &str, cases: Vec<(&str, Option<Case>)>) {
    let mut cases: Vec<_> =
        cases.into_iter().filter_map(|(name, case)| Some((name, case?, Vec::new()))).collect();
    for _ in 0..ROUNDS {
        for (_, case, figures) in &mut cases {
            case(STEP);
            figures.push(nanoseconds(case));
        }
    }
    let mut first = None;
    let figures = cases.into_iter().map(|(name, _, mut figures)| {
        figures.sort_by(f64::total_cmp);
        let median = figures[figures.len() / 2];
        let first = *first.get_or_insert(median);
        format!("{name} {median:.0} ns ({:.2})", median / first)
    });
    println!("{title}: {}", figures.collect::<Vec<_>>().join(", "));
}

/// The time that each unit of a case's work takes.
fn nanoseconds(case: &mut Case) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < TIME {
        case(STEP);
        count += STEP;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

pub(crate) fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build().expect("a runtime")
}

/// An address that is used once.
pub(crate) fn address(transport: &str, name: &str) -> String {
    match transport {
        "tcp" => "tcp://127.0.0.1:0".into(),
        "ipc" => format!("ipc:///tmp/face-{name}-{}", std::process::id()),
        _ => format!("inproc://{name}"),
    }
}

/// A case that one task runs, while another task answers it.
pub(crate) fn round_trips<F: Future<Output = ()> + Send + 'static>(
    runtime: Runtime,
    answer: impl Future<Output = ()> + Send + 'static,
    ask: impl Fn(u32) -> F + 'static,
) -> Case {
    runtime.spawn(answer);
    Box::new(move |count| {
        let asking = runtime.spawn(ask(count));
        runtime.block_on(asking).expect("the task has not failed");
    })
}

pub(crate) fn requests(runtime: Runtime, transport: &str) -> Case {
    let (client, server) = (Req::new().expect("a socket"), Rep::new().expect("a socket"));
    let endpoint = server.bind(address(transport, "request")).expect("an address");
    client.connect(endpoint.address().expect("an address")).expect("an address");
    let client = Arc::new(client);
    let answer = async move {
        while let Ok((request, reply)) = server.accept_async().await {
            reply.send(request).expect("sent");
        }
    };
    round_trips(runtime, answer, move |count| {
        let client = client.clone();
        async move {
            for _ in 0..count {
                let pending = client.request([0; SIZE]).expect("sent");
                black_box(pending.await.expect("a reply"));
            }
        }
    })
}

/// The same over streams of tokio; `None` if it has none of this transport.
pub(crate) fn bare_streams(runtime: Runtime, transport: &str) -> Option<Case> {
    let entered = runtime.enter();
    match transport {
        "tcp" => {
            let [one, other] = connected().map(|stream| {
                stream.set_nonblocking(true).expect("not blocking");
                stream.set_nodelay(true).expect("no delay");
                tokio::net::TcpStream::from_std(stream).expect("a stream")
            });
            drop(entered);
            Some(streams(runtime, one, other))
        }
        #[cfg(unix)]
        "ipc" => {
            let (one, other) = tokio::net::UnixStream::pair().expect("a pair of streams");
            drop(entered);
            Some(streams(runtime, one, other))
        }
        _ => None,
    }
}

/// The two ends of a connection.
fn connected() -> [std::net::TcpStream; 2] {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let one = std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    [one, listener.accept().expect("connected").0]
}

fn streams<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    runtime: Runtime,
    one: S,
    mut other: S,
) -> Case {
    let answer = async move {
        let mut buffer = [0; SIZE];
        while other.read_exact(&mut buffer).await.is_ok() {
            other.write_all(&buffer).await.expect("written");
        }
    };
    let one = Arc::new(tokio::sync::Mutex::new(one));
    round_trips(runtime, answer, move |count| {
        let one = one.clone();
        async move {
            let mut one = one.lock().await;
            let mut buffer = [0; SIZE];
            for _ in 0..count {
                one.write_all(&buffer).await.expect("written");
                one.read_exact(&mut buffer).await.expect("read");
            }
        }
    })
}
