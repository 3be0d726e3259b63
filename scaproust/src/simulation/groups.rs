//! Groups of sockets that talk to each other: stars, chains of devices and meshes of each pattern, and some with a purpose.

use std::time::Duration;

use super::generate::{Generator, LINGER, RECEIVE_BUFFER, RECEIVE_TIMEOUT, SEND_TIMEOUT};
use super::plan::{Check, SocketPlan, Step};
use crate::machine::Settings;
use crate::protocol::FILTER;

/// The longest time of a message on a quick machine, in microseconds. A connection that no thread reads is found after 2000.
const PROMPT: u64 = 1000;

impl Generator {
    pub(super) fn group(&mut self) {
        match self.below(12) {
            11 => self.contexts(),
            8 => self.queue(),
            9 => self.partings(),
            10 => self.visitors(),
            0 | 1 => self.pipeline(),
            2 => self.pair(),
            3 | 4 => self.requests(),
            5 => self.topics(),
            6 => self.surveys(),
            _ => self.bus(),
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
            if self.chance(6) {
                let time = self.pick(&[1, 50, 1000]);
                self.set(*sender, SEND_TIMEOUT, time);
            }
            // Several threads send; the first one adds the endpoints.
            let threads = [0, 2, 3];
            let count = if self.chance(4) { 1 + self.below(3) } else { 1 };
            let mut leaves = false;
            for thread in &threads[..count] {
                for _ in 0..1 + self.below(3) {
                    let (count, size) = (self.count(), self.size());
                    let step = match self.below(8) {
                        0 | 1 => Step::TrySend(count, size),
                        2 => Step::PollSend(count, size),
                        _ => Step::Send(count, size),
                    };
                    self.step(*sender, *thread, step);
                    if *thread == 0 {
                        self.maybe_sleep(*sender);
                    }
                }
                if *thread == 0 && self.chance(6) {
                    leaves = true;
                    self.leave_and_return(*sender);
                }
            }
            if leaves || self.chance(3) {
                self.set(*sender, LINGER, -1);
            }
            if self.chance(3) {
                self.set(*sender, LINGER, -1);
                // Also in the middle of a call of another thread.
                let thread = if self.chance(3) { 9 } else { 0 };
                if thread == 9 {
                    let time = self.pick(&[1, 30, 500]);
                    self.step(*sender, thread, Step::Sleep(time));
                }
                self.step(*sender, thread, Step::Close);
            }
            self.plan.checks.push(Check::Delivery(*sender));
            if !leaves && !self.has_parallels {
                self.plan.checks.push(Check::Order(*sender));
            }
        }
    }

    /// Removes the endpoint of a socket, adds it again and sends something.
    fn leave_and_return(&mut self, socket: usize) {
        let is_endpoint = |step: &Step| matches!(step, Step::Bind(_) | Step::Connect(_));
        let own = self.plan.steps.iter().filter(|(name, _)| name.0 == socket).map(|(_, step)| step.clone());
        let Some(endpoint) = own.filter(is_endpoint).last() else { return };
        self.step(socket, 0, Step::Leave);
        self.maybe_sleep(socket);
        self.step(socket, 0, endpoint);
        let (count, size) = (self.count(), self.size());
        self.step(socket, 0, Step::Send(count, size));
    }

    fn receive_at(&mut self, receivers: &[usize]) {
        if receivers.len() > 1 && self.chance(4) {
            return self.step(receivers[0], 0, Step::PollAll(receivers.to_vec()));
        }
        for receiver in receivers {
            self.maybe_sleep(*receiver);
            let threads = if self.chance(4) { 3 } else { 1 };
            // A time-out holds for all threads.
            if threads == 1 && self.chance(4) {
                let (count, time) = (self.count(), self.pick(&[1, 20, 500]));
                self.step(*receiver, 0, Step::Wait(count, time));
            }
            for thread in 0..threads {
                let step = match self.below(6) {
                    0 => Step::Poll,
                    1 => Step::PollDescriptor,
                    _ => Step::Receive(0),
                };
                self.step(*receiver, thread, step);
            }
        }
    }

    fn pair(&mut self) {
        let name = self.pick(&["pair", "pair1"]);
        let (one, other) = (self.socket(name, false), self.socket(name, false));
        self.join(&[one], &[other], name, name);
        for socket in [one, other] {
            let (count, size) = (self.count(), self.size());
            self.step(socket, 0, Step::Send(count, size));
            self.step(socket, 1, Step::Receive(0));
            self.plan.checks.push(Check::Delivery(socket));
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
            if self.chance(6) {
                let time = self.pick(&[10, 300]);
                self.set(asker, RECEIVE_TIMEOUT, time);
            }
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

    pub(super) fn topics(&mut self) {
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
        let filters = self.chance(3);
        for socket in publishers.iter().chain(&subscribers).copied() {
            if filters && !self.chance(4) {
                let SocketPlan { protocol, options, .. } = &mut self.plan.sockets[socket];
                options.push((protocol.number.into(), FILTER, 1));
            }
        }
        self.join(&publishers, &subscribers, "sub", "pub");
        let count = publishers.len();
        for publisher in publishers {
            self.maybe_sleep(publisher);
            if filters {
                // The first message may come when some subscriptions have not arrived at the publisher.
                let (count, size) = (self.count(), self.size());
                self.step(publisher, 0, Step::Send(count, size));
                self.plan.checks.push(Check::Order(publisher));
            } else {
                self.publish(publisher, count);
            }
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

    /// Sockets of which some share the connections of others.
    fn contexts(&mut self) {
        let patterns = [("req", "rep"), ("surveyor", "respondent"), ("pub", "sub")];
        let (front, back) = self.pick(&patterns);
        let (asker, server) = (self.socket(front, false), self.socket(back, false));
        self.join(&[asker], &[server], back, front);
        let (askers, servers) = match front {
            "pub" => (vec![asker], self.contexts_of(server, back)),
            _ => (self.contexts_of(asker, front), self.contexts_of(server, back)),
        };
        if front == "pub" {
            for subscriber in &servers {
                let topic = self.below(4) as u8;
                self.step(*subscriber, 0, Step::Subscribe(topic));
            }
            self.maybe_sleep(asker);
            self.publish(asker, 1);
            return self.receive_at(&servers);
        }
        for asker in askers {
            if self.chance(6) {
                let time = self.pick(&[10, 300]);
                self.set(asker, RECEIVE_TIMEOUT, time);
            }
            let (count, size) = (self.count(), self.size());
            self.step(
                asker,
                0,
                if front == "req" { Step::Ask(count, size) } else { Step::Survey(1 + count % 4, size) },
            );
            if self.chance(3) {
                // In the middle of a conversation, and perhaps with all contexts.
                let time = self.pick(&[1, 20, 300]);
                self.step(asker, 9, Step::Sleep(time));
                self.step(asker, 9, Step::Close);
            }
        }
        for server in servers {
            let time = self.pick(&[1, 20]);
            let step = if self.chance(3) { Step::AnswerLate(time) } else { Step::Answer(0) };
            self.step(server, 0, step);
        }
    }

    /// A socket and some new contexts of it, without those that answer already: these have a blocked call before they
    /// become a context. A second thread that answers at the same socket would send its answer to the other's question.
    fn contexts_of(&mut self, parent: usize, name: &str) -> Vec<usize> {
        let mut all = vec![parent];
        for _ in 0..self.below(5) {
            let context = self.socket(name, false);
            let answers = self.chance(2) && matches!(name, "rep" | "respondent");
            if answers {
                self.step(context, 1, Step::Answer(0));
            }
            self.maybe_sleep(context);
            self.step(context, 0, Step::Share(parent));
            if !answers {
                all.push(context);
            }
        }
        all
    }

    pub(super) fn bus(&mut self) {
        let members = self.sockets("bus", 4);
        let addresses: Vec<_> = members.iter().map(|_| self.address()).collect();
        for (place, member) in members.iter().enumerate() {
            self.step(*member, 0, Step::Bind(addresses[place].bind.clone()));
            for address in &addresses[..place] {
                self.connect(*member, address);
            }
            self.maybe_sleep(*member);
            self.publish(*member, 1);
            self.step(*member, 1, Step::Receive(0));
        }
    }

    /// Senders whose messages have all arrived when the receiver takes the first one.
    fn queue(&mut self) {
        let (senders, receiver) = (self.sockets("push", 5), self.socket("pull", false));
        self.set(receiver, RECEIVE_BUFFER, 1_000_000);
        self.star(receiver, &senders);
        for sender in senders {
            let (count, size) = (self.count(), self.size().min(1000));
            self.step(sender, 0, Step::Send(count, size));
        }
        for thread in 0..2 {
            // The world does not end before the first thread has.
            self.step(receiver, thread, Step::Sleep(60_000));
        }
        self.step(receiver, 1, Step::Receive(0));
        if !self.is_lossy && !self.has_parallels {
            self.plan.checks.push(Check::Fair(receiver));
        }
    }

    /// Peers that close at the same moment, and would wait for each other without limit.
    fn partings(&mut self) {
        let (senders, receiver) = (self.sockets("push", 12), self.socket("pull", false));
        self.star(receiver, &senders);
        let time = self.pick(&[300, 301, 1000]);
        for sender in senders {
            self.set(sender, LINGER, -1);
            self.step(sender, 0, Step::Sleep(time));
            let (count, size) = (self.count(), self.size());
            self.step(sender, 0, Step::TrySend(count, size));
            self.step(sender, 0, Step::Close);
        }
        self.step(receiver, 0, Step::Sleep(time));
        self.step(receiver, 0, Step::Close);
    }

    /// Clients that ask a slow server and leave, and others that come.
    fn visitors(&mut self) {
        let count = 2 + self.below(6);
        let clients: Vec<_> = (0..count).map(|_| self.socket("req", true)).collect();
        let server = self.socket("rep", false);
        for client in &clients {
            let time = self.below(100);
            self.step(*client, 0, Step::Sleep(time));
        }
        self.join(&clients, &[server], "rep", "req");
        for client in clients {
            for _ in 0..1 + self.below(3) {
                let (time, size) = (self.pick(&[1, 5, 20]), self.size());
                self.step(client, 0, Step::Sleep(time));
                self.step(client, 0, Step::Request(size));
            }
            let step = self.pick(&[1, 5, 50]);
            self.step(client, 0, Step::Sleep(step));
            let step = if self.chance(2) { Step::Leave } else { Step::Close };
            self.step(client, 0, step);
            self.step(client, 1, Step::Answers);
        }
        let time = self.pick(&[1, 10, 60]);
        self.step(server, 0, Step::AnswerLate(time));
    }

    /// More connections than a receiver reads from itself, on a quick machine on which nothing fails: each message arrives at
    /// once.
    pub(super) fn crowd(&mut self) {
        self.plan.machine = Settings {
            longest_step: Duration::from_micros(1),
            latest_timer: Duration::ZERO,
            longest_way: self.plan.machine.longest_way.min(Duration::from_micros(30)),
            room: 100_000,
            scarce_every: 0,
            ..self.plan.machine.clone()
        };
        let receiver = self.socket("pull", false);
        let count = 12 + self.below(10);
        let senders: Vec<_> = (0..count).map(|_| self.socket("push", false)).collect();
        let address = self.address();
        self.step(receiver, 0, Step::Bind(address.bind.clone()));
        for sender in senders {
            let time = self.below(40);
            self.step(sender, 0, Step::Sleep(time));
            self.connect(sender, &address);
            for _ in 0..10 {
                let time = 1 + self.below(4);
                self.step(sender, 0, Step::Send(1, 20));
                self.step(sender, 0, Step::Sleep(time));
            }
        }
        let step = if self.chance(2) { Step::Poll } else { Step::Receive(0) };
        self.step(receiver, 0, step);
        self.plan.checks.push(Check::Prompt(receiver, PROMPT));
    }
}
