//! The random generation of plans.

use std::collections::BTreeMap;
use std::time::Duration;

use super::extras;
use super::plan::{Check, Fault, Plan, SocketPlan, Step, ThreadName};
use super::world::door;
use crate::machine::{BACKLOG, Settings};
use crate::option::{LEVEL_SOCKET, LEVEL_TCP, SocketOption};
use crate::protocol::{PROTOCOLS, ProtocolInfo};
use crate::random::Random;

// Names of options, as in nn.h.
pub(super) const LINGER: i32 = 1;
pub(super) const SEND_BUFFER: i32 = 2;
pub(super) const RECEIVE_BUFFER: i32 = 3;
pub(super) const SEND_TIMEOUT: i32 = 4;
pub(super) const RECEIVE_TIMEOUT: i32 = 5;
pub(super) const RECONNECT_INTERVAL: i32 = 6;
pub(super) const RECONNECT_INTERVAL_MAX: i32 = 7;
pub(super) const SEND_PRIORITY: i32 = 8;
pub(super) const RECEIVE_PRIORITY: i32 = 9;
const IPV4_ONLY: i32 = 14;
pub(super) const MAX_MESSAGE: i32 = 16;
pub(super) const MAX_HOPS: i32 = 17;
/// `NN_REQ_RESEND_IVL`, at the level of REQ.
const RESEND_INTERVAL: i32 = 1;
/// The most sockets of a world.
const SOCKETS: usize = 50;

/// Mixed into the seed for the choice of worlds of [`Generator::special`].
const SPECIAL: u64 = 0x0073_7065_6369_616c;
/// The same for those in which the exit handler runs.
const EXITS: u64 = 0x6578_6974_73;

/// The plan of a seed.
pub(super) fn plan(seed: u64) -> Plan {
    let mut plan = basic_plan(seed);
    extras::add(&mut plan, seed);
    plan
}

/// The same without the options that libnanomsg does not have.
fn basic_plan(seed: u64) -> Plan {
    let mut random = Random::new(seed);
    // Whether messages may be lost on the way.
    let is_lossy = random.one_in(2);
    let machine = machine(&mut random, seed);
    let plan = Plan {
        machine,
        sockets: Vec::new(),
        steps: Vec::new(),
        faults: Vec::new(),
        checks: Vec::new(),
        ends_by_term: random.one_in(3),
        has_ring: false,
    };
    let mut generator = Generator {
        random,
        plan,
        is_lossy,
        crowds: false,
        first_of_group: 0,
        has_parallels: false,
        ports: Vec::new(),
        addresses: 0,
    };
    // With random numbers of its own, so that the other seeds have the worlds that they had before.
    if Random::new(seed ^ SPECIAL).one_in(10) {
        generator.special();
        return generator.plan;
    }
    if generator.chance(16) {
        generator.crowd();
        return generator.plan;
    }
    if generator.chance(12) {
        // The exit handler runs in such a world. It does something else only if a thread gives way while it holds a lock.
        generator.plan.machine.switch_every = 3;
        if generator.chance(2) {
            generator.topics()
        } else {
            generator.bus()
        }
        generator.faults();
        generator.exits();
        return generator.plan;
    }
    generator.crowds = generator.chance(8);
    let groups = generator.pick(&[1, 1, 1, 2, 4]);
    for _ in 0..groups {
        generator.has_parallels = false;
        generator.first_of_group = generator.plan.sockets.len();
        if generator.chance(3) {
            generator.shape();
        } else {
            generator.group();
        }
    }
    if generator.chance(4) {
        generator.plan.checks.push(Check::Idle);
    } else {
        generator.faults();
        generator.strangers();
    }
    generator.drop_idle_check();
    // As above.
    if Random::new(seed ^ EXITS).one_in(20) {
        generator.exits();
    }
    generator.plan
}

fn machine(random: &mut Random, seed: u64) -> Settings {
    let mut pick = |choices: &[u64]| choices[random.below(choices.len() as u64) as usize];
    let room = pick(&[1, 50, 4096, 100_000, 2_000_000]) as usize;
    let longest_way = Duration::from_micros(pick(&[1, 30, 1000, 40_000]));
    Settings {
        seed,
        processors: pick(&[1, 1, 1, 2]) as u32,
        switch_every: pick(&[0, 3, 10, 50, 300]) as u32,
        longest_step: Duration::from_micros(pick(&[1, 10, 100])),
        latest_timer: Duration::from_micros(pick(&[0, 50, 1000, 20_000])),
        // A narrow and long stream would take hours for a large message.
        longest_way: longest_way.min(Duration::from_micros(100 * room as u64)),
        room,
        scarce_every: pick(&[0, 0, 0, 100, 10]) as u32,
        descriptors: 1000,
        backlog: BACKLOG,
        lacking_every: 0,
    }
}

pub(super) struct Generator {
    random: Random,
    pub(super) plan: Plan,
    pub(super) is_lossy: bool,
    /// Groups are large, and say little.
    crowds: bool,
    pub(super) first_of_group: usize,
    /// Two sockets of the group have several connections.
    pub(super) has_parallels: bool,
    ports: Vec<u16>,
    addresses: usize,
}

/// An address to bind, and the same to connect to.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) bind: String,
    pub(super) connect: String,
}

impl Generator {
    pub(super) fn below(&mut self, bound: u64) -> usize {
        self.random.below(bound) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64)]
    }

    pub(super) fn chance(&mut self, count: u32) -> bool {
        self.random.one_in(count)
    }

    /// An address at which the network is used.
    pub(super) fn network_address(&mut self) -> Address {
        loop {
            let address = self.address();
            if !address.bind.starts_with("inproc") {
                return address;
            }
        }
    }

    pub(super) fn address(&mut self) -> Address {
        self.addresses += 1;
        let number = self.addresses;
        let port = 5000 + number as u16;
        let kind = self.below(6);
        if kind >= 2 {
            self.ports.extend((kind < 5).then_some(port));
        }
        let host = self.pick(&["127.0.0.1", "127.0.0.1", "[::1]", "localhost", "somewhere", "moving"]);
        match kind {
            0 => same(format!("inproc://a{number}")),
            1 | 5 => same(format!("ipc:///tmp/a{number}")),
            2 | 3 => Address { bind: format!("tcp://*:{port}"), connect: format!("tcp://{host}:{port}") },
            _ => Address { bind: format!("ws://*:{port}"), connect: format!("ws://{host}:{port}/path") },
        }
    }

    pub(super) fn socket(&mut self, name: &str, is_raw: bool) -> usize {
        let number = self.plan.sockets.len();
        let protocol: &'static ProtocolInfo =
            PROTOCOLS.iter().find(|info| info.name == name).expect("a protocol of the library");
        let mut options = vec![(LEVEL_SOCKET, IPV4_ONLY, 0)];
        if self.chance(2) {
            options.push((LEVEL_SOCKET, SEND_BUFFER, self.pick(&[1, 100, 5000, 1_000_000])));
        }
        if self.chance(2) {
            options.push((LEVEL_SOCKET, RECEIVE_BUFFER, self.pick(&[1, 100, 5000, 1_000_000])));
        }
        if self.chance(3) {
            options.push((LEVEL_SOCKET, RECONNECT_INTERVAL, self.pick(&[5, 30, 1000])));
        }
        if self.chance(4) {
            options.push((LEVEL_TCP, 1, 1));
        }
        if name == "req" && !is_raw {
            // A request that is sent again before its answer can come, fills the way for ever.
            let is_quick = self.plan.machine.room >= 4096 && self.plan.machine.longest_way.as_millis() < 10;
            let interval = if is_quick { self.pick(&[50, 1000, 60_000]) } else { 60_000 };
            options.push((i32::from(protocol.number), RESEND_INTERVAL, interval));
        }
        for priority in [SEND_PRIORITY, RECEIVE_PRIORITY] {
            if self.chance(8) {
                options.push((LEVEL_SOCKET, priority, 1 + self.below(16) as i32));
            }
        }
        self.plan.sockets.push(SocketPlan { number, protocol, is_raw, opens: Duration::ZERO, options });
        number
    }

    pub(super) fn set(&mut self, socket: usize, name: i32, value: i32) {
        let options = &mut self.plan.sockets[socket].options;
        options.retain(|option| (option.0, option.1) != (LEVEL_SOCKET, name));
        options.push((LEVEL_SOCKET, name, value));
    }

    pub(super) fn option(&self, socket: usize, name: i32) -> Option<i32> {
        let options = &self.plan.sockets[socket].options;
        options.iter().find(|option| (option.0, option.1) == (LEVEL_SOCKET, name)).map(|option| option.2)
    }

    pub(super) fn step(&mut self, socket: usize, thread: usize, step: Step) {
        self.plan.steps.push((ThreadName(socket, thread), step));
    }

    /// Lets a socket connect. A name that moves is used by one endpoint only.
    pub(super) fn connect(&mut self, socket: usize, address: &Address) {
        let own_name = format!("moving{}", self.plan.steps.len());
        self.step(socket, 0, Step::Connect(address.connect.replace("moving", &own_name)));
    }

    /// Lets one socket bind and the others connect to it.
    pub(super) fn star(&mut self, center: usize, others: &[usize]) {
        let address = self.address();
        for (place, other) in others.iter().enumerate() {
            // Some connect before there is something to connect to.
            if place == 1 || self.chance(3) {
                self.maybe_sleep(center);
            } else {
                self.maybe_sleep(*other);
            }
            self.connect(*other, &address);
            let sends_once = matches!(
                self.plan.sockets[center].protocol.name,
                "push" | "pull" | "req" | "rep" | "pair" | "pair1"
            );
            if sends_once && self.chance(8) {
                self.has_parallels = true;
                self.step(*other, 0, Step::Connect(address.connect.clone()));
            }
        }
        self.step(center, 0, Step::Bind(address.bind));
    }

    pub(super) fn maybe_sleep(&mut self, socket: usize) {
        if self.chance(3) {
            let time = self.pick(&[1, 10, 300]);
            self.step(socket, 0, Step::Sleep(time));
        }
    }

    pub(super) fn size(&mut self) -> usize {
        let most =
            if self.crowds { 100 } else { self.pick(&[20, 20, 100, 100, 100, 10_000, 10_000, 70_000]) };
        // A large message through a narrow stream would take long to simulate.
        self.below((most as u64).min(30 * self.plan.machine.room as u64).max(20))
    }

    pub(super) fn count(&mut self) -> usize {
        let most = if self.crowds { 5 } else { self.pick(&[2_u64, 2, 5, 5, 10, 60]) };
        1 + self.below(most)
    }

    /// A number of sockets of a protocol.
    pub(super) fn sockets(&mut self, name: &str, most: u64) -> Vec<usize> {
        let most = if self.crowds { 6 * most } else { most };
        // Others join these.
        let left = SOCKETS.saturating_sub(self.plan.sockets.len() + 6).max(1);
        let count = (1 + self.below(most)).min(left);
        // The program of a raw socket keeps the headers. Those of these protocols have none.
        let is_raw = matches!(name, "push" | "pull" | "pair") && self.chance(8);
        (0..count).map(|_| self.socket(name, is_raw)).collect()
    }

    /// Between two sides a chain of devices, of which `front` is the side of `senders`. Returns the sockets to which the two sides
    /// connect; the same star if there is no device.
    pub(super) fn join(&mut self, one: &[usize], other: &[usize], front: &str, back: &str) {
        let devices = if self.chance(3) { 1 + self.below(2) } else { 0 };
        if devices == 0 {
            let (center, others) = if one.len() == 1 && (other.len() > 1 || self.chance(2)) {
                (one[0], other)
            } else {
                (other[0], one)
            };
            return self.star(center, others);
        }
        let mut side = one.to_vec();
        for device in 0..devices {
            let (near, far) = (self.socket(front, true), self.socket(back, true));
            self.star(near, &side);
            self.step(near, 1, Step::Device(far));
            side = vec![far];
            if device + 1 == devices {
                self.star(far, other);
            }
        }
    }

    /// Lets the exit handler run.
    fn exits(&mut self) {
        let most = self.pick(&[5_u64, 50, 300]);
        for _ in 0..3 {
            let moment = Duration::from_millis(self.random.below(most));
            self.plan.faults.push((moment, Fault::Exit));
        }
    }

    /// A world in which connections are tried without end is never idle.
    fn drop_idle_check(&mut self) {
        // REQ sends a request again until its answer or the next request comes, also after a receive has timed out.
        let gives_up = |socket: &SocketPlan| {
            socket.protocol.name == "req" && socket.option(SocketOption::ReceiveTimeout).is_some()
        };
        let is_busy = self.plan.sockets.iter().any(gives_up)
            || self.plan.steps.iter().any(|(_, step)| is_restless(step))
            || self.has_refused_pair();
        if is_busy {
            self.plan.checks.retain(|check| *check != Check::Idle);
        }
    }

    /// Whether a PAIR has several connections, of which all but one are refused: by endpoints of its own, or by several peers of one.
    fn has_refused_pair(&self) -> bool {
        let (mut endpoints, mut users) = (BTreeMap::new(), BTreeMap::new());
        for (name, step) in &self.plan.steps {
            if let Step::Bind(address) | Step::Connect(address) = step
                && self.plan.sockets[name.0].protocol.is_exclusive
            {
                *endpoints.entry(name.0).or_insert(0) += 1;
                *users.entry(door(address)).or_insert(0) += 1;
            }
        }
        endpoints.into_values().any(|count| count > 1) || users.into_values().any(|count| count > 2)
    }

    /// A world with one purpose.
    fn special(&mut self) {
        match self.below(4) {
            0 => self.ring_of_bus_devices(),
            // Other faults might keep the receiver from binding before the file is removed.
            1 => return self.removed_file(),
            _ => self.priorities(),
        }
        self.faults();
        self.strangers();
    }

    fn faults(&mut self) {
        let count = self.below(5);
        for _ in 0..count {
            let most = self.pick(&[1_u64, 10, 300, 5000]);
            let moment = Duration::from_millis(self.random.below(most));
            let link = self.below(50);
            let time = self.pick(&[1, 50, 2000]);
            let fault = match self.below(if self.is_lossy { 11 } else { 5 }) {
                0 => Fault::Stall(link, time),
                1 => Fault::NoNames(time),
                2 => Fault::NoDescriptors(time),
                3 => {
                    let port = self.ports.first().copied().unwrap_or(5000);
                    Fault::Stranger(port, self.pick(&[0, 3, 8, 300]))
                }
                4 => Fault::Descriptors(5 + self.below(20), time),
                5 | 6 => Fault::Reset(link),
                7 => Fault::Cut(link),
                8 => Fault::Suspend(self.pick(&[1000, 40_000, 3_600_000])),
                9 => Fault::Term,
                _ => Fault::HalfClose(link),
            };
            self.plan.faults.push((moment, fault));
        }
    }
}

/// Whether a world with this step may try to connect for ever, or be busy otherwise.
fn is_restless(step: &Step) -> bool {
    matches!(step, Step::Leave | Step::Close | Step::RawAnswer)
}

fn same(address: String) -> Address {
    Address { bind: address.clone(), connect: address }
}
