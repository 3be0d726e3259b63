//! BUS: each message goes to every peer, and comes from every peer.
//!
//! Sending never blocks: a peer that has no room misses the message. The raw machine names itself
//! and the pipe that a message came from in an eight-byte header, and leaves a message's pipe out
//! when it is sent on, so that a device does not echo. Another machine may have a pipe of the same
//! id: that one is not left out.

use super::policy::{Distributor, FairQueue};
use super::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Shown};
use crate::message::Outgoing;

/// The machine of a raw BUS socket.
#[derive(Debug)]
pub struct RawBus {
    outbound: Distributor,
    inbound: FairQueue,
    /// What the headers of this machine begin with.
    name: u32,
}

impl RawBus {
    /// A machine that is known by its seed.
    pub fn new(seed: u32) -> RawBus {
        RawBus { outbound: Distributor::new(), inbound: FairQueue::new(), name: seed }
    }

    /// The pipe that a header names: `None` for an empty header, and for a pipe of another machine.
    fn pipe_of(&self, header: &[u8]) -> Result<Option<PipeId>, Refusal> {
        if header.is_empty() {
            return Ok(None);
        }
        let (name, pipe) = header.split_first_chunk().ok_or(Refusal::InvalidArgument)?;
        let pipe = pipe.try_into().map_err(|_| Refusal::InvalidArgument)?;
        let is_ours = u32::from_be_bytes(*name) == self.name;
        Ok(is_ours.then(|| PipeId(u32::from_be_bytes(pipe))))
    }
}

impl Protocol for RawBus {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.outbound.insert(pipe)?;
        self.inbound.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.outbound.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.outbound.remove(pipe);
        self.inbound.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.inbound.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.outbound.writable(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let origin = self.pipe_of(&message.header)?;
        self.outbound.send(&[], &mut message.body, origin, context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, ()) = self.inbound.take(context, |_| Some(())).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery { pipe, skip: 0, shows: Shown::Words(self.name, pipe.0) })
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.inbound.find(context, |_| Some(())).is_some()
    }
}

/// The machine of a BUS socket.
#[derive(Debug)]
pub struct Bus {
    raw: RawBus,
}

impl Bus {
    pub fn new(seed: u32) -> Bus {
        Bus { raw: RawBus::new(seed) }
    }
}

impl Protocol for Bus {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        self.raw.send(message, context)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let delivery = self.raw.recv(context)?;
        Ok(Delivery { shows: Shown::Nothing, ..delivery })
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_send(context)
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.raw.can_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Memory, Received, SEED, simulate, wire};
    use crate::protocol::{self, Refusal};

    #[test]
    fn a_message_goes_to_every_peer_that_has_room() {
        simulate(&protocol::BUS, false, |mut bus| {
            assert_eq!(bus.send("nobody is there"), Ok(()));
            bus.attach_with(1, 8, 1).unwrap();
            bus.attach(2);
            assert_eq!((bus.send("a"), bus.send("b")), (Ok(()), Ok(())));
            assert_eq!((bus.sent(1), bus.sent(2)), (vec![b"a".to_vec()], vec![b"a".to_vec(), b"b".to_vec()]));
            bus.close(1);
            bus.detach(2);
            assert_eq!(bus.send("c"), Ok(()));
            assert!(bus.sent(1).is_empty());
        });
    }

    #[test]
    fn messages_come_from_every_peer_in_turn() {
        simulate(&protocol::BUS, false, |mut bus| {
            bus.attach(1);
            bus.attach(2);
            bus.arrive(1, "1a");
            bus.arrive(1, "1b");
            bus.arrive_and_close(2, "2a");
            assert_eq!(bus.recv(), Ok(Received { pipe: 1, header: vec![], body: "1a".into() }));
            assert_eq!(bus.bodies(), ["2a", "1b"]);
            assert_eq!(bus.recv(), Err(Refusal::WouldBlock));
        });
    }

    #[test]
    fn a_header_is_for_raw_sockets_alone() {
        simulate(&protocol::BUS, false, |mut bus| {
            bus.attach(1);
            assert_eq!(bus.send_raw(&wire(&[SEED, 1], ""), "a"), Err(Refusal::InvalidArgument));
            assert!(bus.sent(1).is_empty());
        });
    }

    #[test]
    fn a_raw_message_is_not_sent_back_where_it_came_from() {
        simulate(&protocol::BUS, true, |mut bus| {
            (1..=3).for_each(|pipe| bus.attach(pipe));
            bus.arrive(3, "a");
            let Received { header, body, .. } = bus.recv().unwrap();
            assert_eq!(header, wire(&[SEED, 3], ""));
            assert_eq!(bus.send_raw(&header, &body), Ok(()));
            assert_eq!((bus.sent(1), bus.sent(2)), (vec![b"a".to_vec()], vec![b"a".to_vec()]));
            assert!(bus.sent(3).is_empty());
        });
    }

    #[test]
    fn a_raw_header_is_empty_or_eight_bytes() {
        simulate(&protocol::BUS, true, |mut bus| {
            bus.attach(1);
            assert_eq!(bus.send("to all"), Ok(()));
            assert_eq!(bus.send_raw(&u64::MAX.to_ne_bytes(), "no such pipe"), Ok(()));
            assert_eq!(bus.send_raw(&wire(&[SEED + 1, 1], ""), "another's pipe"), Ok(()));
            for wrong in [&[0; 4][..], &[0; 9]] {
                assert_eq!(bus.send_raw(wrong, "x"), Err(Refusal::InvalidArgument));
            }
            assert_eq!(bus.sent(1), [&b"to all"[..], b"no such pipe", b"another's pipe"]);
        });
    }

    #[test]
    fn the_one_other_peer_gets_the_very_memory() {
        for origin in [1, 2] {
            simulate(&protocol::BUS, true, |mut bus| {
                bus.attach(1);
                bus.attach(2);
                let address = bus.send_chunk(&wire(&[SEED, origin], ""), "large");
                assert_eq!(bus.memory(origin), None);
                assert_eq!(bus.memory(3 - origin), Some(Memory { address, unique: true }));
            });
        }
    }
}
