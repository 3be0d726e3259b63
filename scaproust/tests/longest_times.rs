//! Each call that takes a time, with the longest one: it waits without a limit, or refuses the time.

#![cfg(not(any(loom, simulated)))]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use scaproust::{Error, Keepalive, Pair, Poller, Rep, Req, Surveyor};

const MAX: Duration = Duration::MAX;

fn pair(name: &str) -> (Pair, Pair) {
    let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
    one.bind(format!("inproc://longest_times/{name}")).unwrap();
    other.connect(format!("inproc://longest_times/{name}")).unwrap();
    (one, other)
}

/// The latest moment that the system's clock can express, to within a second.
fn latest() -> Instant {
    let now = Instant::now();
    let (mut least, mut most) = (0, u64::MAX);
    while least + 1 < most {
        let middle = least + (most - least) / 2;
        *if now.checked_add(Duration::from_secs(middle)).is_some() { &mut least } else { &mut most } = middle;
    }
    now + Duration::from_secs(least)
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_poller_waits_until_something_happens() {
    let (one, other) = pair("poller");
    let mut poller = Poller::new().readable(&one);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| poller.wait(MAX));
        other.send("hello").unwrap();
        assert!(waiting.join().unwrap().unwrap().is_readable(&one));
    });
}

#[test]
fn calls_wait_until_something_happens() {
    let (one, other) = pair("calls");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.recv_deadline(latest()));
        other.send_deadline("hello", latest()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "hello");
    });
    let server = Rep::new().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.accept_deadline(latest()));
        server.close().unwrap();
        assert_eq!(waiting.join().unwrap().err(), Some(Error::Closed));
    });
}

#[test]
fn futures_wait_until_something_happens() {
    let (one, other) = pair("futures");
    for timed in [one.recv_async().timeout(MAX), one.recv_async().deadline(latest())] {
        let mut timed = timed;
        assert!(poll(&mut timed).is_pending());
        smol::block_on(other.send_async("hello").timeout(MAX)).unwrap();
        assert_eq!(smol::block_on(timed).unwrap(), "hello");
    }
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind("inproc://longest_times/accept").unwrap();
    let mut accept = server.accept_async().timeout(MAX);
    assert!(poll(&mut accept).is_pending());
    client.connect("inproc://longest_times/accept").unwrap();
    // The first is the socket's own conversation, the second one that of a context.
    let [mut first, mut second] = [(); 2].map(|()| client.request("ping").unwrap().timeout(MAX));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    smol::block_on(accept).unwrap().1.send("pong").unwrap();
    smol::block_on(server.accept_async().deadline(latest())).unwrap().1.send("pong").unwrap();
    assert_eq!((smol::block_on(first).unwrap(), second.wait().unwrap()), ("pong".into(), "pong".into()));
}

#[test]
fn options_refuse_what_they_cannot_hold() {
    let socket = Pair::new().unwrap();
    let mut keepalive = Keepalive::default();
    keepalive.idle = MAX;
    let dialer = || socket.dialer("tcp://127.0.0.1:1");
    let outcomes = [
        socket.set_linger(Some(MAX)),
        socket.set_send_timeout(Some(MAX)),
        socket.set_recv_timeout(Some(MAX)),
        socket.set_reconnect_interval(MAX),
        socket.set_reconnect_interval_max(Some(MAX)),
        socket.set_connect_timeout(Some(MAX)),
        socket.set_tcp_user_timeout(Some(MAX)),
        socket.set_tcp_keepalive(Some(keepalive)),
        Req::new().unwrap().set_resend_interval(Some(MAX)),
        Surveyor::new().unwrap().set_survey_deadline(Some(MAX)),
        dialer().reconnect(MAX..=MAX).start().map(drop),
        dialer().tcp_user_timeout(Some(MAX)).start().map(drop),
        dialer().tcp_keepalive(Some(keepalive)).start().map(drop),
    ];
    assert_eq!(outcomes, [Err(Error::InvalidArgument); 13]);
}

/// The longest time that fits into an option of milliseconds.
#[test]
fn options_take_the_longest_time_that_they_can_hold() {
    const LONGEST: Option<Duration> = Some(Duration::from_millis(i32::MAX as u64));
    let (one, other) = pair("options");
    one.set_linger(LONGEST).unwrap();
    one.set_send_timeout(LONGEST).unwrap();
    one.set_recv_timeout(LONGEST).unwrap();
    one.set_reconnect_interval_max(LONGEST).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.recv());
        other.send("hello").unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), "hello");
    });
    one.send("the last words").unwrap();
    drop(one);
    assert_eq!(other.recv().unwrap(), "the last words");
}
