//! What holds for each transport whose connections are streams. `address` gives a new address to bind at each call.

use std::time::{Duration, Instant};

use scaproust::{Error, EventKind, Pair, Pull, Push, Reason, Rep, Req};

type Address<'a> = &'a dyn Fn() -> String;

/// Later than any test ends.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// All rules.
pub(crate) fn check(address: Address<'_>) {
    messages_of_any_size_arrive_in_order(address);
    a_request_survives_the_loss_of_its_server(address);
    what_was_sent_before_a_close_arrives(address);
    a_peer_with_another_protocol_is_refused(address);
    a_disconnected_peer_comes_again(address);
    a_closed_endpoint_frees_its_address(address);
}

fn messages_of_any_size_arrive_in_order(address: Address<'_>) {
    let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
    other.connect(one.bind(address()).unwrap().address().unwrap()).unwrap();
    let sizes = [0, 1, 7, 8, 9, 2047, 2048, 2049, 70_000, 300_000];
    std::thread::scope(|scope| {
        for (from, to) in [(&one, &other), (&other, &one)] {
            scope.spawn(move || {
                sizes.iter().for_each(|size| from.send(vec![*size as u8; *size]).unwrap());
            });
            scope.spawn(move || {
                sizes.iter().for_each(|size| assert!(to.recv().unwrap() == vec![*size as u8; *size]));
            });
        }
    });
}

fn a_request_survives_the_loss_of_its_server(address: Address<'_>) {
    let (client, first) = (Req::new().unwrap(), Rep::new().unwrap());
    client.set_reconnect_interval(Duration::from_millis(1)).unwrap();
    let address = address();
    // The client is first.
    client.connect(&address).unwrap();
    first.bind(&address).unwrap();
    let pending = client.request("the question").unwrap();
    assert_eq!(first.accept().unwrap().0, "the question");
    drop(first);
    let second = Rep::new().unwrap();
    second.bind(&address).unwrap();
    let (request, reply) = second.accept().unwrap();
    assert_eq!(request, "the question");
    reply.send("the answer").unwrap();
    assert_eq!(pending.wait().unwrap(), "the answer");
}

fn what_was_sent_before_a_close_arrives(address: Address<'_>) {
    let (source, worker) = (Push::new().unwrap(), Pull::new().unwrap());
    source.set_linger(None).unwrap();
    source.connect(worker.bind(address()).unwrap().address().unwrap()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            (0..100_u8).for_each(|number| source.send(vec![number; 3000]).unwrap());
            drop(source);
        });
        (0..100_u8).for_each(|number| assert!(worker.recv().unwrap() == [number; 3000]));
    });
}

fn a_peer_with_another_protocol_is_refused(address: Address<'_>) {
    let (bound, stranger) = (Pull::new().unwrap(), Pair::new().unwrap());
    let mut events = bound.events().unwrap();
    let at = bound.bind(address()).unwrap().address().unwrap();
    stranger.connect(at).unwrap();
    let refused = events.find(|event| event.kind == EventKind::Refused).unwrap();
    assert_eq!(refused.reason, Some(Reason::Mismatch));
}

fn a_disconnected_peer_comes_again(address: Address<'_>) {
    let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
    let mut events = other.events().unwrap();
    let soon = Duration::from_millis(1);
    let listener = one.bind(address()).unwrap();
    let dialer = other.dialer(listener.address().unwrap()).reconnect(soon..=soon).start().unwrap();
    for round in 0..3 {
        dialer.wait_connected(far()).unwrap();
        listener.wait_connected(far()).unwrap();
        one.send([round]).unwrap();
        assert_eq!(other.recv().unwrap(), [round]);
        let connected = events.find(|event| event.kind == EventKind::Connected);
        other.disconnect(connected.unwrap().pipe.unwrap()).unwrap();
        events.find(|event| event.kind == EventKind::Disconnected).unwrap();
    }
}

fn a_closed_endpoint_frees_its_address(address: Address<'_>) {
    let socket = Pair::new().unwrap();
    let address = address();
    for _ in 0..3 {
        let endpoint = socket.bind(&address).unwrap();
        assert_eq!(socket.bind(&address).err(), Some(Error::AddressInUse));
        endpoint.close().unwrap();
    }
}
