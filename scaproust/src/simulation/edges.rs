//! Steps of programs at the edges of what the interface allows: raw sockets, whose programs keep the headers; descriptors and
//! several sockets polled; lanes filled to their bounds.

use std::collections::BTreeSet;
use std::time::Duration;

use super::ledger::{HEADER, Id, broken, decode, encode};
use super::plan::ThreadName;
use super::program::{ANSWER, ANSWERED, Program, topic};
use super::world::expect;
use crate::error::Error;
use crate::machine::{self, Polled, running_time};
use crate::message::{Outgoing, Payload, ProtocolHeader};
use crate::option::{Setting, SocketOption};
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{self, BlockingCall, enter};
use crate::sync::now;

/// The time of an endless program's poll, which is longer than a world waits for messages that are late.
const POLL_TIME: Duration = Duration::from_secs(60);
/// The most that one read of the kernel brings, and at which no more messages are gathered for a write.
const BATCH_MAX: usize = 128 * 1024;

impl Program<'_> {
    /// Polls all sockets that are open. Receives from each that has a message.
    pub(super) fn poll_all(&self, numbers: &[usize]) -> Result<(), Error> {
        let programs: Vec<_> = numbers
            .iter()
            .filter_map(|number| {
                let (id, protocol) = self.world.socket(*number)?;
                Some(Program { world: self.world, name: ThreadName(*number, self.name.1), id, protocol })
            })
            .collect();
        loop {
            let entries = programs.iter().map(|program| entry(program.id, true)).collect();
            for (number, ready) in poll(self, entries, POLL_TIME)?.into_iter().enumerate() {
                if ready.is_readable {
                    programs[number].receive_with(true)?;
                }
            }
        }
    }

    /// Polls `NN_RCVFD` and receives.
    pub(super) fn poll_descriptor(&self) -> Result<(), Error> {
        let descriptor = loop {
            match enter(self.id)?.receive_descriptor() {
                Err(Error::Os(libc::EMFILE)) => machine::sleep(Duration::from_millis(10)),
                descriptor => break descriptor?,
            }
        };
        loop {
            if machine::poll(&mut [Polled::new(descriptor)], Some(POLL_TIME)) == 0 {
                // What is there must be reported.
                let ready =
                    Polling::new(vec![entry(self.id, true)], Some(Duration::ZERO), false)?.finish()?;
                if ready > 0 && machine::poll(&mut [Polled::new(descriptor)], Some(Duration::ZERO)) == 0 {
                    machine::fail(format!("{:?}: NN_RCVFD does not report a message", self.name));
                }
                continue;
            }
            self.receive_with(true)?;
        }
    }

    /// Polls for room and sends.
    pub(super) fn poll_send(&self, count: usize, size: usize) -> Result<(), Error> {
        for _ in 0..count {
            let ready = poll(self, vec![entry(self.id, false)], Duration::from_millis(500))?;
            if ready.iter().any(|entry| entry.is_writable) {
                self.send(size, true)?;
            }
        }
        Ok(())
    }

    /// Sends without waiting until the lanes and the kernel are full, while no peer receives.
    pub(super) fn fill(&self, size: usize) -> Result<(), Error> {
        let size = size.max(HEADER);
        // A first message waits for the connection.
        let first = self.send(size, false)?;
        let (mut accepted, mut refusals) = (size, 0);
        let most = self.most_unreceived(size);
        while refusals < 20 && accepted <= most {
            if self.send(size, true)?.is_some() {
                (accepted, refusals) = (accepted + size, 0);
            } else {
                refusals += 1;
                machine::sleep(Duration::from_millis(100));
            }
        }
        // The connection may have come so late that the peer receives already.
        let is_received = first.is_none_or(|id| self.world.ledger.borrow().receipts(id) > 0);
        if accepted > most && !is_received && !self.world.damaged_sockets().contains(&self.name.0) {
            let what = format!("{accepted} bytes were accepted for a peer that does not receive, of {most}");
            machine::fail(broken("a lane holds NN_SNDBUF or NN_RCVBUF bytes", &what));
        }
        Ok(())
    }

    /// The most bytes of messages of this size that are accepted while the peer does not receive.
    fn most_unreceived(&self, size: usize) -> usize {
        let own = self.size_option(self.name.0, SocketOption::SendBuffer);
        let peers = self.world.plan.sockets.iter().filter(|socket| *socket.protocol == *self.protocol.peer);
        let peer = peers.map(|socket| self.size_option(socket.number, SocketOption::ReceiveBuffer)).max();
        let read = machine::room().min(BATCH_MAX);
        own + BATCH_MAX + machine::room() + read + peer.unwrap_or(0) + 4 * size
    }

    fn size_option(&self, socket: usize, option: SocketOption) -> usize {
        let plan = self.world.plan.sockets.iter().find(|plan| plan.number == socket);
        plan.and_then(|plan| plan.option(option)).map_or(128 * 1024, |value| value as usize)
    }

    /// Sends questions at a raw socket, each with its number as the header, and receives answers until none comes.
    pub(super) fn raw_ask(&self, count: usize, size: usize) -> Result<(), Error> {
        for _ in 0..count {
            let id = self.world.ledger.borrow_mut().next(self.name);
            let bytes = encode(topic(id), 1, id, size);
            let mut message = Outgoing::new(Payload::Borrowed(&bytes));
            message.header = question_header(id);
            let sent = socket::send(self.id, &mut message, false);
            expect(self.world.ledger.borrow_mut().note_sent(id, sent.is_ok()));
            sent?;
        }
        let mut answered = BTreeSet::new();
        self.set_receive_timeout(2000)?;
        loop {
            let received = socket::recv(self.id, false, |received| {
                let (first, second) = received.body();
                let (kind, id) = decode(&[first, second].concat())?;
                if kind < ANSWER || id.sender.0 != self.name.0 || *received.header() != *question_header(id) {
                    let what = format!("{:?} received what it did not ask for: {id:?}", self.name);
                    return Err(broken(ANSWERED, &what));
                }
                if !answered.insert((kind, id)) && !self.world.plan.has_ring {
                    return Err(broken(ANSWERED, &format!("{id:?} was answered twice")));
                }
                Ok(())
            });
            match received {
                Ok(checked) => expect(checked),
                Err(Error::TimedOut) => break,
                Err(error) => return Err(error),
            }
        }
        self.set_receive_timeout(-1)
    }

    /// Answers questions at a raw socket: some at once, the others later and in another order.
    pub(super) fn raw_answer(&self) -> Result<(), Error> {
        self.set_receive_timeout(300)?;
        let mut kept: Vec<(ProtocolHeader, Vec<u8>)> = Vec::new();
        loop {
            let received = socket::recv(self.id, false, |received| {
                let (first, second) = received.body();
                let (bytes, pipe) = ([first, second].concat(), received.pipe());
                let noted = decode(&bytes).and_then(|(_, id)| {
                    self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, pipe, id)
                });
                expect(noted);
                (received.header(), bytes)
            });
            match received {
                Ok(question) => kept.push(question),
                Err(Error::TimedOut) => {}
                Err(error) => return Err(error),
            }
            if machine::below(3) == 0 || kept.len() > 20 {
                while let Some((header, mut bytes)) = kept.pop() {
                    if let Some(kind) = bytes.get_mut(1) {
                        *kind = self.answer_kind();
                    }
                    let mut message = Outgoing::new(Payload::Borrowed(&bytes));
                    message.header = header;
                    socket::send(self.id, &mut message, false)?;
                }
            }
        }
    }

    /// Sends each message back through its raw socket, with its header.
    pub(super) fn relay(&self) -> Result<(), Error> {
        loop {
            let (header, bytes) = socket::recv(self.id, false, |received| {
                let (first, second) = received.body();
                (received.header(), [first, second].concat())
            })?;
            let mut message = Outgoing::new(Payload::Borrowed(&bytes));
            message.header = header;
            socket::send(self.id, &mut message, false)?;
        }
    }

    fn set_receive_timeout(&self, time: i32) -> Result<(), Error> {
        enter(self.id)?.set_option(SocketOption::ReceiveTimeout, Setting::Int(time))
    }
}

/// The header of a question at a raw socket: its number, marked as the last word of the backtrace.
fn question_header(id: Id) -> ProtocolHeader {
    (0x8000_0000 | (id.sender.1 as u32) << 16 | id.number).to_be_bytes().into_iter().collect()
}

/// An entry that waits for a message or, if not `readable`, for room.
pub(super) fn entry(socket: i32, readable: bool) -> PollEntry {
    PollEntry { socket, readable, writable: !readable, is_readable: false, is_writable: false }
}

/// As `nn_poll`. Checks its time.
fn poll(program: &Program<'_>, entries: Vec<PollEntry>, time: Duration) -> Result<Vec<PollEntry>, Error> {
    let (began, running) = (now(), running_time());
    let mut polling = Polling::new(entries, Some(time), false)?;
    let found = loop {
        if let Some(found) = polling.proceed()? {
            break found;
        }
        if let Some(sleep) = polling.sleep() {
            sleep.run();
        }
    };
    program.world.check_time(running, Some(time), "nn_poll");
    if found == 0 && now() < began + time {
        machine::fail(format!("{:?}: nn_poll has found nothing too early", program.name));
    }
    Ok(polling.entries().to_vec())
}
