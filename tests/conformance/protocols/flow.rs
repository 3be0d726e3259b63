//! Messages between two sockets: whole, in order, and bounded.

use nanomsg::constants::{
    NN_RCVBUF, NN_SNDBUF, NN_SOL_SOCKET, NN_STAT_BYTES_RECEIVED, NN_STAT_BYTES_SENT,
    NN_STAT_MESSAGES_RECEIVED, NN_STAT_MESSAGES_SENT,
};
use scaproust::Error;

use super::{every_receiver, every_role, every_sender, some_roles};
use crate::flow::{Link, blocked, number_in, numbered, patterned};
use crate::role::{Role, Unwanted};
use crate::socket::Socket;

every_role! { carries_messages_of_every_size keeps_the_order counts_what_it_moves }

fn carries_messages_of_every_size(role: Role) {
    for raw_peer in [false, true] {
        let link = Link::new(role, raw_peer);
        for mut flow in link.flows() {
            for size in [0, 1, 64, 4095, 4096, 4097, 64 << 10, 1 << 20] {
                flow.carry(&patterned(size));
            }
        }
    }
}

fn keeps_the_order(role: Role) {
    for raw_peer in [false, true] {
        let link = Link::new(role, raw_peer);
        for mut flow in link.flows() {
            let window = flow.window();
            for first in (0..320).step_by(window) {
                for number in first..first + window {
                    flow.send(&numbered(number)).unwrap();
                }
                for number in first..first + window {
                    assert_eq!(number_in(&flow.recv().unwrap()), number, "{flow}");
                }
            }
        }
    }
}

fn counts_what_it_moves(role: Role) {
    let link = Link::new(role, true);
    let counters = |socket: &Socket| {
        [NN_STAT_MESSAGES_SENT, NN_STAT_BYTES_SENT, NN_STAT_MESSAGES_RECEIVED, NN_STAT_BYTES_RECEIVED]
            .map(|number| socket.statistic(number))
    };
    for mut flow in link.flows() {
        flow.open();
        let (from, to) = (counters(flow.from), counters(flow.to));
        flow.carry(b"twelve bytes");
        assert_eq!(counters(flow.from), [from[0] + 1, from[1] + 12, from[2], from[3]], "{flow}");
        assert_eq!(counters(flow.to), [to[0], to[1], to[2] + 1, to[3] + 12], "{flow}");
    }
}

every_sender! { bounds_what_waits_for_a_peer }

/// The size of the send queue, and of the receive queue.
const BUFFER: i32 = 4096;

fn with_small_buffers(socket: &Socket) {
    socket.set(NN_SOL_SOCKET, NN_SNDBUF, BUFFER).unwrap();
    socket.set(NN_SOL_SOCKET, NN_RCVBUF, BUFFER).unwrap();
}

fn body_of_kilobyte(number: usize) -> Vec<u8> {
    format!("{number:01024}").into_bytes()
}

/// Far more messages are sent than the queues hold. A role that blocks gets an error after some; a role
/// that does not gets none, and its peer misses some messages.
fn bounds_what_waits_for_a_peer(role: Role) {
    let link = Link::with(role, true, with_small_buffers);
    let mut flow = link.outward();
    let outcomes: Vec<_> = (0..200).map(|number| flow.try_send(&body_of_kilobyte(number))).collect();
    let sent = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let mut received = vec![number_in(&flow.recv().unwrap())];
    while let Ok(message) = flow.to.try_recv() {
        received.push(number_in(&message.body));
    }
    match role.unwanted() {
        Unwanted::Waits => {
            assert!(outcomes[sent..].iter().all(|outcome| *outcome == Err(Error::WouldBlock)));
            assert_eq!(received, Vec::from_iter(0..sent));
        }
        Unwanted::Dropped => {
            assert_eq!(sent, outcomes.len());
            assert_eq!(received, Vec::from_iter(0..received.len()));
        }
        Unwanted::Kept => {
            assert_eq!(sent, outcomes.len());
            assert_eq!(received.last(), Some(&(sent - 1)), "the last question is kept");
            received.pop();
            assert_eq!(received, Vec::from_iter(0..received.len()));
        }
    }
    let bytes = received.len() * 1024;
    assert!((2048..=4 * BUFFER as usize).contains(&bytes), "{bytes} bytes were waiting");
    // Messages sent afterwards arrive.
    flow.carry(b"afterwards");
}

some_roles! {
    [pair raw_pair pair1 raw_pair1 raw_req push raw_push]
    a_blocked_sender_goes_on
}

fn a_blocked_sender_goes_on(role: Role) {
    let link = Link::with(role, true, with_small_buffers);
    let mut waiting = 0;
    while link.outward().try_send(&body_of_kilobyte(waiting)).is_ok() {
        waiting += 1;
    }
    std::thread::scope(|scope| {
        let sender = blocked(scope, || link.outward().send(&body_of_kilobyte(waiting)));
        assert!(!sender.is_finished(), "it does not block");
        for number in 0..=waiting {
            assert_eq!(number_in(&link.outward().recv().unwrap()), number);
        }
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

every_receiver! { a_blocked_receiver_is_woken a_receiver_of_one_message_takes_one }

fn a_blocked_receiver_is_woken(role: Role) {
    let link = Link::new(role, true);
    let mut flow = link.inward();
    flow.open();
    std::thread::scope(|scope| {
        let receiver = blocked(scope, || link.subject.recv());
        assert!(!receiver.is_finished(), "it does not block");
        flow.send(b"wake up").unwrap();
        assert_eq!(receiver.join().unwrap().unwrap().body, b"wake up");
    });
}

/// One message wakes one of two blocked receivers; the other one gets the next.
fn a_receiver_of_one_message_takes_one(role: Role) {
    let link = Link::new(role, true);
    let mut flow = link.inward();
    flow.open();
    if flow.is_turn_by_turn() {
        // Once the reply is received, a second receive is an error, also for the blocked one.
        flow.carry(b"only one");
        assert_eq!(link.subject.try_recv().err(), Some(role.recv_alone()));
        return;
    }
    std::thread::scope(|scope| {
        let receivers = [(); 2].map(|()| blocked(scope, || number_in(&link.subject.recv().unwrap().body)));
        assert!(receivers.iter().all(|receiver| !receiver.is_finished()), "it does not block");
        flow.send(&numbered(0)).unwrap();
        flow.send(&numbered(1)).unwrap();
        let mut received = receivers.map(|receiver| receiver.join().unwrap());
        received.sort_unstable();
        assert_eq!(received, [0, 1]);
    });
}
