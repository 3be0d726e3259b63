//! Protocol headers: raw sockets receive and send them, cooked ones do not; hops are counted.

use nanomsg::constants::{NN_MAXTTL, NN_SOL_SOCKET, NN_STAT_INVALID_MESSAGES};
use scaproust::Error;

use super::{every_role, some_roles};
use crate::flow::{Flow, Link, connect, number_in, numbered};
use crate::role::{Role, SocketType};
use crate::socket::Socket;

every_role! { shows_the_header_of_its_form }

fn shows_the_header_of_its_form(role: Role) {
    let link = Link::new(role, true);
    for mut flow in link.flows() {
        flow.send(b"body").unwrap();
        let message = flow.to.recv().unwrap();
        assert_eq!(message.body, b"body");
        assert_eq!(message.header.len(), flow.to.role.header_length(), "{flow}: {:?}", message.header);
    }
}

/// The number of a question, as its sender may choose it.
const NUMBER: [u8; 4] = [0x80, 0, 0, 9];

some_roles! {
    [raw_req raw_surveyor raw_rep raw_respondent]
    keeps_the_way_of_a_question
}

/// A question that has made two hops has both in its header, and its answer returns to the sender.
fn keeps_the_way_of_a_question(role: Role) {
    let Link { subject, peer } = Link::new(role, true);
    let (asks, answers) = if role.socket_type.asks() { (&subject, &peer) } else { (&peer, &subject) };
    let way = [&[0, 0, 0, 5, 0, 0, 0, 6][..], &NUMBER].concat();
    asks.send_with(&way, b"question").unwrap();
    let question = answers.recv().unwrap();
    assert_eq!((&question.header[4..], &question.body[..]), (&way[..], &b"question"[..]));
    assert_eq!(question.header[0] & 0x80, 0, "the first word is a pipe");
    answers.send_with(&question.header, b"answer").unwrap();
    // The first word was added by the sender, a device; it forwards the rest.
    let answer = asks.recv().unwrap();
    assert_eq!((answer.header, answer.body), (way[..4].to_vec(), [&way[4..], b"answer"].concat()));
}

some_roles! {
    [rep raw_rep respondent raw_respondent]
    drops_a_question_of_too_many_hops drops_a_question_without_a_number
}

fn drops_a_question_of_too_many_hops(role: Role) {
    for most in [1, 3, 8, 20] {
        let link = Link::new(role, true);
        if most != 8 {
            // This is the default value.
            link.subject.set(NN_SOL_SOCKET, NN_MAXTTL, most).unwrap();
        }
        let most = most as usize;
        for hops in (1..most + 3).chain([1]) {
            let way = [[0, 0, 0, 1].repeat(hops - 1), NUMBER.to_vec()].concat();
            link.peer.send_with(&way, &numbered(hops)).unwrap();
        }
        for hops in (1..=most).chain([1]) {
            assert_eq!(number_in(&link.subject.recv().unwrap().body), hops);
        }
    }
}

fn drops_a_question_without_a_number(role: Role) {
    let link = Link::new(role, true);
    for way in [&[][..], &[0x80], &[0x80, 0, 0], &[0, 0, 0, 1], &[0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]] {
        link.peer.send_with(way, b"").unwrap();
    }
    Flow::new(&link.peer, &link.subject).carry(b"a proper one");
    assert_eq!(link.subject.try_recv().err(), Some(Error::WouldBlock));
}

some_roles! {
    [raw_pair1]
    counts_hops
}

/// The first sender has made one hop, and each device adds one.
fn counts_hops(role: Role) {
    let Link { subject, peer } = Link::new(role, false);
    peer.send(b"first").unwrap();
    let message = subject.recv().unwrap();
    assert_eq!((&message.header[..], &message.body[..]), (&[0, 0, 0, 1][..], &b"first"[..]));
    subject.set(NN_SOL_SOCKET, NN_MAXTTL, 1).unwrap();
    peer.set(NN_SOL_SOCKET, NN_MAXTTL, 3).unwrap();
    subject.send_with(&message.header, b"second hop").unwrap();
    subject.send_with(&[0, 0, 0, 3], b"fourth hop").unwrap();
    subject.send_with(&[0, 0, 0, 2], b"third hop").unwrap();
    assert_eq!(peer.recv().unwrap().body, b"second hop");
    assert_eq!(peer.recv().unwrap().body, b"third hop");
    assert_eq!(peer.statistic(NN_STAT_INVALID_MESSAGES), 1);
}

some_roles! {
    [rep respondent]
    drops_an_answer_to_a_peer_that_has_gone
}

/// The sender of a question has disconnected when its answer is sent; the next one is served.
fn drops_an_answer_to_a_peer_that_has_gone(role: Role) {
    let Link { subject, peer } = Link::new(role, false);
    peer.send(b"question").unwrap();
    assert_eq!(subject.recv().unwrap().body, b"question");
    drop(peer);
    subject.wait_for_connections(0);
    assert_eq!(subject.send(b"answer"), Ok(()));
    let next = Socket::open(Role::cooked(role.socket_type.peer()));
    connect(&subject, &next);
    Flow::new(&subject, &next).carry(b"answer");
}

some_roles! {
    [req surveyor]
    takes_the_answer_to_its_last_question_only
}

fn takes_the_answer_to_its_last_question_only(role: Role) {
    let link = Link::new(role, true);
    let questions = [0, 1].map(|number| {
        link.subject.send(&numbered(number)).unwrap();
        link.peer.recv().unwrap()
    });
    let strange = |header: &[u8], body: &[u8]| link.peer.send_with(header, body).unwrap();
    let pipe = &questions[0].header[..4];
    strange(&questions[0].header, b"too late");
    strange(pipe, b"");
    strange(pipe, b"\x80");
    strange(&[pipe, &[0x12, 0x34, 0x56, 0x78]].concat(), b"no number");
    strange(&questions[1].header, b"in time");
    assert_eq!(link.subject.recv().unwrap().body, b"in time");
    let nothing = if role.socket_type == SocketType::Req { Error::WrongState } else { Error::WouldBlock };
    assert_eq!(link.subject.try_recv().err(), Some(nothing));
}

some_roles! {
    [raw_bus]
    leaves_out_the_pipe_in_the_header
}

/// A message that is sent with its received header goes to all peers but its sender.
fn leaves_out_the_pipe_in_the_header(role: Role) {
    let subject = Socket::open(role);
    let members = [(); 3].map(|()| {
        let member = Socket::open(Role::cooked(SocketType::Bus));
        connect(&subject, &member);
        member
    });
    members[1].send(b"news").unwrap();
    let news = subject.recv().unwrap();
    subject.send_with(&news.header, &news.body).unwrap();
    subject.send(b"to all").unwrap();
    assert_eq!(members[0].recv().unwrap().body, b"news");
    assert_eq!(members[2].recv().unwrap().body, b"news");
    for member in &members {
        assert_eq!(member.recv().unwrap().body, b"to all");
    }
}
