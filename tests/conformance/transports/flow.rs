//! Messages over a transport: whole, in order, none lost at closing, none too long.

use nanomsg::constants::{
    NN_LINGER, NN_RCVMAXSIZE, NN_SOL_SOCKET, NN_STAT_BROKEN_CONNECTIONS, NN_STAT_BYTES_RECEIVED,
    NN_STAT_BYTES_SENT, NN_STAT_MESSAGES_RECEIVED, NN_STAT_MESSAGES_SENT,
};
use scaproust::Error;

use super::{Transport, every_stream, every_transport, link, open, open_role};
use crate::flow::{Flow, blocked, exchange, number_in, patterned};
use crate::role::{Role, SocketType};
use crate::socket::wait_until;

every_transport! {
    carries_messages_of_every_size
    carries_both_ways_at_once
    carries_every_protocol
    delivers_everything_before_it_closes
    counts_what_it_moves
}

fn carries_messages_of_every_size(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let (one, other) = link(&address, SocketType::Pair);
    for mut flow in [Flow::new(&one, &other), Flow::new(&other, &one)] {
        // Around the limits of lengths in frames, of inline messages and of one read.
        for size in [0, 1, 64, 125, 126, 127, 2047, 2048, 2049, 65_535, 65_536, 65_537, 1 << 20] {
            flow.carry(&patterned(size));
        }
    }
}

/// Both sides send far more than the queues hold, at the same time.
fn carries_both_ways_at_once(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let (one, other) = link(&address, SocketType::Pair);
    let body = patterned(200_000);
    std::thread::scope(|scope| {
        for (from, to) in [(&one, &other), (&other, &one)] {
            scope.spawn(|| (0..20).for_each(|_| from.send(&body).unwrap()));
            scope.spawn(|| (0..20).for_each(|_| assert!(to.recv().unwrap().body == body)));
        }
    });
}

fn carries_every_protocol(transport: Transport) {
    for role in SocketType::ALL
        .into_iter()
        .flat_map(|socket_type| [Role::cooked(socket_type), Role::raw(socket_type)])
    {
        let Some(address) = transport.address() else { return };
        let (one, other) = (open_role(role), open(role.socket_type.peer()));
        other.bind(&address).unwrap();
        one.connect(&address).unwrap();
        one.wait_for_connections(1);
        other.wait_for_connections(1);
        exchange(&one, &other);
    }
}

/// The sender closes when no more can be sent, and the receiver starts only then: it gets all messages,
/// in order.
fn delivers_everything_before_it_closes(transport: Transport) {
    for binds in [SocketType::Push, SocketType::Pull] {
        let Some(address) = transport.address() else { return };
        let (one, other) = link(&address, binds);
        let (source, sink) = if binds == SocketType::Push { (one, other) } else { (other, one) };
        source.set(NN_SOL_SOCKET, NN_LINGER, -1).unwrap();
        let body = |number: usize| format!("{number:05000}").into_bytes();
        let mut count = 0;
        while source.try_send(&body(count)).is_ok() {
            count += 1;
        }
        std::thread::scope(|scope| {
            let closing = blocked(scope, || source.close());
            for number in 0..count {
                let message = sink.recv().unwrap();
                assert_eq!(number_in(&message.body), number);
            }
            assert_eq!(closing.join().unwrap(), Ok(()));
        });
        sink.wait_for_connections(0);
        assert_eq!(sink.try_recv().err(), Some(Error::WouldBlock));
    }
}

fn counts_what_it_moves(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let (one, other) = link(&address, SocketType::Pair);
    for size in [0, 10, 100_000] {
        Flow::new(&one, &other).carry(&patterned(size));
    }
    assert_eq!(one.statistic(NN_STAT_MESSAGES_SENT), 3);
    assert_eq!(one.statistic(NN_STAT_BYTES_SENT), 100_010);
    assert_eq!(other.statistic(NN_STAT_MESSAGES_RECEIVED), 3);
    assert_eq!(other.statistic(NN_STAT_BYTES_RECEIVED), 100_010);
    assert_eq!(one.statistic(NN_STAT_BYTES_RECEIVED) + other.statistic(NN_STAT_BYTES_SENT), 0);
}

every_stream! { takes_no_message_that_is_too_long }

/// A peer that sends one is disconnected, and can connect again.
fn takes_no_message_that_is_too_long(transport: Transport) {
    let Some(address) = transport.address() else { return };
    let sink = open(SocketType::Pull);
    sink.set(NN_SOL_SOCKET, NN_RCVMAXSIZE, 1000).unwrap();
    sink.bind(&address).unwrap();
    let source = open(SocketType::Push);
    source.connect(&address).unwrap();
    Flow::new(&source, &sink).carry(&patterned(1000));
    source.send(&patterned(1001)).unwrap();
    wait_until("the connection is broken", || sink.statistic(NN_STAT_BROKEN_CONNECTIONS) == 1);
    source.wait_for_connections(1);
    sink.wait_for_connections(1);
    Flow::new(&source, &sink).carry(&patterned(1000));
    sink.set(NN_SOL_SOCKET, NN_RCVMAXSIZE, -1).unwrap();
    Flow::new(&source, &sink).carry(&patterned(3 << 20));
}
