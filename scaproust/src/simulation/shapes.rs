//! Shapes of worlds besides stars and chains: rings, raw sockets at the edges, sockets that come and go, full lanes, strangers.

use std::time::Duration;

use super::generate::{
    Generator, LINGER, MAX_HOPS, MAX_MESSAGE, RECEIVE_BUFFER, RECEIVE_TIMEOUT, RECONNECT_INTERVAL,
    RECONNECT_INTERVAL_MAX, SEND_BUFFER, SEND_TIMEOUT,
};
use super::plan::{Check, Fault, MANNERS, Manner, Step, ThreadName};

impl Generator {
    /// A group of another shape than a star.
    pub(super) fn shape(&mut self) {
        match self.below(10) {
            0 => self.ring_of_devices(),
            1 => self.ring_of_buses(),
            2 => self.raw_questions(),
            3 => self.relay(),
            4 => self.full_lane(),
            5 => self.limits(),
            6 => self.rivals(),
            7 => self.forwarding(),
            _ => self.churn(),
        }
    }

    /// Devices in a ring, in which a question that nobody answers goes round until `NN_MAXTTL` ends it.
    fn ring_of_devices(&mut self) {
        let (ask, answer) = self.pick(&[("req", "rep"), ("surveyor", "respondent")]);
        let asker = self.socket(ask, false);
        let count = 2 + self.below(3);
        let devices: Vec<_> =
            (0..count).map(|_| (self.socket(answer, true), self.socket(ask, true))).collect();
        for (place, (near, far)) in devices.iter().enumerate() {
            if self.chance(4) {
                let hops = 1 + self.below(8);
                self.set(*near, MAX_HOPS, hops as i32);
            }
            let mut clients = vec![devices[(place + count - 1) % count].1];
            if place == 0 {
                clients.push(asker);
            }
            self.star(*near, &clients);
            self.step(*near, 1, Step::Device(*far));
        }
        if self.chance(2) {
            // One of the devices has a server besides the next device.
            let (server, far) = (self.socket(answer, false), devices[count - 1].1);
            self.star(server, &[far]);
            self.step(server, 0, Step::Answer(0));
            // A request is sent again until it is answered.
            if ask == "surveyor" {
                let most = self.rounds(&devices, server);
                self.plan.checks.push(Check::Rounds(server, most));
            }
        }
        self.plan.has_ring = true;
        self.set(asker, RECEIVE_TIMEOUT, 500);
        let (count, size) = (1 + self.below(4), self.size());
        self.step(asker, 0, if ask == "req" { Step::Ask(count, size) } else { Step::Survey(count, size) });
    }

    /// Devices of BUS sockets in a ring, in which messages go round until one of its sockets is closed. Beside it a socket waits.
    pub(super) fn ring_of_bus_devices(&mut self) {
        let count = 2 + self.below(3);
        let devices: Vec<_> =
            (0..count).map(|_| (self.socket("bus", true), self.socket("bus", true))).collect();
        for (place, (near, far)) in devices.iter().enumerate() {
            let mut others = vec![devices[(place + count - 1) % count].1];
            if place == 0 || self.chance(2) {
                let member = self.socket("bus", false);
                let (count, size) = (1 + self.below(3), self.size().min(200));
                self.step(member, 0, Step::Send(count, size));
                self.step(member, 1, Step::Receive(0));
                others.push(member);
            }
            self.star(*near, &others);
            self.step(*near, 1, Step::Device(*far));
        }
        let (first, _) = devices[0];
        let time = self.pick(&[1, 10, 50]);
        self.step(first, 9, Step::Sleep(time));
        self.step(first, 9, Step::Close);
        let quiet = self.socket("pair", false);
        self.step(quiet, 0, Step::Wait(10, 5));
        self.plan.has_ring = true;
    }

    /// How often a question comes to a server behind the last of these devices, which form a ring: each round adds a hop for each
    /// device, and a socket drops what has more hops than its `NN_MAXTTL`.
    fn rounds(&self, devices: &[(usize, usize)], server: usize) -> usize {
        let passes =
            |socket, hops: usize| hops <= self.option(socket, MAX_HOPS).map_or(8, |most| most as usize);
        let comes = |round: &usize| {
            let before = round * devices.len();
            let mut places = devices.iter().enumerate();
            places.all(|(place, (near, _))| passes(*near, before + place + 1))
                && passes(server, before + devices.len() + 1)
        };
        (0..).take_while(comes).count()
    }

    /// BUS sockets in a circle, of which each has two neighbours.
    fn ring_of_buses(&mut self) {
        let count = 3 + self.below(6);
        let members: Vec<_> = (0..count).map(|_| self.socket("bus", false)).collect();
        for place in 0..count {
            self.star(members[place], &[members[(place + 1) % count]]);
        }
        for member in members {
            self.publish(member, 1);
            self.step(member, 1, Step::Receive(0));
        }
    }

    /// Sends messages that all fit into a lane, so that no receiver that is connected may miss one. `publishers` send
    /// through the same lanes.
    pub(super) fn publish(&mut self, publisher: usize, publishers: usize) {
        let (count, size) = (self.count(), self.size());
        // Within the process NN_RCVBUF alone counts, if it is set.
        let group = self.first_of_group..self.plan.sockets.len();
        let buffers =
            group.flat_map(|socket| [SEND_BUFFER, RECEIVE_BUFFER].map(|name| self.option(socket, name)));
        let bound = buffers.flatten().chain([128 * 1024]).min().unwrap_or(0) as usize;
        // A record takes some bytes besides the message, and a large message a chunk of up to twice its size.
        if count * (2 * size.max(20) + 64) * publishers <= bound {
            self.plan.checks.push(Check::NoGap(publisher));
        }
        self.step(publisher, 0, Step::Send(count, size));
    }

    /// Questions and answers of programs that keep the headers themselves.
    fn raw_questions(&mut self) {
        let (ask, answer) = self.pick(&[("req", "rep"), ("surveyor", "respondent")]);
        let raw_askers = self.chance(2);
        let raw_servers = !raw_askers || self.chance(2);
        let askers: Vec<_> = (0..1 + self.below(3)).map(|_| self.socket(ask, raw_askers)).collect();
        let server = self.socket(answer, raw_servers);
        self.join(&askers, &[server], answer, ask);
        for asker in askers {
            let (count, size) = (1 + self.below(10), self.size());
            let step = match (raw_askers, ask) {
                (true, _) => Step::RawAsk(count, size),
                (false, "req") => Step::Ask(count, size),
                (false, _) => Step::Survey(count, size),
            };
            self.maybe_sleep(asker);
            self.step(asker, 0, step);
            if self.chance(3) {
                self.step(asker, 0, Step::Close);
            }
        }
        self.step(server, 0, if raw_servers { Step::RawAnswer } else { Step::Answer(0) });
    }

    /// BUS sockets around a raw one, which sends each message to all but the one it came from.
    fn relay(&mut self) {
        let hub = self.socket("bus", true);
        let members: Vec<_> = (0..2 + self.below(5)).map(|_| self.socket("bus", false)).collect();
        self.star(hub, &members);
        self.step(hub, 1, Step::Relay);
        for member in members {
            let (count, size) = (self.count(), self.size());
            self.step(member, 0, Step::Send(count, size));
            self.step(member, 1, Step::Receive(0));
            self.plan.checks.push(Check::Order(member));
        }
    }

    /// STAR sockets around one that forwards, and may receive nothing itself.
    fn forwarding(&mut self) {
        let is_raw = self.chance(2);
        let hub = self.socket("star", is_raw);
        let members: Vec<_> = (0..2 + self.below(5)).map(|_| self.socket("star", false)).collect();
        self.star(hub, &members);
        if self.chance(2) {
            self.step(hub, 1, Step::Receive(0));
        }
        for member in members {
            let (count, size) = (self.count(), self.size());
            self.step(member, 0, Step::Send(count, size));
            self.step(member, 1, Step::Receive(0));
            self.plan.checks.push(Check::Order(member));
        }
    }

    /// A receiver loses its ipc file, which may be replaced, while senders connect. It binds again later, and keeps the
    /// connections that it has.
    pub(super) fn removed_file(&mut self) {
        let receiver = self.socket("pull", false);
        let senders: Vec<_> = (0..1 + self.below(6)).map(|_| self.socket("push", false)).collect();
        let path = "/tmp/removed";
        let address = format!("ipc://{path}");
        self.step(receiver, 0, Step::Bind(address.clone()));
        for sender in senders {
            for _ in 0..1 + self.below(2) {
                let (time, count, size) = (self.pick(&[1, 300, 600]), self.count(), self.size());
                self.step(sender, 0, Step::Connect(address.clone()));
                self.step(sender, 0, Step::Send(count, size));
                self.step(sender, 0, Step::Sleep(time));
            }
            self.plan.checks.push(Check::Delivery(sender));
        }
        let (moment, time) = (self.pick(&[100, 200, 400]), self.pick(&[0, 1, 500]));
        let fault = Fault::Unlink(path.to_owned(), time);
        self.plan.faults.push((Duration::from_millis(moment), fault));
        // When the stranger is gone.
        self.step(receiver, 0, Step::Sleep(5000));
        self.step(receiver, 0, Step::Bind(address));
        self.step(receiver, 1, Step::Receive(0));
    }

    /// A sender whose peer does not receive yet.
    fn full_lane(&mut self) {
        let (front, back) = self.pick(&[("push", "pull"), ("pair", "pair"), ("pair1", "pair1")]);
        let (sender, receiver) = (self.socket(front, false), self.socket(back, false));
        for (socket, buffer) in [(sender, SEND_BUFFER), (receiver, RECEIVE_BUFFER)] {
            if self.option(socket, buffer).is_none_or(|size| size > 20_000) {
                let size = self.pick(&[2000, 20_000]);
                self.set(socket, buffer, size);
            }
        }
        self.plan.machine.room = self.plan.machine.room.clamp(4096, 100_000);
        let address = self.address();
        self.step(sender, 0, Step::Connect(address.connect));
        self.step(receiver, 0, Step::Bind(address.bind));
        let size = self.pick(&[400, 5000, 20_000]);
        self.step(sender, 0, Step::Fill(size));
        self.step(sender, 0, Step::Sleep(60_000));
        self.step(receiver, 0, Step::Sleep(50_000));
        self.step(receiver, 0, Step::Receive(0));
        self.plan.checks.extend([Check::Delivery(sender), Check::Order(sender), Check::PipeOrder(sender)]);
    }

    /// Several PAIR sockets connect to one, which has a single place: each sends when its turn has come.
    fn rivals(&mut self) {
        let center = self.socket("pair", false);
        let rivals: Vec<_> = (0..2 + self.below(3)).map(|_| self.socket("pair", false)).collect();
        self.star(center, &rivals);
        self.step(center, 1, Step::Receive(0));
        for rival in rivals {
            let (count, size) = (self.count(), self.size());
            self.set(rival, LINGER, -1);
            self.step(rival, 0, Step::Send(count, size));
            self.step(rival, 0, Step::Close);
            self.plan.checks.extend([Check::Delivery(rival), Check::Order(rival)]);
        }
    }

    /// Messages of which some are longer than the receiver allows.
    fn limits(&mut self) {
        let (sender, receiver) = (self.socket("push", false), self.socket("pull", false));
        self.set(sender, SEND_TIMEOUT, 500);
        self.set(receiver, MAX_MESSAGE, 100);
        let address = self.network_address();
        self.step(receiver, 0, Step::Bind(address.bind));
        self.step(sender, 0, Step::Connect(address.connect));
        for _ in 0..4 {
            let size = self.pick(&[20, 100, 101, 5000]);
            self.step(sender, 0, Step::Send(3, size));
            self.maybe_sleep(sender);
        }
        self.step(receiver, 0, Step::Receive(0));
    }

    /// Sockets that are opened late, closed early, and whose endpoints are removed and added again.
    fn churn(&mut self) {
        let pairs = [
            ("push", "pull"),
            ("req", "rep"),
            ("pub", "sub"),
            ("pair", "pair"),
            ("pair1", "pair1"),
            ("surveyor", "respondent"),
            ("bus", "bus"),
            ("star", "star"),
        ];
        let (front, back) = self.pick(&pairs);
        let asks = self.chance(2);
        let (center, other) = if asks { (back, front) } else { (front, back) };
        let hub = self.socket(center, false);
        let visitors: Vec<_> = (0..1 + self.below(6)).map(|_| self.socket(other, false)).collect();
        let address = self.address();
        for (place, socket) in [hub].iter().chain(&visitors).copied().enumerate() {
            self.set(socket, SEND_TIMEOUT, 300);
            self.set(socket, RECEIVE_TIMEOUT, 300);
            // A dialer whose peer is gone must not try all the time.
            self.set(socket, RECONNECT_INTERVAL, 10);
            self.set(socket, RECONNECT_INTERVAL_MAX, 5000);
            if self.chance(3) {
                let linger = self.pick(&[0, 10, 1000]);
                self.set(socket, LINGER, linger);
            }
            if place > 0 && self.chance(2) {
                let late = self.pick(&[1, 30, 400, 3000]);
                self.plan.sockets[socket].opens = Duration::from_millis(late);
            }
            let endpoint = match place {
                0 => Step::Bind(address.bind.clone()),
                _ => Step::Connect(address.connect.clone()),
            };
            if [center, other][place.min(1)] == "sub" {
                self.step(socket, 0, Step::Subscribe(1));
            }
            for round in 0..1 + self.below(4) {
                if round > 0 {
                    self.step(socket, 0, Step::Leave);
                    self.maybe_sleep(socket);
                }
                self.step(socket, 0, endpoint.clone());
                self.converse(socket, [center, other][place.min(1)]);
            }
            if self.chance(2) {
                // In the middle of something.
                let time = self.pick(&[1, 20, 300, 2000]);
                self.step(socket, 9, Step::Sleep(time));
                self.step(socket, 9, Step::Close);
            }
            if matches!([center, other][place.min(1)], "push" | "pub" | "pair" | "pair1") {
                self.plan.checks.push(Check::PipeOrder(socket));
            }
        }
    }

    /// Some messages of a socket of a protocol.
    fn converse(&mut self, socket: usize, name: &str) {
        let (count, size) = (1 + self.below(20), self.size());
        let step = match name {
            "req" => Step::Ask(count.min(5), size),
            "rep" | "respondent" => Step::Answer(count),
            "surveyor" => Step::Survey(1 + count / 10, size),
            "pull" | "sub" => Step::Wait(count, 50),
            _ if self.chance(3) => Step::PollSend(count, size),
            _ => Step::Send(count, size),
        };
        self.step(socket, 0, step);
        if matches!(name, "pair" | "pair1" | "bus" | "star") {
            self.step(socket, 0, Step::Wait(count, 20));
        }
        self.maybe_sleep(socket);
    }

    /// Strangers at the sockets' doors.
    pub(super) fn strangers(&mut self) {
        let is_lossy = self.is_lossy;
        let doors: Vec<_> = self
            .plan
            .steps
            .iter()
            .filter_map(|(ThreadName(socket, _), step)| match step {
                Step::Bind(address) if !address.starts_with("inproc") => {
                    Some((address.clone(), self.plan.sockets[*socket].protocol))
                }
                _ => None,
            })
            .collect();
        if doors.is_empty() {
            return;
        }
        for _ in 0..self.below(4) {
            let (address, protocol) = doors[self.below(doors.len() as u64)].clone();
            let (manner, _) = self.pick(&MANNERS);
            let greets = !matches!(manner, Manner::Silent | Manner::HalfGreeting | Manner::SlowGreeting);
            // It would get messages that are meant for others.
            if greets && !is_lossy && matches!(protocol.name, "push" | "pair" | "pair1") {
                continue;
            }
            if greets && matches!(protocol.name, "push" | "pair" | "pair1") {
                self.plan.checks.retain(|check| !matches!(check, Check::Delivery(_)));
            }
            let moment = self.pick(&[0, 100, 3000]);
            self.plan.faults.push((Duration::from_millis(moment), Fault::Peer(address, protocol, manner)));
        }
    }
}
