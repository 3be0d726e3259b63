//! Priorities of peers: worlds in which `NN_SNDPRIO` and `NN_RCVPRIO` decide where each message goes, and the checks of that.

use std::collections::BTreeMap;

use super::generate::{Generator, RECEIVE_BUFFER, RECEIVE_PRIORITY, SEND_BUFFER, SEND_PRIORITY};
use super::ledger::{Id, Ledger, broken};
use super::plan::{Check, Plan, Step, ThreadName};
use super::world::door;
use crate::option::{LEVEL_SOCKET, SocketOption};

/// The row of docs/RELIABILITY.md on priorities.
const PREFERRED: &str = "a peer of a lower priority is used only while no higher one can be";
/// Room for all messages of such a world.
const AMPLE: i32 = 1_000_000;

impl Generator {
    /// A socket that gives its peers priorities.
    pub(super) fn priorities(&mut self) {
        if self.chance(2) { self.send_priorities() } else { self.receive_priorities() }
    }

    /// A PUSH socket and PULL sockets that all have room. One of the highest priority may leave.
    fn send_priorities(&mut self) {
        let sender = self.socket("push", false);
        self.set(sender, SEND_BUFFER, AMPLE);
        let receivers: Vec<_> = (0..2 + self.below(4)).map(|_| self.socket("pull", false)).collect();
        let ranks = self.join_with_priorities(sender, &receivers, SEND_PRIORITY);
        for receiver in &receivers {
            self.set(*receiver, RECEIVE_BUFFER, AMPLE);
            self.step(*receiver, 1, Step::Receive(0));
        }
        for _ in 0..1 + self.below(4) {
            let (count, size) = (self.count(), self.size().min(1000));
            self.step(sender, 0, Step::Send(count, size));
            self.maybe_sleep(sender);
        }
        if self.chance(2) {
            let first = (0..receivers.len()).min_by_key(|place| ranks[*place]).unwrap_or_default();
            self.step(receivers[first], 9, Step::Sleep(30_000));
            self.step(receivers[first], 9, Step::Close);
            self.step(sender, 2, Step::Sleep(60_000));
            let (count, size) = (self.count(), self.size().min(1000));
            self.step(sender, 2, Step::Send(count, size));
        }
        self.plan.checks.extend([Check::Delivery(sender), Check::SendPriority(sender)]);
    }

    /// A PULL socket that takes the first message when those of all its peers have arrived.
    fn receive_priorities(&mut self) {
        let receiver = self.socket("pull", false);
        self.set(receiver, RECEIVE_BUFFER, AMPLE);
        let senders: Vec<_> = (0..2 + self.below(5)).map(|_| self.socket("push", false)).collect();
        self.join_with_priorities(receiver, &senders, RECEIVE_PRIORITY);
        for sender in senders {
            let (count, size) = (self.count(), self.size().min(1000));
            self.step(sender, 0, Step::Send(count, size));
            self.plan.checks.push(Check::Delivery(sender));
        }
        for thread in [1, 2] {
            // The world does not end before the first of them has.
            self.step(receiver, thread, Step::Sleep(60_000));
        }
        self.step(receiver, 2, Step::Receive(0));
        self.plan.checks.push(Check::ReceivePriority(receiver));
    }

    /// Lets each of these sockets be a peer of `center` at an endpoint of its own. Returns their priorities.
    fn join_with_priorities(&mut self, center: usize, others: &[usize], option: i32) -> Vec<i32> {
        let mut ranks = Vec::new();
        for other in others {
            let rank = 1 + self.below(4) as i32;
            let (address, binds) = (self.address(), self.chance(2));
            self.step(center, 0, Step::Set(option, rank));
            if binds {
                self.step(center, 0, Step::Bind(address.bind.clone()));
                self.connect(*other, &address);
            } else {
                self.connect(center, &address);
                self.step(*other, 0, Step::Bind(address.bind));
            }
            ranks.push(rank);
        }
        ranks
    }
}

impl Plan {
    /// The priority that a socket gives to each of its peers, by what it sets before it adds their endpoints.
    pub(super) fn priorities(&self, socket: usize, option: SocketOption) -> BTreeMap<usize, i32> {
        let own = self.sockets.iter().find(|plan| plan.number == socket);
        let mut current = own.and_then(|own| own.option(option)).unwrap_or(8);
        let mut doors = BTreeMap::new();
        for (_, step) in self.steps.iter().filter(|(name, _)| name.0 == socket) {
            match step {
                Step::Set(name, value) if SocketOption::find(LEVEL_SOCKET, *name) == Some(option) => {
                    current = *value;
                }
                Step::Bind(address) | Step::Connect(address) => _ = doors.insert(door(address), current),
                _ => {}
            }
        }
        let peer = |(ThreadName(number, _), step): &(ThreadName, Step)| match step {
            Step::Bind(address) | Step::Connect(address) if *number != socket => {
                Some((*number, *doors.get(&door(address))?))
            }
            _ => None,
        };
        self.steps.iter().filter_map(peer).collect()
    }
}

impl Ledger {
    /// Checks that no message of a thread of the socket `sender` went to a peer of a lower priority than an earlier one.
    pub(super) fn check_send_priority(
        &self,
        sender: usize,
        priorities: &BTreeMap<usize, i32>,
    ) -> Result<(), String> {
        let mut places: BTreeMap<Id, usize> = BTreeMap::new();
        for (receiver, receipts) in self.all_receipts() {
            places.extend(receipts.iter().filter(|id| id.sender.0 == sender).map(|id| (*id, receiver)));
        }
        let mut highest: BTreeMap<ThreadName, (i32, usize)> = BTreeMap::new();
        for (id, receiver) in places {
            let Some(rank) = priorities.get(&receiver) else { continue };
            let (best, at) = highest.entry(id.sender).or_insert((*rank, receiver));
            if rank > best {
                let what = format!("{id:?} went to {receiver} of priority {rank}, not to {at} of {best}");
                return Err(broken(PREFERRED, &what));
            }
            (*best, *at) = (*rank, receiver);
        }
        Ok(())
    }

    /// Checks that a socket, which had all messages before it took the first one, took those of higher priorities first.
    pub(super) fn check_receive_priority(
        &self,
        receiver: usize,
        priorities: &BTreeMap<usize, i32>,
    ) -> Result<(), String> {
        let own = self.all_receipts().find(|(number, _)| *number == receiver);
        let mut lowest = None;
        for id in own.into_iter().flat_map(|(_, receipts)| receipts) {
            let rank = priorities.get(&id.sender.0).copied();
            if rank < lowest {
                let what = format!("{receiver} took {id:?} of priority {rank:?} after one of {lowest:?}");
                return Err(broken(PREFERRED, &what));
            }
            lowest = rank;
        }
        Ok(())
    }
}
