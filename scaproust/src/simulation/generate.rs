//! The random generation of plans.

use std::time::Duration;

use super::plan::{Check, Fault, Plan, SocketPlan, Step, ThreadName};
use crate::machine::{Random, Settings};
use crate::option::{LEVEL_SOCKET, LEVEL_TCP};
use crate::protocol::{PROTOCOLS, ProtocolInfo};

/// `NN_LINGER`, `NN_SNDBUF`, `NN_RCVBUF`, `NN_RECONNECT_IVL`, and `NN_REQ_RESEND_IVL` at the level of REQ.
const LINGER: i32 = 1;
const SEND_BUFFER: i32 = 2;
const RECEIVE_BUFFER: i32 = 3;
const RECONNECT_INTERVAL: i32 = 6;
const RESEND_INTERVAL: i32 = 1;

/// The plan of a seed.
pub(super) fn plan(seed: u64) -> Plan {
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
    };
    let mut generator = Generator { random, plan, is_lossy, ports: Vec::new(), addresses: 0 };
    let groups = generator.pick(&[1, 1, 1, 2, 4]);
    for _ in 0..groups {
        generator.group();
    }
    generator.faults();
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
    }
}

struct Generator {
    random: Random,
    plan: Plan,
    is_lossy: bool,
    ports: Vec<u16>,
    addresses: usize,
}

/// An address to bind, and the same to connect to.
struct Address {
    bind: String,
    connect: String,
}

impl Generator {
    fn below(&mut self, bound: u64) -> usize {
        self.random.below(bound) as usize
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64)]
    }

    fn chance(&mut self, count: u32) -> bool {
        self.random.one_in(count)
    }

    fn address(&mut self) -> Address {
        self.addresses += 1;
        let number = self.addresses;
        let port = 5000 + number as u16;
        let kind = self.below(6);
        if kind >= 2 {
            self.ports.extend((kind < 5).then_some(port));
        }
        let host = self.pick(&["127.0.0.1", "127.0.0.1", "[::1]", "localhost", "somewhere"]);
        match kind {
            0 => same(format!("inproc://a{number}")),
            1 | 5 => same(format!("ipc:///tmp/a{number}")),
            2 | 3 => Address { bind: format!("tcp://*:{port}"), connect: format!("tcp://{host}:{port}") },
            _ => Address { bind: format!("ws://*:{port}"), connect: format!("ws://{host}:{port}/path") },
        }
    }

    fn socket(&mut self, name: &str, is_raw: bool) -> usize {
        let number = self.plan.sockets.len();
        let protocol: &'static ProtocolInfo =
            PROTOCOLS.iter().find(|info| info.name == name).expect("a protocol of the library");
        let mut options = vec![(LEVEL_SOCKET, 14, 0)];
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
        self.plan.sockets.push(SocketPlan { number, protocol, is_raw, options });
        number
    }

    fn set(&mut self, socket: usize, name: i32, value: i32) {
        self.plan.sockets[socket].options.push((LEVEL_SOCKET, name, value));
    }

    fn step(&mut self, socket: usize, thread: usize, step: Step) {
        self.plan.steps.push((ThreadName(socket, thread), step));
    }

    /// Lets one socket bind and the others connect to it.
    fn star(&mut self, center: usize, others: &[usize]) {
        let address = self.address();
        for (place, other) in others.iter().enumerate() {
            // Some connect before there is something to connect to.
            if place == 1 || self.chance(3) {
                self.maybe_sleep(center);
            } else {
                self.maybe_sleep(*other);
            }
            self.step(*other, 0, Step::Connect(address.connect.clone()));
        }
        self.step(center, 0, Step::Bind(address.bind));
    }

    fn maybe_sleep(&mut self, socket: usize) {
        if self.chance(3) {
            let time = self.pick(&[1, 10, 300]);
            self.step(socket, 0, Step::Sleep(time));
        }
    }

    fn size(&mut self) -> usize {
        let most = self.pick(&[20, 20, 100, 100, 100, 3000, 3000, 70_000]);
        // A large message through a narrow stream would take long to simulate.
        self.below((most as u64).min(30 * self.plan.machine.room as u64).max(20))
    }

    fn count(&mut self) -> usize {
        let most = self.pick(&[2_u64, 2, 5, 5, 10, 60]);
        1 + self.below(most)
    }

    /// A number of sockets of a protocol.
    fn sockets(&mut self, name: &str, most: u64) -> Vec<usize> {
        let count = 1 + self.below(most);
        (0..count).map(|_| self.socket(name, false)).collect()
    }

    fn group(&mut self) {
        match self.below(8) {
            0 | 1 => self.pipeline(),
            2 => self.pair(),
            3 | 4 => self.requests(),
            5 => self.topics(),
            6 => self.surveys(),
            _ => self.bus(),
        }
    }

    /// Between two sides a chain of devices, of which `front` is the side of `senders`. Returns the sockets to which the two sides
    /// connect; the same star if there is no device.
    fn join(&mut self, one: &[usize], other: &[usize], front: &str, back: &str) {
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

    fn pipeline(&mut self) {
        let (senders, receivers) = if self.chance(2) {
            (self.sockets("push", 5), vec![self.socket("pull", false)])
        } else {
            (vec![self.socket("push", false)], self.sockets("pull", 5))
        };
        self.join(&senders, &receivers, "pull", "push");
        self.send_from(&senders);
        self.receive_at(&receivers);
    }

    fn send_from(&mut self, senders: &[usize]) {
        for sender in senders {
            for _ in 0..1 + self.below(3) {
                let (count, size) = (self.count(), self.size());
                let step = if self.chance(4) { Step::TrySend(count, size) } else { Step::Send(count, size) };
                self.step(*sender, 0, step);
                self.maybe_sleep(*sender);
            }
            let closes = self.chance(3);
            if closes {
                self.set(*sender, LINGER, -1);
                self.step(*sender, 0, Step::Close);
            }
            if !self.is_lossy {
                self.plan.checks.push(Check::Delivery(*sender));
            }
        }
        if !self.is_lossy && !self.plan.checks.contains(&Check::Order) {
            self.plan.checks.push(Check::Order);
        }
    }

    fn receive_at(&mut self, receivers: &[usize]) {
        for receiver in receivers {
            self.maybe_sleep(*receiver);
            if self.chance(4) {
                let (count, time) = (self.count(), self.pick(&[1, 20, 500]));
                self.step(*receiver, 0, Step::Wait(count, time));
            }
            let step = if self.chance(3) { Step::Poll } else { Step::Receive(0) };
            self.step(*receiver, 0, step);
        }
    }

    fn pair(&mut self) {
        let (one, other) = (self.socket("pair", false), self.socket("pair", false));
        self.join(&[one], &[other], "pair", "pair");
        for socket in [one, other] {
            let (count, size) = (self.count(), self.size());
            self.step(socket, 0, Step::Send(count, size));
            self.step(socket, 1, Step::Receive(0));
            if !self.is_lossy {
                self.plan.checks.push(Check::Delivery(socket));
            }
        }
    }

    fn requests(&mut self) {
        let (askers, servers) = if self.chance(2) {
            (self.sockets("req", 5), vec![self.socket("rep", false)])
        } else {
            (vec![self.socket("req", false)], self.sockets("rep", 4))
        };
        self.join(&askers, &servers, "rep", "req");
        for asker in askers {
            let (count, size) = (self.count(), self.size());
            self.step(asker, 0, Step::Ask(count, size));
            if self.chance(4) {
                self.step(asker, 0, Step::Close);
            }
        }
        for server in servers {
            self.step(server, 0, Step::Answer(0));
        }
    }

    fn topics(&mut self) {
        let (publishers, subscribers) = if self.chance(2) {
            (self.sockets("pub", 3), vec![self.socket("sub", false)])
        } else {
            (vec![self.socket("pub", false)], self.sockets("sub", 5))
        };
        for subscriber in &subscribers {
            for _ in 0..1 + self.below(3) {
                let topic = self.below(4) as u8;
                self.step(*subscriber, 0, Step::Subscribe(topic));
            }
        }
        self.join(&publishers, &subscribers, "sub", "pub");
        for publisher in publishers {
            self.maybe_sleep(publisher);
            let (count, size) = (self.count(), self.size());
            self.step(publisher, 0, Step::Send(count, size));
        }
        self.receive_at(&subscribers);
    }

    fn surveys(&mut self) {
        let (surveyors, respondents) = if self.chance(2) {
            (self.sockets("surveyor", 3), vec![self.socket("respondent", false)])
        } else {
            (vec![self.socket("surveyor", false)], self.sockets("respondent", 5))
        };
        self.join(&surveyors, &respondents, "respondent", "surveyor");
        for surveyor in surveyors {
            let (count, size) = (1 + self.below(4), self.size());
            self.step(surveyor, 0, Step::Survey(count, size));
        }
        for respondent in respondents {
            self.step(respondent, 0, Step::Answer(0));
        }
    }

    fn bus(&mut self) {
        let members = self.sockets("bus", 4);
        let addresses: Vec<_> = members.iter().map(|_| self.address()).collect();
        for (place, member) in members.iter().enumerate() {
            self.step(*member, 0, Step::Bind(addresses[place].bind.clone()));
            for address in &addresses[..place] {
                self.step(*member, 0, Step::Connect(address.connect.clone()));
            }
            self.maybe_sleep(*member);
            let (count, size) = (self.count(), self.size());
            self.step(*member, 0, Step::Send(count, size));
            self.step(*member, 1, Step::Receive(0));
        }
    }

    fn faults(&mut self) {
        let count = self.below(5);
        for _ in 0..count {
            let most = self.pick(&[10_u64, 300, 5000]);
            let moment = Duration::from_millis(self.random.below(most));
            let link = self.below(50);
            let time = self.pick(&[1, 50, 2000]);
            let fault = match self.below(if self.is_lossy { 8 } else { 4 }) {
                0 => Fault::Stall(link, time),
                1 => Fault::NoNames(time),
                2 => Fault::NoDescriptors(time),
                3 => {
                    let port = self.ports.first().copied().unwrap_or(5000);
                    Fault::Stranger(port, self.pick(&[0, 3, 8, 300]))
                }
                4 | 5 => Fault::Reset(link),
                6 => Fault::Cut(link),
                _ => Fault::HalfClose(link),
            };
            self.plan.faults.push((moment, fault));
        }
    }
}

fn same(address: String) -> Address {
    Address { bind: address.clone(), connect: address }
}
