//! Two sides of a connection, joined by a stream that cuts anywhere, with a clock that the test sets.

use std::collections::VecDeque;
use std::hash::RandomState;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::message::{Chunk, Front, MessageType, Metadata};

const SECOND: Duration = Duration::from_secs(1);

/// Messages to be sent, and what was reported of them.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) messages: VecDeque<(Vec<u8>, Chunk)>,
    is_parked: bool,
    is_told: bool,
    report_at: Option<usize>,
}

impl Queue {
    pub(super) fn push(&mut self, head: &[u8], body: &[u8]) {
        self.messages.push_back((head.to_vec(), Chunk::copy_of(body).unwrap()));
    }

    fn bytes(&self) -> usize {
        self.messages.iter().map(|(head, body)| head.len() + body.len()).sum()
    }
}

impl Messages for Queue {
    fn front(&mut self, parks: bool) -> Option<Front<'_>> {
        self.is_parked = parks && self.messages.is_empty();
        let (head, body) = self.messages.front()?;
        Some(Front { head, body, metadata: Metadata::default() })
    }

    fn skip(&mut self) {
        self.messages.pop_front();
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        self.messages.pop_front().map(|(_, body)| body)
    }

    fn publish_progress(&mut self) -> bool {
        std::mem::replace(&mut self.is_told, true)
    }

    fn report_at(&mut self, bytes: usize) -> bool {
        self.report_at = Some(bytes);
        self.bytes() >= bytes
    }
}

/// One side of a connection.
struct Side {
    inbound: Inbound,
    outbound: Outbound,
    mapping: Mapping,
    queue: Queue,
    received: Vec<Vec<u8>>,
    /// The largest message that is taken.
    max: Option<usize>,
    now: Duration,
}

/// How a side's connection ends, with its last words.
#[derive(Debug, PartialEq, Eq)]
struct Ended(Vec<u8>);

impl Side {
    fn new(mapping: Mapping) -> Side {
        let begun = mapping.begin(PAIR, MessageType::Binary, Random::new(RandomState::new()));
        Side {
            inbound: Inbound::new(begun.greeting, Duration::ZERO),
            outbound: Outbound::new(&begun.initial_bytes, begun.encoder),
            mapping,
            queue: Queue::default(),
            received: Vec::new(),
            max: None,
            now: Duration::ZERO,
        }
    }

    /// What a driver does with bytes that it has read.
    fn receive(&mut self, mut input: &[u8]) -> Result<(), Ended> {
        let greeted = self.inbound.greet(&mut input).map_err(|bad| Ended(bad.final_reply))?;
        if let Some(greeted) = greeted {
            assert_eq!(greeted.protocol, PAIR.peer.number);
            self.outbound.append(&greeted.reply);
            self.inbound.open(self.mapping.decoder());
        }
        while !input.is_empty() {
            let received = &mut self.received;
            let each = |frame: Frame<'_>, _| {
                received.push(match frame {
                    Frame::Bytes(bytes) => bytes.to_vec(),
                    Frame::Chunk(chunk) => chunk.to_vec(),
                });
            };
            let direct = self.inbound.spare().map_err(|bad| Ended(self.outbound.final_reply(bad)))?;
            let outcome = match direct {
                Some(memory) => {
                    let count = memory.len().min(input.len());
                    let part = input.split_off(..count).unwrap();
                    for (to, from) in memory.iter_mut().zip(part) {
                        to.write(*from);
                    }
                    // SAFETY: so many bytes were written just now.
                    unsafe { self.inbound.appended(count, each) }
                }
                None => {
                    let fed = self.inbound.feed(std::mem::take(&mut input), self.max, each);
                    if let Some(said) = fed.ping {
                        self.outbound.answer_ping(&said);
                    }
                    fed.outcome
                }
            };
            outcome.map_err(|bad| Ended(self.outbound.final_reply(bad)))?;
        }
        if self.inbound.is_mid_message() {
            self.inbound.heard_part(self.now);
        }
        Ok(())
    }

    /// At most `count` bytes of what is to leave next.
    fn send(&mut self, count: usize) -> Vec<u8> {
        self.outbound.fill(&mut self.queue).unwrap();
        let mut bytes: Vec<u8> = self.outbound.front().flatten().copied().take(count).collect();
        bytes.truncate(count);
        self.outbound.sent(bytes.len());
        bytes
    }
}

/// The side that connects, and the one that is bound, of each mapping.
fn mappings() -> [(Mapping, Mapping); 3] {
    let client = Mapping::WebSocketClient {
        authority: "h".into(),
        resource: "/".into(),
        message_type: MessageType::Binary,
    };
    [(Mapping::Tcp, Mapping::Tcp), (Mapping::Ipc, Mapping::Ipc), (client, Mapping::WebSocketServer)]
}

/// Two sides that have greeted each other.
fn greeted((client, server): (Mapping, Mapping)) -> (Side, Side) {
    let (mut client, mut server) = (Side::new(client), Side::new(server));
    run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap();
    (client, server)
}

/// Moves bytes in both directions, as many at a time as `cuts` says, until nothing moves any more.
fn run(one: &mut Side, other: &mut Side, cuts: &mut impl Iterator<Item = usize>) -> Result<(), Ended> {
    loop {
        let (there, back) = (one.send(cuts.next().unwrap()), other.send(cuts.next().unwrap()));
        if there.is_empty() && back.is_empty() {
            return Ok(());
        }
        other.receive(&there)?;
        one.receive(&back)?;
    }
}

/// A message of so many bytes, which tells it from others.
fn body(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place.wrapping_mul(31) ^ size) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_arrive_whole_and_in_order_wherever_the_stream_is_cut(
        cuts in prop::collection::vec(prop_oneof![1..8_usize, 1..5_000_usize, Just(200_000_usize)], 1..40),
        sizes in prop::collection::vec(prop_oneof![0..10_usize, 100..2_000_usize, 20_000..70_000_usize], 0..8),
    ) {
        for (client, server) in mappings() {
            let (mut client, mut server) = (Side::new(client), Side::new(server));
            for size in &sizes {
                client.queue.push(b"head", &body(*size));
                server.queue.push(&[], &body(size + 1));
            }
            // What is sent before the peer has greeted would wait in the queue.
            let (mut early, mut late) = (std::mem::take(&mut client.queue), std::mem::take(&mut server.queue));
            let mut cuts = cuts.iter().copied().cycle();
            run(&mut client, &mut server, &mut cuts).unwrap();
            std::mem::swap(&mut client.queue, &mut early);
            std::mem::swap(&mut server.queue, &mut late);
            run(&mut client, &mut server, &mut cuts).unwrap();
            let there: Vec<_> = sizes.iter().map(|size| [b"head".to_vec(), body(*size)].concat()).collect();
            let back: Vec<_> = sizes.iter().map(|size| body(size + 1)).collect();
            prop_assert_eq!((server.received, client.received), (there, back));
        }
    }
}

#[test]
fn a_message_of_more_than_a_fragment_arrives_whole() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(b"head", &body(2_300_000));
        run(&mut client, &mut server, &mut [100_000, 7].into_iter().cycle()).unwrap();
        assert!(server.received == [[b"head".to_vec(), body(2_300_000)].concat()]);
        assert!(server.inbound.expects_large() && !client.inbound.expects_large());
    }
}

#[test]
fn a_greeting_has_its_time_and_no_more() {
    for (client, _) in mappings() {
        let mut side = Side::new(client);
        assert_eq!(side.inbound.check_time(GREETING_TIME - SECOND), TimeCheck::InTime);
        assert_eq!(side.inbound.check_time(GREETING_TIME), TimeCheck::Exceeded);
    }
}

#[test]
fn a_peer_that_is_silent_in_the_middle_of_a_message_is_late_after_half_a_minute() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(&[], &body(5_000));
        let bytes = client.send(usize::MAX);
        // Between two messages it may be silent for ever.
        assert_eq!(server.inbound.check_time(1000 * SECOND), TimeCheck::InTime);
        server.now = 1000 * SECOND;
        server.receive(&bytes[..20]).unwrap();
        assert_eq!(server.inbound.check_time(1029 * SECOND), TimeCheck::InTime);
        server.now = 1020 * SECOND;
        server.receive(&bytes[20..21]).unwrap();
        assert_eq!(server.inbound.check_time(1030 * SECOND), TimeCheck::Until(1050 * SECOND));
        assert_eq!(server.inbound.check_time(1049 * SECOND), TimeCheck::InTime);
        // A peer that is not read from is not silent.
        server.inbound.hold_back(true);
        assert_eq!(server.inbound.check_time(1050 * SECOND), TimeCheck::Until(1080 * SECOND));
        server.inbound.hold_back(false);
        assert_eq!(server.inbound.check_time(1080 * SECOND), TimeCheck::Exceeded);
        server.receive(&bytes[21..]).unwrap();
        assert_eq!(server.inbound.check_time(2000 * SECOND), TimeCheck::InTime);
    }
}

#[test]
fn a_message_that_is_too_long_ends_the_connection_with_a_word_where_there_is_one() {
    for mapping in mappings() {
        let is_websocket = mapping.1 == Mapping::WebSocketServer;
        let (mut client, mut server) = greeted(mapping);
        server.max = Some(1000);
        client.queue.push(&[], &body(1000));
        client.queue.push(&[], &body(1001));
        let ended = run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap_err();
        assert_eq!(server.received, [body(1000)]);
        // A close frame with code 1009 (RFC 6455, 7.4.1).
        assert_eq!(ended.0, if is_websocket { vec![0x88, 2, 0x03, 0xf1] } else { Vec::new() });
    }
}

#[test]
fn what_is_no_greeting_is_refused_at_the_first_wrong_byte() {
    for (client, _) in mappings() {
        assert!(Side::new(client).receive(b"\0SX").is_err());
    }
    let mut server = Side::new(Mapping::WebSocketServer);
    let Ended(words) = server.receive(b"GET / HTTP/1.0\r\n\r\n").unwrap_err();
    assert!(words.starts_with(b"HTTP/1.1 "), "{words:?}");
}

#[test]
fn what_a_protocol_refuses_is_told_so_where_there_is_a_word_for_it() {
    let words = mappings().map(|(_, server)| Side::new(server).inbound.refusal());
    assert!(words[0].is_empty() && words[1].is_empty() && words[2].starts_with(b"HTTP/1.1 "));
    let (_, server) = greeted(mappings()[2].clone());
    assert!(server.inbound.refusal().is_empty(), "it is welcome already");
}

#[test]
fn of_pings_that_are_not_read_the_answers_do_not_gather() {
    let [.., websocket] = mappings();
    let (mut client, mut server) = greeted(websocket);
    for number in 0..1000_u16 {
        server.outbound.answer_ping(&number.to_be_bytes());
        server.outbound.fill(&mut server.queue).unwrap();
    }
    let mut answers = Vec::new();
    loop {
        let part = server.send(3);
        if part.is_empty() {
            break;
        }
        answers.extend(part);
    }
    assert_eq!(answers, [0x8a, 2, 0, 0, 0x8a, 2, 0x03, 0xe7]);
    client.receive(&answers).unwrap();
    assert!(client.received.is_empty());
}

#[test]
fn after_the_end_what_comes_is_dropped_and_noted() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        server.inbound.close();
        assert!(!server.inbound.has_heard_more());
        client.queue.push(&[], b"late");
        run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap();
        assert!(server.inbound.has_heard_more() && server.received.is_empty());
        server.inbound.close();
        assert!(server.inbound.has_heard_more(), "an end is final");
        assert_eq!(server.inbound.check_time(1000 * SECOND), TimeCheck::InTime);
    }
}

#[test]
fn messages_that_gather_are_written_when_they_are_enough() {
    let (mut side, _) = greeted(mappings()[0].clone());
    side.queue.push(&[], b"first");
    assert!(!side.outbound.gathers());
    side.outbound.gather(&mut side.queue, SECOND);
    assert!(side.outbound.gathers());
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 128].map(|count| count * 512) {
        assert_eq!(side.queue.report_at, Some(expected));
        side.outbound.note_enough(SECOND, 1);
        side.send(usize::MAX);
        assert!(!side.queue.is_parked, "the next message is not reported");
        assert!(!side.outbound.rest(Some(&mut side.queue)));
    }
    // A lane that is full is written before it is enough.
    assert!(side.outbound.take_written() && !side.outbound.take_written());
    side.outbound.note_full();
    assert!(side.outbound.take_written());
    assert!(!side.outbound.rest(Some(&mut side.queue)));
    assert_eq!(side.queue.report_at, Some(64 * 1024));
    // What has gathered while the last was written is written as well.
    side.queue.push(&[], &body(64 * 1024));
    assert!(side.outbound.rest(Some(&mut side.queue)));
    side.outbound.stop_gathering();
    assert!(!side.outbound.rest(Some(&mut side.queue)));
    side.send(usize::MAX);
    side.outbound.fill(&mut side.queue).unwrap();
    assert!(side.queue.is_parked, "the next message is reported");
}

/// How much is enough, after writes of two connections that come at these intervals.
fn enough_after(intervals: &[u64]) -> usize {
    let (mut side, _) = greeted(mappings()[0].clone());
    let mut now = SECOND;
    side.outbound.gather(&mut side.queue, now);
    for interval in intervals {
        now += Duration::from_micros(2 * interval);
        side.outbound.note_enough(now, 2);
    }
    // A lane that was full says that the receiver is slow, not the sender.
    for _ in 0..100 {
        side.outbound.note_full();
        now += SECOND;
        side.outbound.note_enough(now, 2);
    }
    side.outbound.rest(Some(&mut side.queue));
    side.queue.report_at.unwrap()
}

#[test]
fn the_more_a_sender_sends_the_more_gathers() {
    let least = 512;
    assert_eq!(enough_after(&[15]), 2 * least, "the writes are frequent");
    assert_eq!(enough_after(&[16; 9]), least, "they are neither frequent nor rare");
    assert_eq!(enough_after(&[1, 1, 1, 64]), 16 * least, "it is a flood");
    let rare = [&[1; 3][..], &[70; 4]].concat();
    assert_eq!(enough_after(&rare), 4 * least);
    assert_eq!(enough_after(&rare[..6]), 8 * least, "so few may be chance");
    assert_eq!(enough_after(&[&rare[..], &[1000; 40]].concat()), least);
}

#[test]
fn a_sender_that_waits_for_room_is_told_once_for_all_that_was_taken() {
    let (mut side, _) = greeted(mappings()[1].clone());
    side.queue.is_told = false;
    side.queue.push(&[], b"one");
    side.queue.push(&[], b"two");
    assert!(!side.outbound.fill(&mut side.queue).unwrap());
    assert!(side.queue.is_told);
    side.queue.push(&[], b"three");
    assert!(side.outbound.fill(&mut side.queue).unwrap());
    assert!(!side.outbound.fill(&mut side.queue).unwrap(), "nothing was taken");
}
