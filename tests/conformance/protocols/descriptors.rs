//! The descriptors: each is readable when the call would succeed, and not when it would block.

use nanomsg::constants::{NN_RCVBUF, NN_SNDBUF, NN_SOL_SOCKET};
use scaproust::Error;

use super::{every_receiver, every_sender};
use crate::flow::Link;
use crate::role::{Role, Unwanted};
use crate::socket::{Message, Outcome, Socket};

every_receiver! { shows_whether_it_can_receive }
every_sender! { shows_whether_it_can_send }

/// Receives without blocking, and compares the result with the state of the descriptor before.
fn recv_as_said(socket: &Socket) -> Outcome<Message> {
    let said = socket.says_receivable();
    let received = socket.try_recv();
    let true_word = match received {
        Err(Error::WouldBlock) => false,
        Err(Error::WrongState) => socket.role.says_receivable_alone(),
        _ => true,
    };
    assert_eq!(said, true_word, "the descriptor said {said}, and receiving {:?}", received.err());
    received
}

/// The same for sending, with `send`.
fn send_as_said(socket: &Socket, send: impl FnOnce() -> Outcome<()>) -> Outcome<()> {
    let said = socket.says_sendable();
    let sent = send();
    let true_word = !matches!(sent, Err(Error::WouldBlock | Error::WrongState));
    assert_eq!(said, true_word, "the descriptor said {said}, and sending {sent:?}");
    sent
}

fn shows_whether_it_can_receive(role: Role) {
    let alone = Socket::open(role);
    assert_eq!(recv_as_said(&alone).err(), Some(role.recv_alone()));
    // The descriptor is requested before the first event, or after it.
    for is_early in [true, false] {
        let link = Link::with(role, true, |socket| {
            if is_early && socket.role.socket_type.receives() {
                assert_eq!(socket.says_receivable(), socket.role.says_receivable_alone());
            }
        });
        let mut flow = link.inward();
        if is_early {
            assert_eq!(recv_as_said(&link.subject).err(), Some(role.recv_alone()));
        }
        for _ in 0..3 {
            let count = flow.window().min(3);
            flow.open();
            for _ in 0..count {
                flow.send(b"news").unwrap();
            }
            link.subject.wait_receivable();
            for _ in 0..count {
                assert_eq!(recv_as_said(&link.subject).unwrap().body, b"news");
            }
            let nothing = recv_as_said(&link.subject).unwrap_err();
            assert!([Error::WouldBlock, Error::WrongState].contains(&nothing), "{nothing}");
        }
    }
}

fn shows_whether_it_can_send(role: Role) {
    let alone = Socket::open(role);
    let sent = send_as_said(&alone, || alone.try_send_with(role.own_header(), b"x"));
    assert_eq!(sent, role.send_alone());
    for is_early in [true, false] {
        let link = Link::with(role, true, |socket| {
            socket.set(NN_SOL_SOCKET, NN_SNDBUF, 4096).unwrap();
            socket.set(NN_SOL_SOCKET, NN_RCVBUF, 4096).unwrap();
            if is_early && socket.role == role {
                assert_eq!(socket.says_sendable(), role.send_alone().is_ok());
            }
        });
        let mut flow = link.outward();
        for _ in 0..3 {
            let mut sent = 0;
            for _ in 0..50 {
                flow.open();
                let outcome = send_as_said(&link.subject, || flow.try_send(&[0; 1024]));
                sent += usize::from(outcome.is_ok());
                assert!(outcome.is_ok() || role.unwanted() == Unwanted::Waits, "{outcome:?}");
            }
            assert_eq!(sent < 50, role.unwanted() == Unwanted::Waits, "{sent} of 50 were sent");
            flow.recv().unwrap();
            while link.peer.try_recv().is_ok() {}
            flow.open();
            link.subject.wait_sendable();
        }
    }
}
