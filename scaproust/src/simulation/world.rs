//! A world: the threads of a plan, on a simulated machine.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::ledger::{Id, Ledger, broken};
use super::plan::{Check, Fault, Plan, SocketPlan, Step, ThreadName};
use super::program::{Program, topic};
use super::strangers::{self, Stranger};
use crate::AnySocket;
use crate::error::Error;
use crate::machine::{self, Outcome, Place, running_time};
use crate::option::{LEVEL_SOCKET, LEVEL_TCP, LEVEL_WS, Setting, SocketOption};
use crate::protocol::ProtocolInfo;
use crate::socket::{self, enter};
use crate::sync::now;

/// A program that has not ended after this time never will.
const LONGEST: Duration = Duration::from_secs(5 * 3600);
/// After this time without a new message, each that is delivered at all has been.
const QUIET: Duration = Duration::from_secs(10);
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
    /// How many threads are opening one.
    opens_now: Cell<u32>,
    /// Those that a thread has begun to close.
    pub(super) closed: RefCell<BTreeSet<usize>>,
    began: Duration,
    /// The places of links that were damaged.
    damaged: RefCell<BTreeSet<String>>,
    /// All links may be damaged.
    is_damaged: Cell<bool>,
    pub(super) ledger: RefCell<Ledger>,
    pub(super) topics: RefCell<BTreeSet<(usize, u8)>>,
    pub(super) endpoints: RefCell<BTreeMap<usize, Vec<i32>>>,
    /// The sockets that watch others, until these are closed.
    pub(super) watchers: RefCell<BTreeSet<usize>>,
    /// The step in which each thread is.
    pub(super) current: RefCell<BTreeMap<ThreadName, Step>>,
    /// The sockets at which tasks work.
    pub(super) sockets_of_tasks: RefCell<BTreeMap<usize, Rc<AnySocket>>>,
}

/// Runs a plan.
pub(super) fn run(plan: &Plan) -> Outcome {
    let settings = plan.machine.clone();
    let plan = plan.clone();
    machine::run(settings, || live(plan), crate::sync::forget_world)
}

/// Runs the world of a plan, on a machine that runs already.
pub(super) fn live(plan: Plan) {
    let ordered = plan.checks.iter().filter_map(|check| match check {
        Check::PipeOrder(socket) => Some(*socket),
        _ => None,
    });
    let ledger = Ledger::new(ordered.collect(), plan.has_ring);
    let damaged = doors_without_memory(&plan);
    let world = Rc::new(World {
        plan,
        ids: RefCell::default(),
        opening: RefCell::default(),
        opens_now: Cell::default(),
        closed: RefCell::default(),
        began: now(),
        damaged: RefCell::new(damaged),
        is_damaged: Cell::default(),
        ledger: RefCell::new(ledger),
        topics: RefCell::default(),
        endpoints: RefCell::default(),
        watchers: RefCell::default(),
        current: RefCell::default(),
        sockets_of_tasks: RefCell::default(),
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
    world.check_wakers();
    world.check_statistics();
    world.end();
    endless.into_iter().for_each(|(_, _, thread)| thread.join());
    let damaged = world.damaged_sockets();
    let may_lose_old = world.plan.machine.lacking_every > 0;
    let checked = world.plan.checks.iter().try_for_each(|check| match check {
        Check::Order(socket)
        | Check::Delivery(socket)
        | Check::Newest(socket)
        | Check::NoGap(socket)
        | Check::SendPriority(socket)
        | Check::ReceivePriority(socket)
            if damaged.contains(socket) =>
        {
            Ok(())
        }
        // What drops old messages for a new one copies that.
        Check::Newest(_) | Check::NoGap(_) if may_lose_old => Ok(()),
        Check::Order(socket) => world.ledger.borrow().check_order(*socket),
        Check::Delivery(socket) => world.ledger.borrow().check_delivery(*socket),
        Check::Newest(socket) => world.ledger.borrow().check_newest(*socket),
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
        Check::SendPriority(socket) => {
            let priorities = world.plan.priorities(*socket, SocketOption::SendPriority);
            world.ledger.borrow().check_send_priority(*socket, &priorities)
        }
        Check::ReceivePriority(socket) => {
            let priorities = world.plan.priorities(*socket, SocketOption::ReceivePriority);
            world.ledger.borrow().check_receive_priority(*socket, &priorities)
        }
        Check::Rounds(socket, most) => world.ledger.borrow().check_rounds(*socket, *most),
    });
    expect(checked);
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
        // Nor may one be closed meanwhile.
        self.opens_now.set(self.opens_now.get() + 1);
        // After nn_term there is none, which is as good as one that is closed.
        let id = socket::open_protocol(Some(wanted.protocol), wanted.is_raw).unwrap_or(-1);
        self.opens_now.set(self.opens_now.get() - 1);
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
        let (watchers, watched): (Vec<_>, Vec<_>) =
            self.ids.borrow().keys().partition(|number| self.watchers.borrow().contains(number));
        watched.into_iter().for_each(|number| self.close(number));
        for number in watchers {
            self.await_last_event(number);
            self.close(number);
        }
    }

    /// Waits until a socket that watches another one, which is closed, has received the last event.
    fn await_last_event(&self, number: usize) {
        let deadline = now() + QUIET.max(self.slack());
        while self.watchers.borrow().contains(&number) {
            if now() > deadline {
                return machine::fail(format!("the socket {number} waits for events of a closed one"));
            }
            machine::sleep(Duration::from_millis(1));
        }
    }

    fn terminate(&self) {
        let (began, linger) = (running_time(), self.longest_linger());
        socket::terminate();
        self.check_time(began, linger, "nn_term");
    }

    /// Whether a thread is opening a socket: then none may be closed, as its number would be given to the new one.
    pub(super) fn is_opening(&self) -> bool {
        self.opens_now.get() > 0
    }

    /// Notes that a socket with this id is being closed. Returns its linger time.
    pub(super) fn begin_closing(&self, number: usize, id: i32) -> Result<Option<Duration>, Error> {
        self.closed.borrow_mut().insert(number);
        Ok(enter(id)?.timeout(SocketOption::Linger))
    }

    pub(super) fn close(&self, number: usize) {
        let Some(&(id, _)) = self.ids.borrow().get(&number) else { return };
        while self.is_opening() {
            machine::sleep(Duration::from_millis(1));
        }
        if self.closed.borrow().contains(&number) {
            return;
        }
        let Ok(linger) = self.begin_closing(number, id) else { return };
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
            // The connect takes longer than the world waits for messages that are late.
            Some(Place::Nowhere | Place::Removed(_)) => return self.is_damaged.set(true),
            None => return,
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

    fn program(self: &Rc<Self>, name: ThreadName, steps: Vec<Step>) {
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
            Fault::Unlink(path, time) => strangers::take_place(&path, Duration::from_millis(time as u64)),
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
            Some(name.0) == binder && (*step == Step::Leave || step.closes())
        };
        let is_rare = |fault: &Fault| {
            matches!(
                fault,
                Fault::Term | Fault::NoDescriptors(_) | Fault::Descriptors(..) | Fault::Suspend(_)
            )
        };
        self.plan.machine.scarce_every > 0
            || self.plan.machine.lacking_every > 0
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

/// The doors that lose a connection when there is no memory for a message that comes: all but those of inproc, where the sender's call
/// fails instead.
fn doors_without_memory(plan: &Plan) -> BTreeSet<String> {
    let lacks_memory = plan.machine.lacking_every > 0;
    let address = |(_, step): &(ThreadName, Step)| match step {
        Step::Bind(address) | Step::Connect(address) if lacks_memory => Some(door(address)),
        _ => None,
    };
    plan.steps.iter().filter_map(address).filter(|door| !door.starts_with("inproc:")).collect()
}

/// What all sockets have in common that use an address.
pub(super) fn door(address: &str) -> String {
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
