//! The ledger: what was sent and received, and the promises that each message is checked against.
//!
//! Owns the numbering of messages: each names its sender and has a number, and its bytes follow from those.

use std::collections::BTreeMap;

use super::plan::ThreadName;
use crate::protocol::ProtocolInfo;

/// The bytes before the filling: topic, kind, sender, number, length.
pub(super) const HEADER: usize = 20;

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
    received: BTreeMap<usize, BTreeMap<ThreadName, Vec<u32>>>,
    counts: BTreeMap<ThreadName, u32>,
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
        return Err(format!("a message has {} bytes", bytes.len()));
    }
    let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let id = Id { sender: ThreadName(word(4) as usize, word(8) as usize), number: word(12) };
    let mut filling = vec![0; bytes.len() - HEADER];
    fill(id, &mut filling);
    let is_whole = word(16) as usize == bytes.len() && bytes[HEADER..] == filling;
    if is_whole { Ok((bytes[1], id)) } else { Err(format!("the message {id:?} is not whole")) }
}

impl Ledger {
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
        if !is_accepted && self.receipts(id) > 0 {
            return Err(format!("the message {id:?} was refused, and received"));
        }
        Ok(())
    }

    /// Records a message that a socket has received.
    pub(super) fn note_received(
        &mut self,
        receiver: usize,
        protocol: &ProtocolInfo,
        id: Id,
    ) -> Result<(), String> {
        match self.sent.get(&id) {
            None => return Err(format!("the message {id:?} was never sent")),
            Some(Sent::Refused) => return Err(format!("the message {id:?} was refused, and received")),
            Some(_) => {}
        }
        // A request may be received again, after it was sent again.
        let is_once = !matches!(protocol.name, "rep" | "req");
        let is_for_one = matches!(protocol.name, "pull" | "pair");
        if is_for_one && self.receipts(id) > 0 {
            return Err(format!("the message {id:?} was received twice"));
        }
        let numbers = self.received.entry(receiver).or_default().entry(id.sender).or_default();
        if !numbers.contains(&id.number) {
            numbers.push(id.number);
        } else if is_once {
            return Err(format!("the message {id:?} was received twice by {receiver}"));
        }
        Ok(())
    }

    fn receipts(&self, id: Id) -> usize {
        let from = |senders: &BTreeMap<ThreadName, Vec<u32>>| {
            senders.get(&id.sender).is_some_and(|numbers| numbers.contains(&id.number))
        };
        self.received.values().filter(|senders| from(senders)).count()
    }

    /// How many messages were received.
    pub(super) fn count_received(&self) -> usize {
        self.received.values().flat_map(BTreeMap::values).map(Vec::len).sum()
    }

    /// Checks that the messages of each sender came to each receiver in their order.
    pub(super) fn check_order(&self) -> Result<(), String> {
        for (receiver, senders) in &self.received {
            for (sender, numbers) in senders {
                if let Some(pair) = numbers.windows(2).find(|pair| pair[0] >= pair[1]) {
                    return Err(format!("{receiver} received {} of {sender:?} before {}", pair[0], pair[1]));
                }
            }
        }
        Ok(())
    }

    /// Checks that each message which the socket `sender` has sent was received.
    pub(super) fn check_delivery(&self, sender: usize) -> Result<(), String> {
        for (id, sent) in &self.sent {
            if *sent == Sent::Accepted && id.sender.0 == sender && self.receipts(*id) == 0 {
                return Err(format!("the message {id:?} is lost"));
            }
        }
        Ok(())
    }

    /// Checks that no receiver has missed a message after the first one that it received of the
    /// socket `socket`.
    pub(super) fn check_no_gap(&self, socket: usize) -> Result<(), String> {
        for (receiver, heard) in &self.received {
            for (sender, numbers) in heard.iter().filter(|(sender, _)| sender.0 == socket) {
                let accepted = self.sent.range(Id { sender: *sender, number: numbers[0] }..);
                let accepted = accepted.take_while(|(id, _)| id.sender == *sender);
                for (id, _) in accepted.filter(|(_, sent)| **sent == Sent::Accepted) {
                    if !numbers.contains(&id.number) {
                        return Err(format!("{receiver} has missed the message {id:?}"));
                    }
                }
            }
        }
        Ok(())
    }
}
