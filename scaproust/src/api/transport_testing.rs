//! A test of a program's transport by the rules that the library's own transports keep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::events::Events;
use super::message::Message;
use super::{Pair, Pull, Push, Rep, Req};
use crate::error::Error;
use crate::pipe::Reason;
use crate::socket::{EventKind, SocketEvent};

/// Longer than any step takes with a transport that works.
const LONGEST: Duration = Duration::from_secs(60);

/// A new address to bind at each call.
type Address<'a> = &'a dyn Fn() -> String;
/// What a rule is checked by; an error breaks it.
type Check = fn(Address<'_>) -> Result<(), Error>;

/// The rules, with their names.
const RULES: [(&str, Check); 6] = [
    ("messages of any size arrive, in their order", messages_of_any_size_arrive_in_order),
    ("a request survives the loss of its server", a_request_survives_the_loss_of_its_server),
    ("what was sent before a close arrives", what_was_sent_before_a_close_arrives),
    ("a peer with another protocol is refused", a_peer_with_another_protocol_is_refused),
    ("a disconnected peer comes again", a_disconnected_peer_comes_again),
    ("a closed endpoint frees its address", a_closed_endpoint_frees_its_address),
];

/// Checks a [`Transport`](super::custom::Transport) by sockets that bind and connect to it in this process. `address` returns an
/// address with its scheme at each call, to which nothing was bound before.
///
/// The rules: messages of any size arrive in their order, in both directions at once; a request is sent again after the loss of its
/// server; what was sent before a close arrives; a peer with another protocol is refused; a peer that was disconnected comes again; an
/// endpoint that is closed frees its address. A step that takes longer than a minute breaks its rule.
///
/// # Panics
/// If a rule is broken. The message names it.
///
/// ```
/// # let address = || {
/// #     use std::sync::atomic::{AtomicU32, Ordering};
/// #     static COUNT: AtomicU32 = AtomicU32::new(0);
/// #     let name = format!("check-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
/// #     format!("ipc://{}", std::env::temp_dir().join(name).display())
/// # };
/// scaproust::custom::testing::check_transport(address); // Such as "vsock://2:5001", "vsock://2:5002", …
/// ```
pub fn check_transport(address: impl Fn() -> String) {
    for (rule, check) in RULES {
        match catch_unwind(AssertUnwindSafe(|| check(&address))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the transport breaks a rule: {rule}: {error}"),
            Err(_) => panic!("the transport breaks a rule: {rule}"),
        }
    }
}

/// The end of a step that begins now.
fn deadline() -> Instant {
    Instant::now() + LONGEST
}

/// The next event of a kind.
fn next(events: &mut Events, kind: EventKind) -> Result<SocketEvent, Error> {
    let deadline = deadline();
    loop {
        let next = events.next_with(|subscriber| subscriber.recv_deadline(deadline));
        let event = next.ok_or(Error::TimedOut)?;
        if event.kind == kind {
            return Ok(event);
        }
    }
}

fn messages_of_any_size_arrive_in_order(address: Address<'_>) -> Result<(), Error> {
    let (one, other) = (Pair::new()?, Pair::new()?);
    other.connect(one.bind(address())?.address()?)?;
    let sizes = [0, 1, 7, 8, 9, 4095, 4096, 4097, 70_000, 300_000];
    let body = |size: usize| vec![size as u8; size];
    std::thread::scope(|scope| {
        let mut calls = Vec::new();
        for (from, to) in [(&one, &other), (&other, &one)] {
            calls.push(scope.spawn(move || {
                from.set_send_timeout(Some(LONGEST))?;
                sizes.into_iter().try_for_each(|size| from.send(body(size)))
            }));
            calls.push(scope.spawn(move || {
                sizes.into_iter().try_for_each(|size| {
                    let received = to.recv_deadline(deadline())?;
                    assert!(received == body(size), "instead of {size} bytes, {} came", received.len());
                    Ok(())
                })
            }));
        }
        calls.into_iter().try_for_each(|call| match call.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn a_request_survives_the_loss_of_its_server(address: Address<'_>) -> Result<(), Error> {
    let (client, first) = (Req::new()?, Rep::new()?);
    client.set_reconnect_interval(Duration::from_millis(1))?;
    let address = address();
    // The client is first.
    client.connect(&address)?;
    first.bind(&address)?;
    let mut pending = client.request("the question")?;
    assert_eq!(first.accept_deadline(deadline())?.0, "the question");
    drop(first);
    let second = Rep::new()?;
    second.bind(&address)?;
    let (request, reply) = second.accept_deadline(deadline())?;
    assert_eq!(request, "the question");
    reply.send("the answer")?;
    assert_eq!(pending.wait_deadline(deadline())?, "the answer");
    Ok(())
}

fn what_was_sent_before_a_close_arrives(address: Address<'_>) -> Result<(), Error> {
    const COUNT: u8 = 100;
    let (source, worker) = (Push::new()?, Pull::new()?);
    source.set_linger(Some(LONGEST))?;
    source.set_send_timeout(Some(LONGEST))?;
    source.connect(worker.bind(address())?.address()?)?;
    let body = |number: u8| [number; 3000];
    let sending = std::thread::spawn(move || {
        (0..COUNT).try_for_each(|number| source.send(body(number)))?;
        source.close()
    });
    let received: Vec<Message> =
        (0..COUNT).map(|_| worker.recv_deadline(deadline())).collect::<Result<_, _>>()?;
    assert!(received.iter().zip(0..).all(|(message, number)| *message == body(number)));
    sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn a_peer_with_another_protocol_is_refused(address: Address<'_>) -> Result<(), Error> {
    let (bound, stranger) = (Pull::new()?, Pair::new()?);
    let mut events = bound.events()?;
    stranger.connect(bound.bind(address())?.address()?)?;
    assert_eq!(next(&mut events, EventKind::Refused)?.reason, Some(Reason::Mismatch));
    Ok(())
}

fn a_disconnected_peer_comes_again(address: Address<'_>) -> Result<(), Error> {
    let (one, other) = (Pair::new()?, Pair::new()?);
    let soon = Duration::from_millis(1);
    let listener = one.bind(address())?;
    // Both sides are watched: a message to a peer that has left already, without the sender's knowledge, would be lost.
    let (mut bound, mut connected) = (one.events()?, other.events()?);
    other.dialer(listener.address()?).reconnect(soon..=soon).start()?;
    for round in 0..3_u8 {
        let pipe = next(&mut connected, EventKind::Connected)?.pipe.ok_or(Error::WrongState)?;
        next(&mut bound, EventKind::Accepted)?;
        one.send([round])?;
        assert_eq!(other.recv_deadline(deadline())?, [round]);
        other.disconnect(pipe)?;
        next(&mut connected, EventKind::Disconnected)?;
        next(&mut bound, EventKind::Disconnected)?;
    }
    Ok(())
}

fn a_closed_endpoint_frees_its_address(address: Address<'_>) -> Result<(), Error> {
    let socket = Pair::new()?;
    let address = address();
    for _ in 0..3 {
        let endpoint = socket.bind(&address)?;
        assert_eq!(socket.bind(&address).err(), Some(Error::AddressInUse));
        endpoint.close()?;
    }
    Ok(())
}
