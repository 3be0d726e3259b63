//! The ledger: what was sent and received, and the promises that each message is checked against.
//!
//! Owns the numbering of messages: each names its sender and has a number, and its bytes follow from those.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::plan::ThreadName;
use crate::protocol::ProtocolInfo;
use crate::sync::now;

/// The bytes before the filling: topic, kind, sender, number, length.
pub(super) const HEADER: usize = 20;

/// The row of docs/RELIABILITY.md on received messages.
const RECEIVED: &str = "the peer receives: once, whole, in the order of its pipe";
/// A message for which the call has failed is not received.
const REFUSED: &str = "what nn_send refuses is not received";

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) sender: ThreadName,
    pub(super) number: u32,
}

/// What has happened in a world.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sent: BTreeMap<Id, Sent>,
    /// By receiving socket.
    received: BTreeMap<usize, BTreeMap<ThreadName, Numbers>>,
    counts: BTreeMap<ThreadName, u32>,
    /// When each message was accepted.
    accepted_at: BTreeMap<Id, Duration>,
    /// The messages that each socket has received, in that order, and when.
    receipts: BTreeMap<usize, Vec<(Id, Duration)>>,
    /// The sockets whose messages come in their order on each pipe.
    ordered: BTreeSet<usize>,
    /// The last number by receiver, pipe and sender.
    last: BTreeMap<(usize, u32, ThreadName), u32>,
    /// A survey, or a message of a BUS, may come again.
    has_ring: bool,
}

/// The numbers of messages that were received.
#[derive(Debug, Default)]
struct Numbers {
    in_order: Vec<u32>,
    all: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// The call has not returned.
    Calling,
    Accepted,
    Refused,
}

/// The bytes of a message, at least [`HEADER`].
pub(super) fn encode(topic: u8, kind: u8, id: Id, size: usize) -> Vec<u8> {
    let size = size.max(HEADER);
    let mut bytes = vec![topic, kind, 0, 0];
    bytes.extend((id.sender.0 as u32).to_le_bytes());
    bytes.extend((id.sender.1 as u32).to_le_bytes());
    bytes.extend(id.number.to_le_bytes());
    bytes.extend((size as u32).to_le_bytes());
    bytes.resize(size, 0);
    fill(id, &mut bytes[HEADER..]);
    bytes
}

/// The text of a failure, with the row of docs/RELIABILITY.md that it breaks.
pub(super) fn broken(row: &str, what: &str) -> String {
    format!("{what} [{row}]")
}

/// Writes the filling of a message.
fn fill(id: Id, bytes: &mut [u8]) {
    let first = (id.number as u8).wrapping_mul(31).wrapping_add((id.sender.0 as u8).wrapping_mul(7));
    for (block, bytes) in bytes.chunks_mut(256).enumerate() {
        let first = first.wrapping_add((block as u8).wrapping_mul(3));
        bytes.iter_mut().enumerate().for_each(|(place, byte)| *byte = first.wrapping_add(place as u8));
    }
}

/// What the bytes of a message say; an error if they are not those that were sent.
pub(super) fn decode(bytes: &[u8]) -> Result<(u8, Id), String> {
    if bytes.len() < HEADER {
        return Err(broken(RECEIVED, &format!("a message has {} bytes", bytes.len())));
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let id = Id { sender: ThreadName(word(4) as usize, word(8) as usize), number: word(12) };
    let mut filling = vec![0; bytes.len() - HEADER];
    fill(id, &mut filling);
    if word(16) as usize == bytes.len() && bytes[HEADER..] == filling {
        Ok((bytes[1], id))
    } else {
        Err(broken(RECEIVED, &format!("the message {id:?} is not whole")))
    }
}

impl Ledger {
    /// A ledger that checks the order on each pipe of the messages of these sockets. With `has_ring`, a question may come again.
    pub(super) fn new(ordered: BTreeSet<usize>, has_ring: bool) -> Ledger {
        Ledger { ordered, has_ring, ..Ledger::default() }
    }

    /// The id of the next message of a thread, which is about to be sent.
    pub(super) fn next(&mut self, sender: ThreadName) -> Id {
        let count = self.counts.entry(sender).or_default();
        *count += 1;
        let id = Id { sender, number: *count };
        self.sent.insert(id, Sent::Calling);
        id
    }

    /// The outcome of sending a message.
    pub(super) fn note_sent(&mut self, id: Id, is_accepted: bool) -> Result<(), String> {
        self.sent.insert(id, if is_accepted { Sent::Accepted } else { Sent::Refused });
        self.accepted_at.insert(id, now());
        if !is_accepted && self.receipts(id) > 0 {
            return Err(broken(REFUSED, &format!("the message {id:?}")));
        }
        Ok(())
    }

    /// Records a message that a socket has received on one of its pipes.
    pub(super) fn note_received(
        &mut self,
        receiver: usize,
        protocol: &ProtocolInfo,
        pipe: u32,
        id: Id,
    ) -> Result<(), String> {
        match self.sent.get(&id) {
            None => return Err(broken(RECEIVED, &format!("the message {id:?} was never sent"))),
            Some(Sent::Refused) => return Err(broken(REFUSED, &format!("the message {id:?}"))),
            Some(_) => {}
        }
        self.receipts.entry(receiver).or_default().push((id, now()));
        // A request may be received again, after it was sent again.
        let may_circulate = self.has_ring && matches!(protocol.name, "respondent" | "surveyor" | "bus");
        let is_once = !matches!(protocol.name, "rep" | "req") && !may_circulate;
        let is_for_one = matches!(protocol.name, "pull" | "pair" | "pair1");
        if is_for_one && self.receipts(id) > 0 {
            return Err(broken(RECEIVED, &format!("the message {id:?} was received twice")));
        }
        let numbers = self.received.entry(receiver).or_default().entry(id.sender).or_default();
        if numbers.all.insert(id.number) {
            numbers.in_order.push(id.number);
        } else if is_once {
            return Err(broken(RECEIVED, &format!("the message {id:?} was received twice by {receiver}")));
        }
        if self.ordered.contains(&id.sender.0) {
            let last = self.last.entry((receiver, pipe, id.sender)).or_default();
            if *last >= id.number {
                let what = format!("{receiver} received the message {id:?} after {last} on a pipe");
                return Err(broken(RECEIVED, &what));
            }
            *last = id.number;
        }
        Ok(())
    }

    /// How many sockets have received a message.
    pub(super) fn receipts(&self, id: Id) -> usize {
        let from = |senders: &BTreeMap<ThreadName, Numbers>| {
            senders.get(&id.sender).is_some_and(|numbers| numbers.all.contains(&id.number))
        };
        self.received.values().filter(|senders| from(senders)).count()
    }

    /// The messages that each socket has received, in that order.
    pub(super) fn all_receipts(&self) -> impl Iterator<Item = (usize, Vec<Id>)> {
        self.receipts.iter().map(|(receiver, list)| (*receiver, list.iter().map(|(id, _)| *id).collect()))
    }

    /// How many messages were received.
    pub(super) fn count_received(&self) -> usize {
        self.received.values().flat_map(BTreeMap::values).map(|numbers| numbers.all.len()).sum()
    }

    /// Checks that the messages of each thread of the socket `socket` came to each receiver in their order.
    pub(super) fn check_order(&self, socket: usize) -> Result<(), String> {
        for (receiver, senders) in &self.received {
            for (sender, numbers) in senders.iter().filter(|(sender, _)| sender.0 == socket) {
                if let Some(pair) = numbers.in_order.windows(2).find(|pair| pair[0] >= pair[1]) {
                    let what = format!("{receiver} received {} of {sender:?} before {}", pair[0], pair[1]);
                    return Err(broken(RECEIVED, &what));
                }
            }
        }
        Ok(())
    }

    /// Checks that a socket took one message of each sender in turn. It must have had all of them before it took the first one.
    pub(super) fn check_fairness(&self, receiver: usize) -> Result<(), String> {
        let Some(receipts) = self.receipts.get(&receiver) else { return Ok(()) };
        let mut last_places: BTreeMap<usize, usize> = BTreeMap::new();
        let senders = self.received[&receiver].len();
        for (place, (id, _)) in receipts.iter().enumerate() {
            let last = last_places.insert(id.sender.0, place);
            let gap = last.map_or(place, |last| place - last - 1);
            if gap >= senders {
                return Err(format!(
                    "{receiver} received {gap} messages before {id:?}, but has {senders} senders"
                ));
            }
        }
        Ok(())
    }

    /// Checks that a socket received each message within `most` after it was sent.
    pub(super) fn check_promptness(&self, receiver: usize, most: Duration) -> Result<(), String> {
        for (id, received) in self.receipts.get(&receiver).into_iter().flatten() {
            let taken =
                self.accepted_at.get(id).map_or(Duration::ZERO, |sent| received.saturating_sub(*sent));
            if taken > most {
                return Err(format!("{receiver} received {id:?} only after {taken:?}"));
            }
        }
        Ok(())
    }

    /// Checks that no survey came to a socket more often than `most` times.
    pub(super) fn check_rounds(&self, receiver: usize, most: usize) -> Result<(), String> {
        let mut counts: BTreeMap<Id, usize> = BTreeMap::new();
        for (id, _) in self.receipts.get(&receiver).into_iter().flatten() {
            *counts.entry(*id).or_default() += 1;
        }
        match counts.iter().find(|(_, count)| **count > most) {
            Some((id, count)) => Err(broken(
                "NN_MAXTTL ends the way of a message round a ring",
                &format!("{receiver} received {id:?} {count} times instead of {most}"),
            )),
            None => Ok(()),
        }
    }

    /// Checks that each message which the socket `sender` has sent was received.
    pub(super) fn check_delivery(&self, sender: usize) -> Result<(), String> {
        for (id, sent) in &self.sent {
            if *sent == Sent::Accepted && id.sender.0 == sender && self.receipts(*id) == 0 {
                return Err(broken(
                    "messages that nn_send has accepted",
                    &format!("the message {id:?} is lost"),
                ));
            }
        }
        Ok(())
    }

    /// Checks that the last message which the socket `sender` has sent was received. It is the last one of a thread; which
    /// thread came last is not known.
    pub(super) fn check_newest(&self, sender: usize) -> Result<(), String> {
        let mut last: BTreeMap<ThreadName, Id> = BTreeMap::new();
        let accepted =
            self.sent.iter().filter(|(id, sent)| **sent == Sent::Accepted && id.sender.0 == sender);
        last.extend(accepted.map(|(id, _)| (id.sender, *id)));
        if last.is_empty() || last.values().any(|id| self.receipts(*id) > 0) {
            return Ok(());
        }
        let row = "the receiver has set `NN_RCV_PREFER_NEW` or `NN_CONFLATE`, and is slow";
        Err(broken(row, &format!("the last message of {sender} is lost, one of {last:?}")))
    }

    /// Checks that no receiver has missed a message after the first one that it received of the
    /// socket `socket`, of those that it wants.
    pub(super) fn check_no_gap(
        &self,
        socket: usize,
        wants: impl Fn(usize, Id) -> bool,
    ) -> Result<(), String> {
        for (receiver, heard) in &self.received {
            for (sender, numbers) in heard.iter().filter(|(sender, _)| sender.0 == socket) {
                let accepted = self.sent.range(Id { sender: *sender, number: numbers.in_order[0] }..);
                let accepted = accepted.take_while(|(id, _)| id.sender == *sender);
                for (id, _) in accepted.filter(|(_, sent)| **sent == Sent::Accepted) {
                    if wants(*receiver, *id) && !numbers.all.contains(&id.number) {
                        let what = format!("{receiver} has missed the message {id:?}");
                        return Err(broken("PUB, BUS: a peer is too slow", &what));
                    }
                }
            }
        }
        Ok(())
    }
}
