//! Several peers, and several threads: which peer gets a message, and in which order.

use std::sync::Mutex;

use scaproust::Error;

use super::some_roles;
use crate::flow::{Flow, connect, number_in, numbered};
use crate::role::{Role, SocketType};
use crate::socket::Socket;

/// A socket of the role under test with three raw peers; a PAIR has one.
struct Crowd {
    subject: Socket,
    peers: Vec<Socket>,
}

impl Crowd {
    fn new(role: Role) -> Crowd {
        let subject = Socket::open(role);
        let count = if matches!(role.socket_type, SocketType::Pair | SocketType::PairV1) { 1 } else { 3 };
        let peers = Vec::from_iter((0..count).map(|_| {
            let peer = Socket::open(Role::raw(role.socket_type.peer()));
            connect(&subject, &peer);
            peer
        }));
        Crowd { subject, peers }
    }

    /// What each peer has received.
    fn received(&self) -> Vec<Vec<usize>> {
        let take_all = |peer: &Socket| {
            std::iter::from_fn(|| peer.try_recv().ok()).map(|message| number_in(&message.body)).collect()
        };
        self.peers.iter().map(take_all).collect()
    }
}

some_roles! {
    [req raw_req push raw_push]
    spreads_what_it_sends
}

fn spreads_what_it_sends(role: Role) {
    let crowd = Crowd::new(role);
    for number in 0..9 {
        crowd.subject.send_with(role.own_header(), &numbered(number)).unwrap();
    }
    let received = crowd.received();
    assert!(received.iter().all(|list| list.len() == 3 && list.is_sorted()), "{received:?}");
    let mut all = received.concat();
    all.sort_unstable();
    assert_eq!(all, Vec::from_iter(0..9));
}

some_roles! {
    [publ raw_pub surveyor raw_surveyor bus raw_bus star raw_star]
    reaches_everyone
}

fn reaches_everyone(role: Role) {
    let crowd = Crowd::new(role);
    for number in 0..9 {
        crowd.subject.send_with(role.own_header(), &numbered(number)).unwrap();
    }
    let all = Vec::from_iter(0..9);
    assert_eq!(crowd.received(), vec![all; 3]);
}

some_roles! {
    [pair raw_pair pair1 raw_pair1]
    has_one_peer_at_a_time
}

/// A second peer is connected when the first has disconnected.
fn has_one_peer_at_a_time(role: Role) {
    let address = crate::flow::inproc_address();
    let subject = Socket::open(role);
    subject.bind(&address).unwrap();
    let [first, second] = [(); 2].map(|()| {
        let peer = Socket::open(Role::cooked(role.socket_type.peer()));
        peer.connect(&address).unwrap();
        peer
    });
    Flow::new(&subject, &first).carry(b"first");
    assert_eq!(second.try_send(b"let me in"), Err(Error::WouldBlock));
    assert_eq!(second.try_recv().err(), Some(Error::WouldBlock));
    drop(first);
    Flow::new(&second, &subject).carry(b"second");
    Flow::new(&subject, &second).carry(b"welcome");
}

some_roles! {
    [pair raw_pair pair1 raw_pair1 sub raw_sub raw_req rep raw_rep pull raw_pull
     surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
    loses_and_doubles_nothing_among_threads
}

some_roles! {
    [sub raw_sub raw_req rep raw_rep pull raw_pull
     surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
    takes_from_each_peer_in_turn
}

/// A flow from each peer, ready for sending.
fn flows(crowd: &Crowd) -> Vec<Flow<'_>> {
    let mut flows: Vec<Flow> = crowd.peers.iter().map(|peer| Flow::new(peer, &crowd.subject)).collect();
    if crowd.subject.role.socket_type.asks() {
        // A survey reaches all at once; requests reach one after the other.
        let questions = if crowd.subject.role.socket_type == SocketType::Surveyor { 1 } else { flows.len() };
        for _ in 0..questions {
            crowd.subject.send_with(crowd.subject.role.own_header(), b"question").unwrap();
        }
        flows.iter_mut().for_each(Flow::receive_question);
    }
    flows
}

fn takes_from_each_peer_in_turn(role: Role) {
    let crowd = Crowd::new(role);
    for (peer, flow) in flows(&crowd).iter_mut().enumerate() {
        for _ in 0..5 {
            flow.send(&numbered(peer)).unwrap();
        }
    }
    for _ in 0..5 {
        let mut turn = [(); 3].map(|()| number_in(&crowd.subject.recv().unwrap().body));
        turn.sort_unstable();
        assert_eq!(turn, [0, 1, 2]);
    }
    assert_eq!(crowd.subject.try_recv().err(), Some(Error::WouldBlock));
}

/// Each peer sends from a thread of its own, and several threads receive.
fn loses_and_doubles_nothing_among_threads(role: Role) {
    const COUNT: usize = 120;
    let crowd = Crowd::new(role);
    let flows = flows(&crowd);
    let senders = flows.len();
    let received = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (sender, mut flow) in flows.into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..COUNT / senders {
                    flow.send(&numbered(sender * 1000 + number)).unwrap();
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(|| {
                let own: Vec<usize> =
                    (0..COUNT / 4).map(|_| number_in(&crowd.subject.recv().unwrap().body)).collect();
                for sender in 0..senders {
                    let is_from = |number: &&usize| **number / 1000 == sender;
                    assert!(own.iter().filter(is_from).is_sorted(), "one thread, one sender: in order");
                }
                received.lock().unwrap().extend(own);
            });
        }
    });
    let mut received = received.into_inner().unwrap();
    received.sort_unstable();
    let sent = (0..senders).flat_map(|sender| (0..COUNT / senders).map(move |number| sender * 1000 + number));
    assert_eq!(received, Vec::from_iter(sent));
}

some_roles! {
    [req raw_req rep raw_rep surveyor raw_surveyor respondent raw_respondent]
    brings_each_answer_to_who_asked
}

/// Three sockets ask the same; the answers are sent in another order, and each gets its own.
fn brings_each_answer_to_who_asked(role: Role) {
    let answers = if role.socket_type.answers() {
        role
    } else {
        Role { socket_type: role.socket_type.peer(), raw: role.raw }
    };
    let asks = if role.socket_type.answers() { Role::cooked(role.socket_type.peer()) } else { role };
    let answerer = Socket::open(answers);
    let askers = [(); 3].map(|()| {
        let asker = Socket::open(asks);
        connect(&answerer, &asker);
        asker
    });
    let ask = |asker: &Socket, number: usize| asker.send_with(asks.own_header(), &numbered(number)).unwrap();
    if answers.raw {
        askers.iter().enumerate().for_each(|(number, asker)| ask(asker, number));
        let questions = [(); 3].map(|()| answerer.recv().unwrap());
        for question in questions.iter().rev() {
            answerer.send_with(&question.header, &question.body).unwrap();
        }
    } else {
        for (number, asker) in askers.iter().enumerate().rev() {
            ask(asker, number);
            let question = answerer.recv().unwrap();
            answerer.send(&question.body).unwrap();
        }
    }
    for (number, asker) in askers.iter().enumerate() {
        assert_eq!(number_in(&asker.recv().unwrap().body), number);
        assert!(asker.try_recv().is_err());
    }
}

some_roles! {
    [publ raw_pub sub raw_sub req raw_req rep raw_rep push raw_push pull raw_pull
     surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
    goes_on_when_one_of_several_leaves
}

fn goes_on_when_one_of_several_leaves(role: Role) {
    let Crowd { subject, mut peers } = Crowd::new(role);
    drop(peers.remove(1));
    subject.wait_for_connections(2);
    if role.socket_type.sends() && !role.socket_type.answers() {
        // If a message goes to one peer, the protocol chooses it: so one is sent for each peer.
        subject.send_with(role.own_header(), b"still there").unwrap();
        subject.send_with(role.own_header(), b"still there").unwrap();
        for peer in &peers {
            assert_eq!(peer.recv().unwrap().body, b"still there");
        }
    } else {
        for peer in &peers {
            Flow::new(peer, &subject).carry(b"still there");
        }
    }
}
