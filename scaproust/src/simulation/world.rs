//! A world: the threads of a plan, on a simulated machine.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::ledger::{Id, Ledger, decode, encode};
use super::plan::{Check, Fault, Plan, Step, ThreadName};
use crate::device;
use crate::error::Error;
use crate::machine::{self, Outcome, Place};
use crate::message::{Outgoing, Payload};
use crate::option::{LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, Setting, SocketOption};
use crate::protocol::ProtocolInfo;
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{self, BlockingCall, enter};
use crate::sync::now;

/// A program that has not ended after this time never will.
const LONGEST: Duration = Duration::from_secs(2 * 3600);
/// After this time without a new message, each that is delivered at all has been.
const QUIET: Duration = Duration::from_secs(10);
/// The kinds of messages: those that are sent, and the answers, to which the number of the socket is added.
const PLAIN: u8 = 1;
const ANSWER: u8 = 2;

/// What the threads of a world share.
struct World {
    plan: Plan,
    ids: BTreeMap<usize, (i32, &'static ProtocolInfo)>,
    ledger: RefCell<Ledger>,
    topics: RefCell<BTreeSet<(usize, u8)>>,
    endpoints: RefCell<BTreeMap<usize, Vec<i32>>>,
    /// The step in which each thread is.
    current: RefCell<BTreeMap<ThreadName, Step>>,
}

/// Runs a plan.
pub(super) fn run(plan: &Plan) -> Outcome {
    let settings = plan.machine.clone();
    let plan = plan.clone();
    machine::run(settings, || live(plan), crate::sync::forget_world)
}

fn live(plan: Plan) {
    let mut ids = BTreeMap::new();
    for wanted in &plan.sockets {
        let id = socket::open_protocol(Some(wanted.protocol), wanted.is_raw).expect("few sockets are open");
        ids.insert(wanted.number, (id, wanted.protocol));
        let call = enter(id).expect("it has just been opened");
        for (level, name, value) in &wanted.options {
            let set = match SocketOption::find(*level, *name)
                .filter(|_| [LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS].contains(level))
            {
                Some(option) => call.set_option(option, Setting::Int(*value)),
                None => call.set_protocol_option(*name, Setting::Int(*value)),
            };
            set.expect("the plan has valid options");
        }
    }
    let world = Rc::new(World {
        plan,
        ids,
        ledger: RefCell::default(),
        topics: RefCell::default(),
        endpoints: RefCell::default(),
        current: RefCell::default(),
    });
    let mut programs: BTreeMap<ThreadName, Vec<Step>> = BTreeMap::new();
    for (name, step) in &world.plan.steps {
        programs.entry(*name).or_default().push(step.clone());
    }
    let mut threads = Vec::new();
    for (name, steps) in programs {
        let is_endless = steps.iter().any(Step::is_endless);
        let own = world.clone();
        let title = format!("program {}.{}", name.0, name.1);
        let thread = machine::spawn(&title, move || own.program(name, steps));
        threads.push((name, is_endless, thread));
    }
    let own = world.clone();
    let faults = machine::spawn("faults", move || own.faults());
    let (endless, finite): (Vec<_>, Vec<_>) = threads.into_iter().partition(|(_, is_endless, _)| *is_endless);
    let deadline = now() + LONGEST;
    for (name, _, thread) in finite {
        thread.join_until(deadline);
        if !thread.has_ended() {
            let step = world.current.borrow().get(&name).cloned();
            return machine::fail(format!(
                "the thread {}.{} does not end its step: {step:?}",
                name.0, name.1
            ));
        }
    }
    faults.join();
    let mut received = None;
    while received != Some(world.ledger.borrow().count_received()) {
        received = Some(world.ledger.borrow().count_received());
        machine::sleep(QUIET);
    }
    world.end();
    endless.into_iter().for_each(|(_, _, thread)| thread.join());
    let checked = world.plan.checks.iter().try_for_each(|check| match check {
        Check::Order => world.ledger.borrow().check_order(),
        Check::Delivery(socket) => world.ledger.borrow().check_delivery(*socket),
        Check::NoGap(socket) => world.ledger.borrow().check_no_gap(*socket),
    });
    expect(checked);
}

fn expect(checked: Result<(), String>) {
    if let Err(failure) = checked {
        machine::fail(failure);
    }
}

impl World {
    /// Closes all sockets that are open.
    fn end(&self) {
        if self.plan.ends_by_term {
            let (began, linger) = (now(), self.longest_linger());
            socket::terminate();
            return self.check_time(began, linger, "nn_term");
        }
        for number in self.ids.keys() {
            self.close(*number);
        }
    }

    fn close(&self, number: usize) {
        let (id, _) = self.ids[&number];
        let Ok(call) = enter(id) else { return };
        let linger = call.timeout(SocketOption::Linger);
        drop(call);
        let began = now();
        _ = socket::close(id);
        self.check_time(began, linger, "nn_close");
    }

    /// The longest time that a close may take; `None` without a limit.
    fn longest_linger(&self) -> Option<Duration> {
        let lingers = self
            .ids
            .values()
            .filter_map(|(id, _)| enter(*id).ok())
            .map(|call| call.timeout(SocketOption::Linger));
        lingers.fold(Some(Duration::ZERO), |longest, linger| Some(longest?.max(linger?)))
    }

    /// Checks that a call which began at `began` has not taken much longer than `longest`.
    fn check_time(&self, began: Duration, longest: Option<Duration>, what: &str) {
        let taken = now() - began;
        if longest.is_some_and(|longest| taken > longest + self.slack()) {
            machine::fail(format!("{what} took {taken:?} instead of {longest:?}"));
        }
    }

    /// How late anything may be because of the machine: each of its threads may run before.
    fn slack(&self) -> Duration {
        let settings = &self.plan.machine;
        20 * settings.latest_timer + 2000 * settings.longest_step + Duration::from_millis(200)
    }

    fn program(&self, name: ThreadName, steps: Vec<Step>) {
        let Some(&(id, protocol)) = self.ids.get(&name.0) else { return };
        for step in steps {
            self.current.borrow_mut().insert(name, step.clone());
            let thread = Program { world: self, name, id, protocol };
            match thread.perform(&step) {
                Ok(()) => {}
                Err(Error::Closed | Error::Terminated) => break,
                Err(error) => return machine::fail(format!("{name:?}: {step} failed: {error}")),
            }
        }
        self.current.borrow_mut().remove(&name);
    }

    fn faults(&self) {
        let mut faults = self.plan.faults.clone();
        faults.sort_by_key(|(moment, _)| *moment);
        let began = now();
        for (moment, fault) in faults {
            machine::sleep((began + moment).saturating_sub(now()));
            let links = machine::streams();
            let link = |number: usize| links.get(number % links.len().max(1)).copied();
            match fault {
                Fault::Reset(number) => link(number).into_iter().for_each(machine::reset),
                Fault::Stall(number, time) => {
                    let time = Duration::from_millis(time as u64);
                    link(number).into_iter().for_each(|link| machine::stall(link, number % 2, time));
                }
                Fault::Cut(number) => link(number).into_iter().for_each(machine::cut),
                Fault::HalfClose(number) => {
                    link(number).into_iter().for_each(|link| machine::half_close(link, number % 2));
                }
                Fault::NoNames(time) => {
                    machine::damage_names(true);
                    machine::sleep(Duration::from_millis(time as u64));
                    machine::damage_names(false);
                }
                Fault::NoDescriptors(time) => {
                    machine::limit_descriptors(machine::open_descriptors());
                    machine::sleep(Duration::from_millis(time as u64));
                    machine::limit_descriptors(self.plan.machine.descriptors);
                }
                Fault::Stranger(port, size) => stranger(port, size),
            }
        }
    }
}

/// Connects to a port, sends bytes that mean nothing, and leaves.
fn stranger(port: u16, size: usize) {
    let Ok(stream) = machine::connect(&Place::Port(port)) else { return };
    let mut left = size;
    for _ in 0..100 {
        let bytes: Vec<u8> = (0..left).map(|_| machine::below(256) as u8).collect();
        left -= stream.write(&bytes).unwrap_or(0);
        if left == 0 {
            break;
        }
        machine::sleep(Duration::from_millis(1));
    }
    machine::sleep(Duration::from_millis(machine::below(20)));
}

/// A thread that performs the steps of a plan on a socket.
struct Program<'a> {
    world: &'a World,
    name: ThreadName,
    id: i32,
    protocol: &'static ProtocolInfo,
}

impl Program<'_> {
    fn perform(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Bind(address) => {
                let endpoint = self.retry(|| enter(self.id)?.bind(address.as_bytes()))?;
                self.world.endpoints.borrow_mut().entry(self.name.0).or_default().push(endpoint);
            }
            Step::Connect(address) => {
                let endpoint = self.retry(|| enter(self.id)?.connect(address.as_bytes()))?;
                self.world.endpoints.borrow_mut().entry(self.name.0).or_default().push(endpoint);
            }
            Step::Leave => {
                let oldest = {
                    let mut endpoints = self.world.endpoints.borrow_mut();
                    endpoints.get_mut(&self.name.0).filter(|own| !own.is_empty()).map(|own| own.remove(0))
                };
                oldest.map_or(Ok(()), |endpoint| enter(self.id)?.shutdown(endpoint))?;
            }
            Step::Subscribe(topic) => {
                self.world.topics.borrow_mut().insert((self.name.0, *topic));
                enter(self.id)?.set_protocol_option(1, Setting::Bytes(&[*topic]))?;
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
                self.answer()?;
            },
            Step::Answer(count) => (0..*count).try_for_each(|_| self.answer())?,
            Step::Ask(count, size) => (0..*count).try_for_each(|_| self.ask(*size))?,
            Step::Survey(count, size) => (0..*count).try_for_each(|_| self.survey(*size))?,
            Step::Device(other) => {
                let other = self.world.ids.get(other).map_or(-1, |(id, _)| *id);
                device::join(self.id, other)?.finish()?;
            }
            Step::Sleep(time) => machine::sleep(Duration::from_millis(*time as u64)),
            Step::Close => self.world.close(self.name.0),
        }
        Ok(())
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
    fn send(&self, size: usize, dont_wait: bool) -> Result<Option<Id>, Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let bytes = encode(id.number as u8 % 4, PLAIN, id, size);
        let sent = socket::send(self.id, &mut Outgoing::new(Payload::Borrowed(&bytes)), dont_wait);
        expect(self.world.ledger.borrow_mut().note_sent(id, sent.is_ok()));
        match sent {
            Ok(()) => Ok(Some(id)),
            Err(Error::WouldBlock | Error::TimedOut) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn receive(&self) -> Result<(), Error> {
        self.receive_with(false)
    }

    fn receive_with(&self, dont_wait: bool) -> Result<(), Error> {
        let received = socket::recv(self.id, dont_wait, |received| {
            let (first, second) = received.body();
            let bytes = [first, second].concat();
            let checked = decode(&bytes).and_then(|(kind, id)| {
                self.check_topic(bytes[0])?;
                if kind != PLAIN {
                    return Err(format!("{:?} received an answer", self.name));
                }
                self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, id)
            });
            expect(checked);
        });
        match received {
            Err(Error::WouldBlock) if dont_wait => Ok(()),
            other => other,
        }
    }

    fn check_topic(&self, topic: u8) -> Result<(), String> {
        let is_wanted =
            self.protocol.name != "sub" || self.world.topics.borrow().contains(&(self.name.0, topic));
        if is_wanted { Ok(()) } else { Err(format!("{:?} received the topic {topic}", self.name)) }
    }

    /// Waits for a message for a time.
    fn wait(&self, time: usize) -> Result<(), Error> {
        enter(self.id)?.set_option(SocketOption::ReceiveTimeout, Setting::Int(time as i32))?;
        let began = now();
        let outcome = match self.receive() {
            Err(Error::TimedOut) => {
                self.world.check_time(
                    began,
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
        let entry = PollEntry {
            socket: self.id,
            readable: true,
            writable: false,
            is_readable: false,
            is_writable: false,
        };
        if Polling::new(vec![entry], Some(Duration::from_secs(1)), false)?.finish()? > 0 {
            self.receive_with(true)?;
        }
        Ok(())
    }

    fn answer(&self) -> Result<(), Error> {
        let received = socket::recv(self.id, false, |received| {
            let (first, second) = received.body();
            let bytes = [first, second].concat();
            let noted = decode(&bytes).and_then(|(_, id)| {
                self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, id)
            });
            expect(noted);
            bytes
        });
        let mut bytes = received?;
        if let Some(kind) = bytes.get_mut(1) {
            *kind = ANSWER + self.name.0 as u8;
        }
        match socket::send(self.id, &mut Outgoing::new(Payload::Borrowed(&bytes)), false) {
            // Another thread of the socket has taken a request in between.
            Err(Error::WrongState) => Ok(()),
            sent => sent,
        }
    }

    /// Receives an answer and returns the number of the socket that gave it.
    fn receive_answer(&self, question: Id) -> Result<u8, Error> {
        socket::recv(self.id, false, |received| {
            let (first, second) = received.body();
            match decode(&[first, second].concat()) {
                Ok((kind, id)) if id == question && kind >= ANSWER => kind - ANSWER,
                Ok((kind, id)) => {
                    machine::fail(format!("the answer to {question:?} is one to {id:?} of kind {kind}"));
                    0
                }
                Err(failure) => {
                    machine::fail(failure);
                    0
                }
            }
        })
    }

    fn ask(&self, size: usize) -> Result<(), Error> {
        let Some(question) = self.send(size, false)? else { return Ok(()) };
        self.receive_answer(question).map(drop)
    }

    fn survey(&self, size: usize) -> Result<(), Error> {
        let Some(question) = self.send(size, false)? else { return Ok(()) };
        let mut answered = BTreeSet::new();
        loop {
            match self.receive_answer(question) {
                Ok(respondent) if answered.insert(respondent) => {}
                Ok(respondent) => machine::fail(format!("{respondent} has answered {question:?} twice")),
                Err(Error::TimedOut) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
