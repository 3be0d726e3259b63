//! BUS: sends each message to all peers, and receives from all peers.
//!
//! Sending never blocks: a peer without room misses the message.
//!
//! The protocol header on a raw socket is eight bytes: the machine's seed, and the id of the pipe that
//! the message came from. When a message with such a header is sent, that pipe is left out, so that a
//! device does not echo. The seed tells this machine's pipes from those of another one, which may have
//! the same ids.

use super::cooked::Raw;
use super::policy::{Distributor, FairQueue};
use super::{Context, Delivery, HeaderSource, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};
use crate::message::{Outgoing, Payload};

/// The machine of a raw BUS socket.
#[derive(Debug)]
pub struct RawBus {
    outbound: Distributor,
    inbound: FairQueue,
    /// The first word of this machine's headers.
    seed: u32,
}

impl RawBus {
    /// A machine whose headers begin with this seed.
    pub fn new(seed: u32) -> RawBus {
        RawBus { outbound: Distributor::new(), inbound: FairQueue::new(), seed }
    }

    /// The pipe in a header; `None` for an empty header, and for one of another machine.
    fn pipe_of(&self, header: &[u8]) -> Result<Option<PipeId>, Refusal> {
        if header.is_empty() {
            return Ok(None);
        }
        let (seed, pipe) = header.split_first_chunk().ok_or(Refusal::InvalidArgument)?;
        let pipe = pipe.try_into().map_err(|_| Refusal::InvalidArgument)?;
        let is_own = u32::from_be_bytes(*seed) == self.seed;
        Ok(is_own.then(|| PipeId(u32::from_be_bytes(pipe))))
    }
}

impl Protocol for RawBus {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.outbound.insert(pipe)?;
        self.inbound.insert(pipe, options.receive_priority).inspect_err(|_| self.outbound.remove(pipe))
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
        Ok(Delivery { pipe, skip: 0, header: HeaderSource::Words(self.seed, pipe.0) })
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.inbound.find(context, |_| Some(())).is_some()
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.outbound.missed_by(pipe)
    }
}

impl Raw for RawBus {
    fn send_first(&mut self, body: &mut Payload<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.outbound.send(&[], body, None, context);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Memory, Received, SEED, simulate, wire};
    use crate::protocol::{self, PipeId, Protocol, Refusal};

    #[test]
    fn a_message_goes_to_all_peers_that_have_room() {
        simulate(&protocol::BUS, false, |mut bus| {
            assert_eq!(bus.send("no peer"), Ok(()));
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
    fn the_peer_that_a_raw_message_came_from_does_not_miss_it() {
        simulate(&protocol::BUS, true, |mut bus| {
            bus.attach_with(1, 8, 1).unwrap();
            bus.attach_with(2, 8, 1).unwrap();
            bus.arrive(1, "from 1");
            let from_peer_1 = bus.recv().unwrap().header;
            assert_eq!((bus.send("fills"), bus.world.drops), (Ok(()), 0));
            assert_eq!((bus.send_raw(&from_peer_1, "a"), bus.world.drops), (Ok(()), 1));
            assert_eq!((bus.send("b"), bus.world.drops), (Ok(()), 3));
            assert_eq!([1, 2].map(|pipe| bus.machine.missed_by(PipeId(pipe))), [1, 2]);
            bus.sent(1);
            assert_eq!((bus.send("c"), bus.world.drops), (Ok(()), 4));
            assert_eq!([1, 2].map(|pipe| bus.machine.missed_by(PipeId(pipe))), [1, 3]);
        });
    }

    #[test]
    fn messages_come_from_all_peers_in_turn() {
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
    fn a_header_is_refused_on_a_cooked_socket() {
        simulate(&protocol::BUS, false, |mut bus| {
            bus.attach(1);
            assert_eq!(bus.send_raw(&wire(&[SEED, 1], ""), "a"), Err(Refusal::InvalidArgument));
            assert!(bus.sent(1).is_empty());
        });
    }

    #[test]
    fn a_raw_message_is_not_sent_to_the_pipe_it_came_from() {
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
    fn a_sole_receiver_gets_the_body_without_a_copy() {
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
