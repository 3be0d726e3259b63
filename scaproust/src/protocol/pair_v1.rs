//! PAIR v1: PAIR with a hop count in front of each message, so that devices cannot forward a message in a loop.
//!
//! The first sender sends the hop count 1, and each device adds 1. A receiver accepts 0 to `NN_MAXTTL`; it drops messages
//! with a higher count, and malformed ones, and counts them. The protocol header on a raw socket is the hop count.

use super::cooked::Raw;
use super::policy::Exclusive;
use super::{Context, Delivery, HeaderSource, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, hops};
use crate::message::{Outgoing, Payload};

/// The most hops of a message that a raw socket receives: with one more it could not be sent on.
const RAW_LIMIT: usize = 254;

/// The machine of a raw PAIR v1 socket.
#[derive(Debug)]
pub struct RawPairV1 {
    exclusive: Exclusive,
    invalid_messages: u64,
}

impl RawPairV1 {
    pub fn new() -> RawPairV1 {
        RawPairV1 { exclusive: Exclusive::new(), invalid_messages: 0 }
    }

    /// Sends a message with this hop count.
    fn send_after(
        &mut self,
        hops: u8,
        body: &mut Payload<'_>,
        context: &mut impl Context,
    ) -> Result<(), Refusal> {
        let is_sent = self.exclusive.send(&hops::encode(hops), body, context);
        if is_sent { Ok(()) } else { Err(Refusal::WouldBlock) }
    }

    /// The pipe of the next message that has made at most `limit` hops.
    fn find(&mut self, limit: usize, context: &mut impl Context) -> Option<PipeId> {
        let limit = limit.min(context.max_hops());
        self.exclusive.find(context, |front| {
            let is_valid = hops::decode(front).is_some_and(|hops| usize::from(hops) <= limit);
            self.invalid_messages += u64::from(!is_valid);
            is_valid
        })
    }
}

impl Protocol for RawPairV1 {
    fn attach(&mut self, pipe: PipeId, _options: PipeOptions) -> Result<(), PipeRefused> {
        self.exclusive.insert(pipe)
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.release(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.exclusive.open(pipe);
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let hops = hops::of_header(&message.header)?.checked_add(1).ok_or(Refusal::InvalidArgument)?;
        self.send_after(hops, &mut message.body, context)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let pipe = self.find(RAW_LIMIT, context).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery { pipe, skip: hops::SIZE, header: HeaderSource::Skipped })
    }

    fn can_send(&mut self, context: &mut impl Context) -> bool {
        self.exclusive.can_send(context)
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.find(RAW_LIMIT, context).is_some()
    }

    fn invalid_messages(&self) -> u64 {
        self.invalid_messages
    }
}

impl Raw for RawPairV1 {
    fn send_first(&mut self, body: &mut Payload<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        self.send_after(1, body, context)
    }

    fn recv_last(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let pipe = self.find(usize::MAX, context).ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, hops::SIZE))
    }

    fn can_recv_last(&mut self, context: &mut impl Context) -> bool {
        self.find(usize::MAX, context).is_some()
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::simulation::{Received, simulate, wire};
    use crate::protocol::{self, PipeRefused, Protocol, Refusal};

    /// The limit in the simulation.
    const MAX_HOPS: u32 = 8;

    #[test]
    fn sends_to_and_receives_from_one_peer() {
        simulate(&protocol::PAIR_V1, false, |mut socket| {
            assert_eq!(socket.send("no peer"), Err(Refusal::WouldBlock));
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
            socket.attach(1);
            assert_eq!(socket.attach_with(2, 8, 1), Err(PipeRefused));
            assert_eq!(socket.send("a"), Ok(()));
            assert_eq!(socket.send_raw(b"\0\0\0\0", "b"), Err(Refusal::InvalidArgument));
            assert_eq!(socket.sent(1), [b"\0\0\0\x01a"]);
            socket.arrive(1, wire(&[1], "b"));
            assert_eq!(socket.recv(), Ok(Received { pipe: 1, header: vec![], body: "b".into() }));
        });
    }

    #[test]
    fn malformed_messages_and_those_of_too_many_hops_are_dropped_and_counted() {
        for raw in [false, true] {
            simulate(&protocol::PAIR_V1, raw, |mut socket| {
                socket.attach(1);
                for hops in [0, 1, MAX_HOPS, MAX_HOPS + 1, 255, 256, 0x0100_0000] {
                    socket.arrive(1, wire(&[hops], &format!("{hops}")));
                }
                for short in [&b""[..], b"\0", b"\0\0\0"] {
                    socket.arrive(1, short);
                }
                socket.arrive(1, wire(&[1], ""));
                assert_eq!(socket.bodies(), ["0", "1", "8", ""]);
                assert_eq!(socket.machine.invalid_messages(), 7);
                assert_eq!(socket.send_raw(if raw { &[0; 4] } else { &[] }, "still connected"), Ok(()));
            });
        }
    }

    #[test]
    fn a_raw_message_is_sent_with_one_more_hop_than_its_header_has() {
        simulate(&protocol::PAIR_V1, true, |mut socket| {
            socket.attach(1);
            socket.arrive(1, wire(&[3], "a"));
            let Received { header, body, .. } = socket.recv().unwrap();
            assert_eq!((&header[..], &*body), (&wire(&[3], "")[..], "a"));
            assert_eq!(socket.send_raw(&header, &body), Ok(()));
            assert_eq!(socket.sent(1), [wire(&[4], "a")]);
        });
    }

    #[test]
    fn a_raw_header_is_a_hop_count_below_255() {
        simulate(&protocol::PAIR_V1, true, |mut socket| {
            socket.attach(1);
            for wrong in [&b""[..], &[0; 3], &[0; 5], &[0, 0, 1, 0], &[1, 0, 0, 0], &[0, 0, 0, 255]] {
                assert_eq!(socket.send_raw(wrong, "x"), Err(Refusal::InvalidArgument), "{wrong:?}");
            }
            assert_eq!(socket.send_raw(&[0, 0, 0, 254], "x"), Ok(()));
            assert_eq!(socket.sent(1), [wire(&[255], "x")]);
        });
    }

    #[test]
    fn a_raw_socket_receives_nothing_that_it_could_not_send_on() {
        for (raw, received) in [(true, &["254"][..]), (false, &["254", "255"])] {
            simulate(&protocol::PAIR_V1, raw, |mut socket| {
                socket.world.max_hops = 255;
                socket.attach(1);
                for hops in [254, 255] {
                    socket.arrive(1, wire(&[hops], &format!("{hops}")));
                }
                assert_eq!(socket.bodies(), received);
            });
        }
    }

    #[test]
    fn a_pair_can_be_its_own_peer() {
        simulate(&protocol::PAIR_V1, false, |mut socket| {
            socket.attach(1);
            socket.join_lanes(1);
            for text in ["a", "b"] {
                assert_eq!(socket.send(text), Ok(()));
                assert_eq!(socket.body().as_deref(), Ok(text));
            }
            assert_eq!(socket.recv(), Err(Refusal::WouldBlock));
        });
    }
}
