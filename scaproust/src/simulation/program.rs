//! The steps of a plan, as a thread performs them on a socket.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::edges::entry;
use super::ledger::{Id, broken, decode, encode};
use super::plan::{Step, ThreadName};
use super::world::{World, expect};
use crate::error::Error;
use crate::forwarding;
use crate::machine::{self, running_time};
use crate::message::{Outgoing, Payload, ProtocolHeader};
use crate::option::{LEVEL_SOCKET, Setting, SocketOption};
use crate::protocol::{ProtocolInfo, SURVEY_DEADLINE};
use crate::socket::poll::Polling;
use crate::socket::{self, BlockingCall, Received, enter};
use crate::sync::now;

/// The row of docs/RELIABILITY.md on answers.
pub(super) const ANSWERED: &str = "REP, RESPONDENT: an answer reaches only the peer that asked";
/// The kinds of messages: those that are sent, and the answers, to which the number of the socket is added.
pub(super) const PLAIN: u8 = 1;
pub(super) const ANSWER: u8 = 2;

/// The topic of a message.
pub(super) fn topic(id: Id) -> u8 {
    id.number as u8 % 4
}

/// A thread that performs the steps of a plan on a socket.
pub(super) struct Program<'a> {
    pub(super) world: &'a Rc<World>,
    pub(super) name: ThreadName,
    pub(super) id: i32,
    pub(super) protocol: &'static ProtocolInfo,
}

impl Program<'_> {
    pub(super) fn perform(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Bind(address) => {
                let endpoint = self.retry(|| enter(self.id)?.bind(address.as_bytes()))?;
                self.world.endpoints.borrow_mut().entry(self.name.0).or_default().push(endpoint);
            }
            Step::Connect(address) => {
                let endpoint = self.retry(|| self.connect(address))?;
                self.world.endpoints.borrow_mut().entry(self.name.0).or_default().push(endpoint);
            }
            Step::Leave => {
                let oldest = {
                    let mut endpoints = self.world.endpoints.borrow_mut();
                    endpoints.get_mut(&self.name.0).filter(|own| !own.is_empty()).map(|own| own.remove(0))
                };
                let began = running_time();
                oldest.map_or(Ok(()), |endpoint| enter(self.id)?.shutdown(endpoint))?;
                self.world.check_time(began, Some(Duration::ZERO), "nn_shutdown");
            }
            Step::Subscribe(topic) => {
                self.world.topics.borrow_mut().insert((self.name.0, *topic));
                enter(self.id)?.set_protocol_option(1, Setting::Bytes(&[*topic]))?;
            }
            Step::Set(name, value) => {
                let option = SocketOption::find(LEVEL_SOCKET, *name).ok_or(Error::UnknownOption)?;
                enter(self.id)?.set_option(option, Setting::Int(*value))?;
            }
            Step::Share(other) => {
                let (other, _) = self.world.socket(*other).ok_or(Error::Closed)?;
                // The other socket may be closed meanwhile.
                let outcome = enter(self.id)?.share(other);
                outcome
                    .map_err(|error| if error == Error::InvalidArgument { Error::Closed } else { error })?;
            }
            Step::Send(count, size) => (0..*count).try_for_each(|_| self.send(*size, false).map(drop))?,
            Step::TrySend(count, size) => (0..*count).try_for_each(|_| self.send(*size, true).map(drop))?,
            Step::Receive(0) => loop {
                self.receive()?;
            },
            Step::Receive(count) => (0..*count).try_for_each(|_| self.receive().map(drop))?,
            Step::Wait(count, time) => (0..*count).try_for_each(|_| self.wait(*time))?,
            Step::Poll => loop {
                self.poll()?;
            },
            Step::Answer(0) => loop {
                self.answer(0)?;
            },
            Step::Answer(count) => (0..*count).try_for_each(|_| self.answer(0))?,
            Step::AnswerLate(time) => loop {
                self.answer(*time)?;
            },
            Step::Request(size) => self.request(*size)?,
            Step::Answers => loop {
                self.receive_own_answer()?;
            },
            Step::Ask(count, size) => (0..*count).try_for_each(|_| self.ask(*size))?,
            Step::Survey(count, size) => (0..*count).try_for_each(|_| self.survey(*size))?,
            Step::Device(other) => {
                let other = self.world.socket(*other).map_or(-1, |(id, _)| id);
                forwarding::join(self.id, other)?.finish()?;
            }
            Step::Watch(other) => self.watch(*other)?,
            Step::PollAll(sockets) => self.poll_all(sockets)?,
            Step::PollDescriptor => self.poll_descriptor()?,
            Step::PollSend(count, size) => self.poll_send(*count, *size)?,
            Step::Fill(size) => self.fill(*size)?,
            Step::RawAsk(count, size) => self.raw_ask(*count, *size)?,
            Step::RawAnswer => self.raw_answer()?,
            Step::Relay => self.relay()?,
            Step::Tasks(tasks) => self.run_tasks(*tasks)?,
            Step::Sleep(time) => machine::sleep(Duration::from_millis(*time as u64)),
            Step::Close => self.world.close(self.name.0),
        }
        Ok(())
    }

    /// Connects, and waits for the connection if `NN_CONNECT_TIMEO` is set; if there is none in that time, without waiting.
    fn connect(&self, address: &str) -> Result<i32, Error> {
        let longest = enter(self.id)?.timeout(SocketOption::ConnectTimeout);
        let began = running_time();
        let outcome = socket::connect(self.id, address.as_bytes());
        self.world.check_time(began, longest, "nn_connect with a time-out");
        match outcome {
            Err(Error::TimedOut) => enter(self.id)?.connect(address.as_bytes()),
            outcome => outcome,
        }
    }

    /// Checks what `NN_PEER_INFO` says of a message: which connection it has come from.
    pub(super) fn check_peer(&self, received: &Received<'_>) {
        let peer = received.peer();
        if peer
            .as_ref()
            .is_some_and(|peer| peer.pipe != u64::from(received.pipe()) || peer.endpoint.get() < 1)
        {
            machine::fail(format!(
                "{:?} received a message of {:?} from {peer:?}",
                self.name,
                received.pipe()
            ));
        }
        let own = self.world.plan.sockets.iter().find(|socket| socket.number == self.name.0);
        let is_context =
            |(name, step): &(ThreadName, Step)| name.0 == self.name.0 && matches!(step, Step::Share(_));
        let is_described = own.is_some_and(|own| own.option(SocketOption::PeerInfo) == Some(1));
        if peer.is_none() && is_described && !self.world.plan.steps.iter().any(is_context) {
            machine::fail(format!("{:?} received a message that is not described", self.name));
        }
    }

    /// Calls until there is a descriptor for it.
    fn retry<T>(&self, mut call: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
        loop {
            match call() {
                Err(Error::Os(libc::EMFILE)) => machine::sleep(Duration::from_millis(10)),
                done => return done,
            }
        }
    }

    /// Sends a message. Returns its id; `None` if there was no room for it.
    pub(super) fn send(&self, size: usize, dont_wait: bool) -> Result<Option<Id>, Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let bytes = encode(topic(id), PLAIN, id, size);
        let began = running_time();
        let sent = socket::send(self.id, &mut Outgoing::new(Payload::Borrowed(&bytes)), dont_wait);
        expect(self.world.ledger.borrow_mut().note_sent(id, sent.is_ok()));
        match sent {
            Ok(()) => Ok(Some(id)),
            Err(Error::WouldBlock) if dont_wait => Ok(None),
            Err(Error::OutOfMemory) if self.world.plan.machine.lacking_every > 0 => Ok(None),
            Err(Error::TimedOut) => {
                let longest = enter(self.id)?.timeout(SocketOption::SendTimeout);
                self.world.check_time(began, longest, "a send with a time-out");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn receive(&self) -> Result<(), Error> {
        self.receive_with(false)
    }

    pub(super) fn receive_with(&self, dont_wait: bool) -> Result<(), Error> {
        match socket::recv(self.id, dont_wait, |received| self.note(&received)) {
            Err(Error::WouldBlock) if dont_wait => Ok(()),
            other => other,
        }
    }

    /// Checks a message that was received, and notes it.
    pub(super) fn note(&self, received: &Received<'_>) {
        self.check_peer(received);
        let pipe = received.pipe();
        let (first, second) = received.body();
        let bytes = [first, second].concat();
        let checked = decode(&bytes).and_then(|(kind, id)| {
            self.check_topic(bytes[0])?;
            if kind != PLAIN {
                return Err(format!("{:?} received an answer", self.name));
            }
            self.check_size(bytes.len())?;
            self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, pipe, id)
        });
        expect(checked);
    }

    fn check_topic(&self, topic: u8) -> Result<(), String> {
        let is_wanted =
            self.protocol.name != "sub" || self.world.topics.borrow().contains(&(self.name.0, topic));
        if is_wanted { Ok(()) } else { Err(format!("{:?} received the topic {topic}", self.name)) }
    }

    /// Checks that a message of so many bytes is not longer than `NN_RCVMAXSIZE`.
    fn check_size(&self, size: usize) -> Result<(), String> {
        let options = self.world.plan.sockets.iter().find(|socket| socket.number == self.name.0);
        let most = options.and_then(|socket| socket.option(SocketOption::MaxMessage));
        if most.is_some_and(|most| size > most as usize) {
            return Err(broken(
                "memory is allocated for a length that is not allowed",
                &format!("{size} bytes"),
            ));
        }
        Ok(())
    }

    /// Waits for a message for a time.
    fn wait(&self, time: usize) -> Result<(), Error> {
        enter(self.id)?.set_option(SocketOption::ReceiveTimeout, Setting::Int(time as i32))?;
        let (began, running) = (now(), running_time());
        let outcome = match self.receive() {
            Err(Error::TimedOut) => {
                self.world.check_time(
                    running,
                    Some(Duration::from_millis(time as u64)),
                    "a call with a time-out",
                );
                if now() < began + Duration::from_millis(time as u64) {
                    machine::fail(format!("{:?}: a time-out came too early", self.name));
                }
                Ok(())
            }
            other => other,
        };
        enter(self.id)?.set_option(SocketOption::ReceiveTimeout, Setting::Int(-1))?;
        outcome
    }

    fn poll(&self) -> Result<(), Error> {
        if Polling::new(vec![entry(self.id, true)], Some(Duration::from_secs(60)), false)?.finish()? > 0 {
            self.receive_with(true)?;
        }
        Ok(())
    }

    /// Receives a request, and answers it after so many milliseconds.
    fn answer(&self, time: usize) -> Result<(), Error> {
        let received = socket::recv(self.id, false, |received| {
            let (first, second) = received.body();
            let bytes = [first, second].concat();
            self.check_peer(&received);
            let pipe = received.pipe();
            let noted = decode(&bytes).and_then(|(_, id)| {
                self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, pipe, id)
            });
            expect(noted);
            bytes
        });
        let mut bytes = match received {
            Err(Error::TimedOut) => return Ok(()),
            received => received?,
        };
        if time > 0 {
            machine::sleep(Duration::from_millis(time as u64));
        }
        if let Some(kind) = bytes.get_mut(1) {
            *kind = self.answer_kind();
        }
        match socket::send(self.id, &mut Outgoing::new(Payload::Borrowed(&bytes)), false) {
            // Another thread of the socket has taken a request in between.
            Err(Error::WrongState) => Ok(()),
            // The question comes again.
            Err(Error::OutOfMemory) if self.world.plan.machine.lacking_every > 0 => Ok(()),
            sent => sent,
        }
    }

    /// The kind of the answers of this socket.
    pub(super) fn answer_kind(&self) -> u8 {
        ANSWER + self.name.0 as u8
    }

    /// Receives an answer and returns the number of the socket that gave it.
    fn receive_answer(&self, question: Id) -> Result<u8, Error> {
        socket::recv(self.id, false, |received| {
            self.check_peer(&received);
            let (first, second) = received.body();
            match decode(&[first, second].concat()) {
                Ok((kind, id)) if id == question && kind >= ANSWER => kind - ANSWER,
                Ok((kind, id)) => {
                    let what = format!("the answer to {question:?} is one to {id:?} of kind {kind}");
                    machine::fail(broken(ANSWERED, &what));
                    0
                }
                Err(failure) => {
                    machine::fail(failure);
                    0
                }
            }
        })
    }

    /// Sends a request from a raw socket.
    fn request(&self, size: usize) -> Result<(), Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let bytes = encode(0, PLAIN, id, size);
        let mut message = Outgoing::new(Payload::Borrowed(&bytes));
        // A number of the request, in the last word of a backtrace.
        message.header = ProtocolHeader::from_slice(&(0x8000_0000 | id.number).to_be_bytes());
        let sent = socket::send(self.id, &mut message, true);
        expect(self.world.ledger.borrow_mut().note_sent(id, sent.is_ok()));
        match sent {
            Err(Error::WouldBlock) => Ok(()),
            sent => sent,
        }
    }

    /// Receives an answer at a raw socket, which must be one to a request of this socket.
    fn receive_own_answer(&self) -> Result<(), Error> {
        socket::recv(self.id, false, |received| {
            let (first, second) = received.body();
            let checked = decode(&[first, second].concat()).and_then(|(_, id)| {
                if id.sender.0 == self.name.0 {
                    return Ok(());
                }
                Err(format!("{:?} received the answer to the request {id:?} of another socket", self.name))
            });
            expect(checked);
        })
    }

    fn ask(&self, size: usize) -> Result<(), Error> {
        let Some(question) = self.send(size, false)? else { return Ok(()) };
        let began = running_time();
        match self.receive_answer(question) {
            Err(Error::TimedOut) => {
                let longest = enter(self.id)?.timeout(SocketOption::ReceiveTimeout);
                self.world.check_time(began, longest, "a request with a time-out");
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    fn survey(&self, size: usize) -> Result<(), Error> {
        let Some(question) = self.send(size, false)? else { return Ok(()) };
        let (began, deadline) = (running_time(), self.deadline()?);
        let mut answered = BTreeSet::new();
        loop {
            let outcome = self.receive_answer(question);
            self.world.check_time(began, Some(deadline), "a survey, with its answers,");
            match outcome {
                Ok(respondent) if answered.insert(respondent) || self.world.plan.has_ring => {}
                Ok(respondent) => {
                    machine::fail(broken(ANSWERED, &format!("{respondent} has answered {question:?} twice")))
                }
                // The deadline has passed, if no shorter time-out has.
                Err(Error::TimedOut) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// `NN_SURVEYOR_DEADLINE`.
    fn deadline(&self) -> Result<Duration, Error> {
        Ok(Duration::from_millis(enter(self.id)?.protocol_option(SURVEY_DEADLINE)? as u64))
    }
}
