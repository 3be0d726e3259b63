//! A world: the threads of a plan, on a simulated machine.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::ledger::{Id, Ledger, broken, decode, encode};
use super::plan::{Check, Fault, Plan, SocketPlan, Step, ThreadName};
use super::strangers::{self, Stranger};
use crate::device;
use crate::error::Error;
use crate::machine::{self, Outcome, Place, running_time};
use crate::message::{Outgoing, Payload, ProtocolHeader};
use crate::option::{LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, Setting, SocketOption};
use crate::protocol::{ProtocolInfo, SURVEY_DEADLINE};
use crate::socket::poll::{PollEntry, Polling};
use crate::socket::{self, BlockingCall, enter};
use crate::sync::now;

/// A program that has not ended after this time never will.
const LONGEST: Duration = Duration::from_secs(5 * 3600);
/// After this time without a new message, each that is delivered at all has been.
const QUIET: Duration = Duration::from_secs(10);
/// The row of docs/RELIABILITY.md on answers.
pub(super) const ANSWERED: &str = "REP, RESPONDENT: an answer reaches only the peer that asked";
/// The kinds of messages: those that are sent, and the answers, to which the number of the socket is added.
const PLAIN: u8 = 1;
pub(super) const ANSWER: u8 = 2;

/// An idle world is watched for this time.
const IDLE: Duration = Duration::from_secs(3600);
/// The steps that it may take in that time: the I/O thread looks around every 5 s, and programs that poll every minute.
const IDLE_STEPS: u64 = 10_000;

/// What the threads of a world share.
pub(super) struct World {
    pub(super) plan: Plan,
    /// The sockets that were opened.
    pub(super) ids: RefCell<BTreeMap<usize, (i32, &'static ProtocolInfo)>>,
    /// Those that a thread has begun to open.
    opening: RefCell<BTreeSet<usize>>,
    /// Those that a thread has begun to close.
    closed: RefCell<BTreeSet<usize>>,
    began: Duration,
    /// The places of links that were damaged.
    damaged: RefCell<BTreeSet<String>>,
    /// All links may be damaged.
    is_damaged: Cell<bool>,
    pub(super) ledger: RefCell<Ledger>,
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

/// Lives the world of a plan, on a machine that runs.
pub(super) fn live(plan: Plan) {
    let ordered = plan.checks.iter().filter_map(|check| match check {
        Check::PipeOrder(socket) => Some(*socket),
        _ => None,
    });
    let ledger = Ledger::new(ordered.collect(), plan.has_ring);
    let world = Rc::new(World {
        plan,
        ids: RefCell::default(),
        opening: RefCell::default(),
        closed: RefCell::default(),
        began: now(),
        damaged: RefCell::default(),
        is_damaged: Cell::new(false),
        ledger: RefCell::new(ledger),
        topics: RefCell::default(),
        endpoints: RefCell::default(),
        current: RefCell::default(),
    });
    world.plan.sockets.iter().filter(|wanted| wanted.opens.is_zero()).for_each(|wanted| world.open(wanted));
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
    let faults = machine::spawn("faults", move || faults(&own));
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
    if world.plan.checks.contains(&Check::Idle) {
        world.idle(endless.len() as u64);
    }
    world.end();
    endless.into_iter().for_each(|(_, _, thread)| thread.join());
    let damaged = world.damaged_sockets();
    let checked = world.plan.checks.iter().try_for_each(|check| match check {
        Check::Order(socket) | Check::Delivery(socket) | Check::NoGap(socket) if damaged.contains(socket) => {
            Ok(())
        }
        Check::Order(socket) => world.ledger.borrow().check_order(*socket),
        Check::Delivery(socket) => world.ledger.borrow().check_delivery(*socket),
        Check::NoGap(socket) => {
            let wants = |receiver, id: Id| {
                world.plan.protocol(receiver).is_none_or(|protocol| protocol.name != "sub")
                    || world.topics.borrow().contains(&(receiver, topic(id)))
            };
            world.ledger.borrow().check_no_gap(*socket, wants)
        }
        Check::PipeOrder(_) | Check::Idle => Ok(()),
        Check::Fair(socket) => world.ledger.borrow().check_fairness(*socket),
        Check::Prompt(socket, most) => {
            world.ledger.borrow().check_promptness(*socket, Duration::from_micros(*most))
        }
    });
    expect(checked);
}

/// The topic of a message.
pub(super) fn topic(id: Id) -> u8 {
    id.number as u8 % 4
}

pub(super) fn expect(checked: Result<(), String>) {
    if let Err(failure) = checked {
        machine::fail(failure);
    }
}

impl World {
    /// Opens a socket, unless another thread does.
    fn open(&self, wanted: &SocketPlan) {
        if !self.opening.borrow_mut().insert(wanted.number) {
            return machine::sleep(Duration::from_millis(1));
        }
        // The number of a closed socket is given again: none of its programs may still use it.
        while self.current.borrow().keys().any(|name| self.closed.borrow().contains(&name.0)) {
            machine::sleep(Duration::from_millis(1));
        }
        // After nn_term there is none, which is as good as one that is closed.
        let id = socket::open_protocol(Some(wanted.protocol), wanted.is_raw).unwrap_or(-1);
        if let Ok(call) = enter(id) {
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
        self.ids.borrow_mut().insert(wanted.number, (id, wanted.protocol));
    }

    /// The id of a socket, when its time has come; `None` without such a socket, or when it is closed.
    pub(super) fn socket(&self, number: usize) -> Option<(i32, &'static ProtocolInfo)> {
        let wanted = self.plan.sockets.iter().find(|socket| socket.number == number)?;
        machine::sleep((self.began + wanted.opens).saturating_sub(now()));
        while !self.ids.borrow().contains_key(&number) {
            self.open(wanted);
        }
        let open = self.ids.borrow().get(&number).copied();
        open.filter(|_| !self.closed.borrow().contains(&number))
    }

    /// Closes all sockets that are open.
    fn end(&self) {
        if self.plan.ends_by_term {
            return self.terminate();
        }
        let numbers: Vec<_> = self.ids.borrow().keys().copied().collect();
        numbers.into_iter().for_each(|number| self.close(number));
    }

    fn terminate(&self) {
        let (began, linger) = (running_time(), self.longest_linger());
        socket::terminate();
        self.check_time(began, linger, "nn_term");
    }

    fn close(&self, number: usize) {
        let Some(&(id, _)) = self.ids.borrow().get(&number) else { return };
        if !self.closed.borrow_mut().insert(number) {
            return;
        }
        let Ok(call) = enter(id) else { return };
        let linger = call.timeout(SocketOption::Linger);
        drop(call);
        let began = running_time();
        _ = socket::close(id);
        self.check_time(began, linger, "nn_close");
    }

    /// Passes an hour in which nothing is sent, and checks that hardly a thread runs, of which so many wait in a call.
    fn idle(&self, waiting: u64) {
        let before = machine::steps();
        machine::sleep(IDLE);
        let taken = machine::steps() - before;
        let most = IDLE_STEPS * (1 + waiting);
        if taken > most {
            machine::fail(broken(
                "an idle world uses no processor",
                &format!("{taken} steps in an idle hour"),
            ));
        }
    }

    /// The sockets that may have lost something because of a damaged link.
    pub(super) fn damaged_sockets(&self) -> BTreeSet<usize> {
        let plan = &self.plan;
        if self.is_damaged.get() {
            return plan.sockets.iter().map(|socket| socket.number).collect();
        }
        let mut damaged = BTreeSet::new();
        let mut doors = self.damaged.borrow().clone();
        loop {
            let before = (damaged.len(), doors.len());
            for (ThreadName(socket, _), step) in &plan.steps {
                match step {
                    Step::Bind(address) | Step::Connect(address) => {
                        if doors.contains(&door(address)) {
                            damaged.insert(*socket);
                        } else if damaged.contains(socket) {
                            doors.insert(door(address));
                        }
                    }
                    Step::Device(other) if damaged.contains(socket) || damaged.contains(other) => {
                        damaged.extend([*socket, *other]);
                    }
                    _ => {}
                }
            }
            if before == (damaged.len(), doors.len()) {
                return damaged;
            }
        }
    }

    fn damage(&self, link: usize) {
        let door = match machine::place(link) {
            Some(Place::Port(port)) => port.to_string(),
            Some(Place::Path(path)) => path.display().to_string(),
            Some(Place::Nowhere) | None => return,
        };
        self.damaged.borrow_mut().insert(door);
    }

    /// The longest time that a close may take; `None` without a limit.
    fn longest_linger(&self) -> Option<Duration> {
        let ids: Vec<_> = self.ids.borrow().values().copied().collect();
        let lingers =
            ids.iter().filter_map(|(id, _)| enter(*id).ok()).map(|call| call.timeout(SocketOption::Linger));
        lingers.fold(Some(Duration::ZERO), |longest, linger| Some(longest?.max(linger?)))
    }

    /// Checks that a call which began at `began`, in [`running_time`], has not taken much longer than `longest`.
    pub(super) fn check_time(&self, began: Duration, longest: Option<Duration>, what: &str) {
        let taken = running_time() - began;
        if longest.is_some_and(|longest| taken > longest + self.slack()) {
            machine::fail(broken(
                "a call exceeds its timeout, nn_close NN_LINGER",
                &format!("{what} took {taken:?} instead of {longest:?}"),
            ));
        }
    }

    /// How late anything may be because of the machine: each of its threads may run before.
    pub(super) fn slack(&self) -> Duration {
        if cfg!(shuttle) {
            return LONGEST;
        }
        let settings = &self.plan.machine;
        20 * settings.latest_timer + 2000 * settings.longest_step + Duration::from_millis(200)
    }

    fn program(&self, name: ThreadName, steps: Vec<Step>) {
        let Some((id, protocol)) = self.socket(name.0) else { return };
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

    /// Lets something fail.
    fn fail(&self, fault: Fault) {
        let links = machine::streams();
        let link = |number: usize| links.get(number % links.len().max(1)).copied();
        if let Fault::Reset(number) | Fault::Cut(number) | Fault::HalfClose(number) = fault {
            link(number).into_iter().for_each(|link| self.damage(link));
        }
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
            Fault::Peer(address, protocol, manner) => {
                let may_be_refused = self.may_be_refused(&address, protocol);
                let stranger = Stranger { address: &address, protocol, manner, may_be_refused };
                strangers::visit(&stranger, self.slack());
            }
            Fault::Descriptors(count, time) => {
                machine::limit_descriptors(count);
                machine::sleep(Duration::from_millis(time as u64));
                machine::limit_descriptors(self.plan.machine.descriptors);
            }
            Fault::Suspend(time) => {
                self.is_damaged.set(true);
                machine::suspend(Duration::from_millis(time as u64));
            }
            Fault::Exit => {
                for _ in 0..50 {
                    socket::write_at_exit();
                    machine::sleep(Duration::from_micros(machine::below(1000)));
                }
            }
            Fault::Term => {
                self.is_damaged.set(true);
                self.terminate();
            }
        }
    }

    /// Whether a stranger may be disconnected, or not accepted, for another reason than its manner: a PAIR refuses any if it
    /// has its peer.
    fn may_be_refused(&self, address: &str, protocol: &ProtocolInfo) -> bool {
        let steps = &self.plan.steps;
        let binds = |step: &Step| matches!(step, Step::Bind(other) if other == address);
        let binder = steps.iter().find(|(_, step)| binds(step)).map(|(name, _)| name.0);
        let leaves = |(name, step): &(ThreadName, Step)| {
            Some(name.0) == binder && matches!(step, Step::Leave | Step::Close)
        };
        let is_rare = |fault: &Fault| {
            matches!(
                fault,
                Fault::Term | Fault::NoDescriptors(_) | Fault::Descriptors(..) | Fault::Suspend(_)
            )
        };
        self.plan.machine.scarce_every > 0
            || protocol.is_exclusive
            || steps.iter().any(leaves)
            || self.plan.faults.iter().any(|(_, fault)| is_rare(fault))
    }
}

/// Lets everything fail that the plan wants, each at its time.
fn faults(world: &Rc<World>) {
    let threads = world.plan.faults.iter().map(|(moment, fault)| {
        let (world, moment, fault) = (world.clone(), *moment, fault.clone());
        machine::spawn("fault", move || {
            machine::sleep((world.began + moment).saturating_sub(now()));
            world.fail(fault);
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().for_each(machine::Thread::join);
}

/// What all sockets have in common that use an address.
fn door(address: &str) -> String {
    match address.split_once("://") {
        Some(("tcp" | "ws", rest)) => {
            let end = rest.rfind(':').map_or("", |colon| &rest[colon + 1..]);
            end.split('/').next().unwrap_or_default().to_owned()
        }
        Some(("ipc", path)) => path.to_owned(),
        _ => address.to_owned(),
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
pub(super) struct Program<'a> {
    pub(super) world: &'a World,
    pub(super) name: ThreadName,
    pub(super) id: i32,
    pub(super) protocol: &'static ProtocolInfo,
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
                let began = running_time();
                oldest.map_or(Ok(()), |endpoint| enter(self.id)?.shutdown(endpoint))?;
                self.world.check_time(began, Some(Duration::ZERO), "nn_shutdown");
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
                device::join(self.id, other)?.finish()?;
            }
            Step::PollAll(sockets) => self.poll_all(sockets)?,
            Step::PollDescriptor => self.poll_descriptor()?,
            Step::PollSend(count, size) => self.poll_send(*count, *size)?,
            Step::Fill(size) => self.fill(*size)?,
            Step::RawAsk(count, size) => self.raw_ask(*count, *size)?,
            Step::RawAnswer => self.raw_answer()?,
            Step::Relay => self.relay()?,
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
    pub(super) fn send(&self, size: usize, dont_wait: bool) -> Result<Option<Id>, Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let bytes = encode(topic(id), PLAIN, id, size);
        let began = running_time();
        let sent = socket::send(self.id, &mut Outgoing::new(Payload::Borrowed(&bytes)), dont_wait);
        expect(self.world.ledger.borrow_mut().note_sent(id, sent.is_ok()));
        match sent {
            Ok(()) => Ok(Some(id)),
            Err(Error::WouldBlock) if dont_wait => Ok(None),
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
        let received = socket::recv(self.id, dont_wait, |received| {
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
        let entry = PollEntry {
            socket: self.id,
            readable: true,
            writable: false,
            is_readable: false,
            is_writable: false,
        };
        if Polling::new(vec![entry], Some(Duration::from_secs(60)), false)?.finish()? > 0 {
            self.receive_with(true)?;
        }
        Ok(())
    }

    /// Receives a request, and answers it after so many milliseconds.
    fn answer(&self, time: usize) -> Result<(), Error> {
        let received = socket::recv(self.id, false, |received| {
            let (first, second) = received.body();
            let bytes = [first, second].concat();
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
