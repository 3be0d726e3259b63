//! STAR: sends each message to all peers, and forwards each message that it receives to all other peers.
//!
//! So the members of a star receive each other's messages although they are connected to its hub only. Neither sending nor
//! forwarding blocks: a peer without room misses the message. A message is forwarded as soon as it arrives, whether or not
//! the program receives it.
//!
//! In front of a message is its hop count, 0 when it is first sent. A receiver adds 1; it drops malformed messages and
//! those whose count was not below `NN_MAXTTL`, which ends a message in a loop of connections. The protocol header on a raw
//! socket is the hop count, as it is forwarded.

use super::cooked::Raw;
use super::policy::{Distributor, FairQueue};
use super::{Context, Delivery, HeaderSource, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, hops};
use crate::message::{Chunk, Front, Outgoing, Payload};

/// The machine of a raw STAR socket.
#[derive(Debug)]
pub struct RawStar {
    outbound: Distributor,
    inbound: FairQueue,
    /// The pipes whose messages are forwarded: those that are open. What is left of a closed one is not forwarded, since its
    /// peer may have connected again, and would receive its own messages.
    sources: Vec<PipeId>,
    /// A second pipe was attached: messages of the first one may have come while there was none to forward them to.
    has_second: bool,
    invalid_messages: u64,
}

/// The hop count of a received message, which this socket has increased; `None` if the message must be dropped.
fn next_count(front: Front<'_>, max_hops: usize) -> Option<u8> {
    hops::decode(front).filter(|hops| usize::from(*hops) < max_hops)?.checked_add(1)
}

impl RawStar {
    pub fn new() -> RawStar {
        RawStar {
            outbound: Distributor::new(),
            inbound: FairQueue::new(),
            sources: Vec::new(),
            has_second: false,
            invalid_messages: 0,
        }
    }

    /// Forwards the messages of a pipe that were not forwarded yet.
    fn forward(&mut self, from: PipeId, context: &mut impl Context) {
        if self.sources.len() < 2 || !self.sources.contains(&from) {
            return;
        }
        let max_hops = context.max_hops();
        while let Some(front) = context.look_ahead(from) {
            let Some(count) = next_count(front, max_hops) else { continue };
            let (head, body) = front.split(hops::SIZE);
            let metadata = front.metadata;
            // Without memory for a copy the other peers miss the message.
            let Some(copy) = Chunk::joined(head, body) else { continue };
            context.send_with(metadata);
            self.outbound.send(&hops::encode(count), &mut Payload::Owned(copy), Some(from), context);
        }
    }

    /// The pipe of the next message, and the message's hop count.
    fn find(&mut self, context: &mut impl Context) -> Option<(PipeId, u8)> {
        let max_hops = context.max_hops();
        self.inbound.find(context, |front| {
            let count = next_count(front, max_hops);
            self.invalid_messages += u64::from(count.is_none());
            count
        })
    }
}

impl Protocol for RawStar {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.sources.try_reserve(1).map_err(|_| PipeRefused)?;
        self.outbound.insert(pipe)?;
        self.inbound.insert(pipe, options.receive_priority).inspect_err(|_| self.outbound.remove(pipe))?;
        self.sources.push(pipe);
        self.has_second |= self.sources.len() == 2;
        Ok(())
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.forward(pipe, context);
        self.sources.retain(|source| *source != pipe);
        self.outbound.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.outbound.remove(pipe);
        self.inbound.remove(pipe);
        self.sources.retain(|source| *source != pipe);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.inbound.readable(pipe);
        self.forward(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.outbound.writable(pipe);
        if std::mem::take(&mut self.has_second) {
            for index in 0..self.sources.len() {
                self.forward(self.sources[index], context);
            }
        }
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        hops::of_header(&message.header)?;
        self.outbound.send(&message.header, &mut message.body, None, context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let (pipe, count) = self.find(context).ok_or(Refusal::WouldBlock)?;
        // The message may have come after the last call of `readable`.
        self.forward(pipe, context);
        self.inbound.take(context, |_| Some(()));
        Ok(Delivery { pipe, skip: hops::SIZE, header: HeaderSource::Word(count.into()) })
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.find(context).is_some()
    }

    fn invalid_messages(&self) -> u64 {
        self.invalid_messages
    }

    fn is_busy(&self) -> bool {
        true
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.outbound.missed_by(pipe)
    }
}

impl Raw for RawStar {
    fn send_first(&mut self, body: &mut Payload<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.outbound.send(&hops::encode(0), body, None, context);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, simulate, wire};
    use crate::protocol::{self, Protocol, Refusal};

    #[test]
    fn a_message_goes_to_all_peers_that_have_room() {
        simulate(&protocol::STAR, false, |mut star| {
            assert_eq!(star.send("no peer"), Ok(()));
            star.attach_with(1, 8, 1).unwrap();
            star.attach(2);
            assert_eq!((star.send("a"), star.send("b")), (Ok(()), Ok(())));
            assert_eq!(star.sent(1), [b"\0\0\0\0a"]);
            assert_eq!(star.sent(2), [b"\0\0\0\0a", b"\0\0\0\0b"]);
            assert_eq!(star.send_raw(&[0; 4], "x"), Err(Refusal::InvalidArgument));
        });
    }

    #[test]
    fn a_message_is_forwarded_to_all_others_before_it_is_received() {
        for raw in [false, true] {
            simulate(&protocol::STAR, raw, |mut star| {
                (1..=3).for_each(|pipe| star.attach(pipe));
                star.arrive(2, wire(&[0], "a"));
                star.arrive(2, wire(&[6], "b"));
                star.arrive(1, wire(&[0], "c"));
                assert_eq!(star.sent(1), [wire(&[1], "a"), wire(&[7], "b")]);
                assert_eq!(star.sent(2), [wire(&[1], "c")]);
                assert_eq!(star.sent(3), [wire(&[1], "a"), wire(&[7], "b"), wire(&[1], "c")]);
                let mut bodies = star.bodies();
                bodies.sort();
                assert_eq!(bodies, ["a", "b", "c"]);
                star.arrive(2, wire(&[0], "d"));
                assert_eq!(star.sent(3), [wire(&[1], "d")]);
                assert!(star.sent(2).is_empty());
            });
        }
    }

    #[test]
    fn a_peer_without_room_misses_what_is_forwarded() {
        simulate(&protocol::STAR, false, |mut star| {
            star.attach(1);
            star.attach_with(2, 8, 1).unwrap();
            star.attach(3);
            for text in ["a", "b"] {
                star.arrive(1, wire(&[0], text));
            }
            assert_eq!((star.sent(2).len(), star.sent(3).len()), (1, 2));
            assert_eq!(star.bodies(), ["a", "b"]);
        });
    }

    #[test]
    fn malformed_messages_and_those_of_too_many_hops_are_dropped() {
        for raw in [false, true] {
            simulate(&protocol::STAR, raw, |mut star| {
                star.attach(1);
                star.attach(2);
                for hops in [0, 7, 8, 255, 256, 0x8000_0000] {
                    star.arrive(1, wire(&[hops], &format!("{hops}")));
                }
                star.arrive(1, b"\0\0\0");
                star.arrive(1, wire(&[1], ""));
                assert_eq!(star.sent(2), [wire(&[1], "0"), wire(&[8], "7"), wire(&[2], "")]);
                assert_eq!(star.bodies(), ["0", "7", ""]);
                assert_eq!(star.machine.invalid_messages(), 5);
            });
        }
    }

    #[test]
    fn messages_of_an_only_peer_are_forwarded_once_there_is_another_one() {
        simulate(&protocol::STAR, false, |mut star| {
            star.attach(1);
            star.arrive(1, wire(&[0], "received before"));
            assert_eq!(star.body().as_deref(), Ok("received before"));
            star.arrive(1, wire(&[0], "not received"));
            star.attach(2);
            assert_eq!(star.sent(2), [wire(&[1], "not received")]);
            star.detach(2);
            star.arrive(1, wire(&[0], "a"));
            assert_eq!(star.bodies(), ["not received", "a"]);
        });
    }

    #[test]
    fn what_a_closed_peer_has_sent_is_forwarded() {
        simulate(&protocol::STAR, false, |mut star| {
            star.attach(1);
            star.attach(2);
            star.arrive_and_close(1, wire(&[0], "last"));
            star.arrive(2, wire(&[0], "a"));
            star.attach(3);
            assert_eq!(star.sent(3), [wire(&[1], "a")]);
            assert_eq!(star.bodies(), ["last", "a"]);
            assert_eq!(star.sent(2), [wire(&[1], "last")]);
        });
    }

    #[test]
    fn a_raw_header_is_a_hop_count() {
        simulate(&protocol::STAR, true, |mut star| {
            star.attach(1);
            star.attach(2);
            star.arrive(1, wire(&[3], "a"));
            let Received { header, body, .. } = star.recv().unwrap();
            assert_eq!((&header[..], &*body), (&wire(&[4], "")[..], "a"));
            assert_eq!(star.sent(2), [wire(&[4], "a")]);
            assert_eq!(star.send_raw(&header, &body), Ok(()));
            assert_eq!((star.sent(1), star.sent(2)), (vec![wire(&[4], "a")], vec![wire(&[4], "a")]));
            for wrong in [&b""[..], &[0; 3], &[0; 8], &[0, 0, 1, 0]] {
                assert_eq!(star.send_raw(wrong, "x"), Err(Refusal::InvalidArgument), "{wrong:?}");
            }
        });
    }
}
