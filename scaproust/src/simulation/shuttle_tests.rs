//! Random schedules of small worlds, mostly over inproc: nothing is lost or comes twice, and every call ends.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;

use super::plan::Plan;
use super::world;
use crate::error::Error;
use crate::machine::exploring::{choose, choose_from, explore, quick_or_slow};
use crate::machine::{self, Thread};
use crate::message::{Outgoing, Payload};
use crate::protocol::PROTOCOLS;
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{self, BlockingCall, enter};

/// An address: mostly without connections, which have their own tests.
fn address() -> &'static str {
    choose_from(&["inproc://a", "inproc://a", "ipc:///tmp/a"])
}

/// The lines of a plan.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: impl AsRef<str>) {
        writeln!(self.0, "{}", line.as_ref()).expect("a string has room");
    }

    /// A socket that holds from one message to many.
    fn socket(&mut self, number: usize, protocol: &str) {
        let bound = || choose_from(&[1, 60, 5000]);
        let line = format!("socket {number} {protocol} 0:14=0 0:2={} 0:3={}", bound(), bound());
        self.add(line);
    }

    /// Lets the sockets 0 and 1 find each other, the one or the other first.
    fn join(&mut self) {
        let first = choose(2);
        let address = address();
        self.add(format!("{first}.0 bind {address}"));
        self.add(format!("{}.0 connect {address}", 1 - first));
    }

    fn send(&mut self, thread: &str) {
        let verb = choose_from(&["send", "send", "try-send"]);
        self.add(format!("{thread} {verb} {} {}", 1 + choose(6), choose_from(&[20, 50, 5000])));
    }

    /// Receives until the end, at first with a time-out, which the threads of a socket share.
    fn receive_in_time(&mut self, thread: &str) {
        if choose(3) == 0 {
            self.add(format!("{thread} wait {} {}", 1 + choose(3), choose_from(&[1, 20])));
        }
        self.receive(thread);
    }

    fn receive(&mut self, thread: &str) {
        self.add(format!("{thread} {}", choose_from(&["receive 0", "poll"])));
    }

    /// Runs one to three tasks.
    fn tasks(&mut self, thread: &str, work: &str) {
        let kind = choose_from(&["queued", "inline"]);
        self.add(format!("{thread} tasks {} {kind} {work}", 1 + choose(3)));
    }

    /// Adds one of the lines or none.
    fn maybe(&mut self, lines: &[&str]) {
        if choose(2) == 0 {
            self.add(choose_from(lines));
        }
    }

    fn live(&mut self) {
        self.maybe(&["term"]);
        world::live(Plan::parse(&self.0).unwrap_or_else(|line| panic!("not a plan: {line}")));
    }
}

#[test]
fn shuttle_push_and_pull() {
    explore(3000, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.socket(0, "push");
        lines.socket(1, "pull");
        lines.join();
        lines.send("0.0");
        lines.send("0.1");
        lines.add("check delivery 0");
        if choose(2) == 0 {
            lines.receive("1.0");
            lines.receive("1.1");
        } else {
            lines.receive_in_time("1.0");
            lines.add("check order 0");
        }
        lines.live();
    });
}

#[test]
fn shuttle_pair() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.join();
        for (number, sender, receiver) in [(0, "0.0", "0.1"), (1, "1.0", "1.1")] {
            lines.socket(number, "pair");
            lines.send(sender);
            lines.receive_in_time(receiver);
            lines.add(format!("check delivery {number}"));
            lines.add(format!("check order {number}"));
        }
        lines.live();
    });
}

#[test]
fn shuttle_req_and_rep() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.socket(0, "req");
        lines.socket(1, "rep");
        lines.join();
        lines.add(format!("0.0 ask {} 30", 1 + choose(4)));
        lines.add("1.0 answer 0");
        lines.maybe(&["1.1 answer 0", "0.1 close"]);
        lines.live();
    });
}

#[test]
fn shuttle_pub_and_sub() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.add("socket 0 pub");
        lines.add("socket 1 sub");
        lines.add("socket 2 sub");
        for line in ["1.0 subscribe 1", "1.0 subscribe 2", "2.0 subscribe 2", "2.0 subscribe 3"] {
            lines.add(line);
        }
        let address = address();
        lines.add(format!("0.0 bind {address}"));
        lines.add(format!("1.0 connect {address}"));
        lines.add(format!("2.0 connect {address}"));
        lines.send("0.0");
        lines.receive_in_time("1.0");
        lines.receive_in_time("2.0");
        lines.maybe(&["1.1 close", "2.1 leave", "0.1 close"]);
        lines.add("check order 0");
        lines.live();
    });
}

/// Tasks send and receive beside threads. Their futures are dropped at any moment.
#[test]
fn shuttle_tasks_that_send_and_receive() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        let (one, other) = choose_from(&[("push", "pull"), ("pair", "pair")]);
        lines.socket(0, one);
        lines.socket(1, other);
        lines.join();
        lines.tasks("0.0", &format!("send {} {}", 1 + choose(3), choose_from(&[20, 5000])));
        lines.tasks("1.0", "receive");
        lines.maybe(&["0.1 send 2 20"]);
        lines.maybe(&["1.1 receive 0", "1.1 poll"]);
        lines.add("check delivery 0");
        lines.live();
    });
}

/// Tasks ask and answer. Their requests are dropped at any moment.
#[test]
fn shuttle_tasks_that_ask_and_answer() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        let (one, other, ask) =
            choose_from(&[("req", "rep", "request"), ("surveyor", "respondent", "survey")]);
        lines.socket(0, one);
        lines.socket(1, other);
        lines.join();
        lines.tasks("0.0", &format!("{ask} {} 30", 1 + choose(3)));
        lines.tasks("1.0", "accept");
        lines.live();
    });
}

/// Endpoints and sockets are closed at any moment, while other threads send, receive and poll.
#[test]
fn shuttle_close_at_any_moment() {
    explore(4000, quick_or_slow, || {
        let mut lines = Lines::default();
        let (one, other) = choose_from(&[("push", "pull"), ("pair", "pair"), ("bus", "bus")]);
        lines.socket(0, one);
        lines.socket(1, other);
        lines.join();
        lines.send("0.0");
        lines.receive("1.0");
        lines.maybe(&["1.1 poll", "1.1 receive 0"]);
        lines.maybe(&["0.2 leave", "1.2 leave", "0.2 close", "1.2 close"]);
        lines.maybe(&["0.3 leave", "1.3 leave", "0.3 close", "1.3 close"]);
        // A sender waits for ever if the receiver is closed.
        lines.add(format!("0.4 sleep {}", choose_from(&[0, 1, 100])));
        lines.add("0.4 close");
        lines.live();
    });
}

/// Each context gets the answers to its own requests, also in the place of one that was closed.
#[test]
fn shuttle_answers_to_contexts() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.socket(0, "req");
        lines.socket(1, "rep");
        lines.join();
        lines.add("1.0 answer 0");
        if choose(2) == 0 {
            lines.add("socket 5 rep");
            lines.add("5.0 share 1");
            lines.add("5.0 answer 0");
        }
        lines.maybe(&["0.1 ask 2 30"]);
        for context in [2, 3] {
            lines.add(format!("socket {context} req"));
            lines.add(format!("{context}.0 share 0"));
            lines.add(format!("{context}.0 ask {} 30", 1 + choose(3)));
        }
        lines.maybe(&["2.1 close", "3.1 close", "0.2 close"]);
        lines.add(format!("socket 4 req @{}", choose_from(&[0, 1])));
        lines.add("4.0 share 0");
        lines.add("4.0 ask 1 30");
        lines.live();
    });
}

/// What a monitor tells agrees, while connections and sockets are closed.
#[test]
fn shuttle_events() {
    explore(2500, quick_or_slow, || {
        let mut lines = Lines::default();
        lines.socket(0, "push");
        lines.socket(1, "pull");
        lines.join();
        lines.add("socket 2 sub");
        lines.add(format!("2.0 watch {}", choose(2)));
        lines.send("0.0");
        lines.receive("1.0");
        lines.maybe(&["0.2 leave", "1.2 leave", "1.2 close"]);
        // A sender waits for ever if the receiver is closed.
        lines.add(format!("0.3 sleep {}", choose_from(&[0, 1, 100])));
        lines.add("0.3 close");
        lines.live();
    });
}

/// Contexts join, call and are closed while their parent is, in any order: every call ends, and a context of a closed parent
/// is closed as well.
#[test]
fn shuttle_contexts_at_any_moment() {
    explore(4000, quick_or_slow, || {
        let (one, other) =
            choose_from(&[("req", "rep"), ("rep", "req"), ("surveyor", "respondent"), ("sub", "pub")]);
        let (parent, peer) = (open(one).unwrap(), open(other).unwrap());
        enter(parent).unwrap().bind(address().as_bytes()).map(drop).unwrap();
        for address in ["inproc://a", "ipc:///tmp/a"] {
            enter(peer).unwrap().connect(address.as_bytes()).map(drop).unwrap();
        }
        let mut threads = vec![spawn(move || send_or_receive(parent)), spawn(move || send_or_receive(peer))];
        let contexts = [(); 2].map(|()| open(one).unwrap());
        let joining = contexts.map(|context| {
            let has_joined = Rc::new(Cell::new(false));
            let own = has_joined.clone();
            threads.push(spawn(move || send_or_receive(context)));
            match choose(3) {
                0 => threads.push(spawn(move || poll(context))),
                1 => threads.push(spawn(move || close_later(context))),
                _ => {}
            }
            let thread = spawn(move || match enter(context)?.share(parent) {
                // The parent was closed first.
                Err(Error::InvalidArgument) => Ok(()),
                joined => joined.map(|()| own.set(true)),
            });
            (context, has_joined, thread)
        });
        close_later(parent).unwrap();
        for (context, has_joined, thread) in joining {
            thread.join();
            if has_joined.get() {
                assert_eq!(socket::recv(context, true, |_| ()), Err(Error::Closed));
            }
            // Another thread may have closed it.
            _ = socket::close(context);
        }
        socket::close(peer).unwrap();
        threads.into_iter().for_each(Thread::join);
    });
}

/// `nn_term` comes at any moment, and ends every call.
#[test]
fn shuttle_term_at_any_moment() {
    explore(5000, quick_or_slow, || {
        let (one, other) = choose_from(&[("push", "pull"), ("pair", "pair"), ("req", "rep"), ("pub", "sub")]);
        let address = address();
        let (one, other) = (open(one).unwrap(), open(other).unwrap());
        let threads = [
            spawn(move || enter(one)?.bind(address.as_bytes()).map(drop)),
            spawn(move || enter(other)?.connect(address.as_bytes()).map(drop)),
            spawn(move || send_or_receive(one)),
            spawn(move || send_or_receive(other)),
            spawn(move || poll(if choose(2) == 0 { one } else { other })),
            spawn(move || socket::close(open("bus")?)),
        ];
        for _ in 0..choose(30) {
            machine::point();
        }
        socket::terminate();
        threads.into_iter().for_each(Thread::join);
    });
}

/// Opens a socket.
fn open(name: &str) -> Result<i32, Error> {
    let info = PROTOCOLS.iter().find(|info| info.name == name).copied();
    socket::open_protocol(info, false)
}

/// Runs a thread that may find the sockets closed.
fn spawn(call: impl FnOnce() -> Result<(), Error> + 'static) -> Thread {
    machine::spawn("program", || match call() {
        Ok(()) | Err(Error::Closed | Error::Terminated) => {}
        Err(error) => panic!("{error}"),
    })
}

/// Closes a socket at any moment, unless another thread has closed it.
fn close_later(id: i32) -> Result<(), Error> {
    for _ in 0..choose(60) {
        machine::point();
    }
    socket::close(id)
}

/// Sends or receives until the socket is closed.
fn send_or_receive(id: i32) -> Result<(), Error> {
    for _ in 0.. {
        let result = if choose(2) == 0 {
            socket::send(id, &mut Outgoing::new(Payload::Borrowed(b"message")), choose(2) == 0)
        } else {
            socket::recv(id, choose(2) == 0, |_| ())
        };
        match result {
            // The last one at the deadline of a survey.
            Ok(()) | Err(Error::WouldBlock | Error::WrongState | Error::NotSupported | Error::TimedOut) => {
                machine::yield_now();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the socket is closed.
fn poll(socket: i32) -> Result<(), Error> {
    let entry =
        PollEntry { socket, readable: false, writable: false, is_readable: false, is_writable: false };
    Polling::new(vec![entry], None, false)?.finish().map(drop)
}
