//! Sockets without a peer: calls that return at once, and calls that wait.

use std::ffi::{c_int, c_void};
use std::ptr;

use nanomsg::constants::{
    AF_SP, AF_SP_RAW, NN_DOMAIN, NN_DONTWAIT, NN_MSG, NN_PROTOCOL, NN_RCVFD, NN_RCVTIMEO, NN_SNDFD,
    NN_SNDTIMEO, NN_SOL_SOCKET,
};
use nanomsg::{nn_allocmsg, nn_freemsg, nn_send};
use scaproust::Error;

use super::{every_receiver, every_role, every_sender, some_roles};
use crate::flow::blocked;
use crate::role::Role;
use crate::socket::{Socket, answer};

every_role! { knows_what_it_is has_its_directions_only answers_at_once gives_up_in_time }

fn knows_what_it_is(role: Role) {
    let socket = Socket::open(role);
    let domain = if role.raw { AF_SP_RAW } else { AF_SP };
    assert_eq!(socket.get(NN_SOL_SOCKET, NN_DOMAIN), Ok(domain));
    assert_eq!(socket.get(NN_SOL_SOCKET, NN_PROTOCOL), Ok(role.socket_type.number()));
}

fn has_its_directions_only(role: Role) {
    let socket = Socket::open(role);
    let not = |has: bool, answer: Result<(), Error>, error: Error| {
        assert_eq!(answer.err() == Some(error), !has, "{answer:?}");
    };
    not(role.socket_type.sends(), socket.try_send(b"x"), Error::NotSupported);
    not(role.socket_type.receives(), socket.try_recv().map(|_| ()), Error::NotSupported);
    not(role.socket_type.sends(), socket.descriptor(NN_SNDFD).map(|_| ()), Error::UnknownOption);
    not(role.socket_type.receives(), socket.descriptor(NN_RCVFD).map(|_| ()), Error::UnknownOption);
}

fn answers_at_once(role: Role) {
    let socket = Socket::open(role);
    assert_eq!(socket.try_recv().err(), Some(role.recv_alone()));
    assert_eq!(socket.try_send_with(role.own_header(), b"is anybody there?"), role.send_alone());
}

fn gives_up_in_time(role: Role) {
    let socket = Socket::open(role);
    socket.set(NN_SOL_SOCKET, NN_SNDTIMEO, 5).unwrap();
    socket.set(NN_SOL_SOCKET, NN_RCVTIMEO, 5).unwrap();
    let in_time = |error| if error == Error::WouldBlock { Error::TimedOut } else { error };
    assert_eq!(socket.recv().err(), Some(in_time(role.recv_alone())));
    let sent = socket.send_with(role.own_header(), b"is anybody there?");
    assert_eq!(sent, role.send_alone().map_err(in_time));
}

every_sender! { leaves_an_unsent_message_with_its_owner }

/// A message from `nn_allocmsg` belongs to the library once it was sent, and to the caller otherwise.
fn leaves_an_unsent_message_with_its_owner(role: Role) {
    let socket = Socket::open(role);
    // SAFETY: the message is written to within its length, and freed once: by its owner.
    unsafe {
        let mut message = nn_allocmsg(4, 0);
        assert!(!message.is_null());
        ptr::copy_nonoverlapping(c"mine".as_ptr(), message.cast(), 4);
        let sent = nn_send(socket.id(), (&raw mut message).cast::<c_void>(), NN_MSG, NN_DONTWAIT);
        let sent = answer(sent).map(|length: c_int| assert_eq!(length, 4));
        assert_eq!(sent, role.send_without_header());
        if sent.is_err() {
            assert_eq!(std::slice::from_raw_parts(message.cast::<u8>(), 4), b"mine");
            assert_eq!(nn_freemsg(message), 0);
        }
    }
}

every_receiver! { closing_ends_a_blocked_receive }

fn closing_ends_a_blocked_receive(role: Role) {
    let socket = Socket::open(role);
    if role.recv_alone() == Error::WrongState {
        // With a question the receive waits instead of failing.
        socket.send(b"is anybody there?").unwrap();
    }
    std::thread::scope(|scope| {
        let receivers = [(); 2].map(|()| blocked(scope, || socket.recv()));
        assert!(receivers.iter().all(|receiver| !receiver.is_finished()), "it does not block");
        assert_eq!(socket.close(), Ok(()));
        for receiver in receivers {
            assert_eq!(receiver.join().unwrap().err(), Some(Error::Closed));
        }
    });
}

some_roles! {
    [pair raw_pair pair1 raw_pair1 raw_req push raw_push]
    closing_ends_a_blocked_send
}

fn closing_ends_a_blocked_send(role: Role) {
    let socket = Socket::open(role);
    std::thread::scope(|scope| {
        let senders = [(); 2].map(|()| blocked(scope, || socket.send_with(role.own_header(), b"x")));
        assert!(senders.iter().all(|sender| !sender.is_finished()), "it does not block");
        assert_eq!(socket.close(), Ok(()));
        for sender in senders {
            assert_eq!(sender.join().unwrap(), Err(Error::Closed));
        }
    });
}
