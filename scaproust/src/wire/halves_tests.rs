//! Two ends of a connection, joined by a stream that is cut anywhere, with a clock that the test sets.

use std::collections::VecDeque;
use std::hash::RandomState;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::message::{Chunk, Front, MessageType, Metadata, Payload};

const SECOND: Duration = Duration::from_secs(1);

/// Messages to be sent, and what the outbound half has asked of the queue.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) messages: VecDeque<(Vec<u8>, Chunk)>,
    is_parked: bool,
    /// Whether [`MessageQueue::publish_progress`] was called.
    is_published: bool,
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

impl MessageQueue for Queue {
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
        std::mem::replace(&mut self.is_published, true)
    }

    fn report_at(&mut self, bytes: usize) -> bool {
        self.report_at = Some(bytes);
        self.bytes() >= bytes
    }
}

/// One end of a connection, with the part of a driver that matters here.
struct End {
    inbound: Inbound,
    outbound: Outbound,
    mapping: Mapping,
    queue: Queue,
    received: Vec<Vec<u8>>,
    /// The longest message to receive.
    max: Option<usize>,
    now: Duration,
}

/// The connection must be closed, after this final reply.
#[derive(Debug, PartialEq, Eq)]
struct Closed(Vec<u8>);

impl End {
    fn new(mapping: Mapping) -> End {
        let handshake = mapping.begin(PAIR, MessageType::Binary, Random::new(RandomState::new()));
        End {
            inbound: Inbound::new(handshake.greeting, Duration::ZERO),
            outbound: Outbound::new(&handshake.initial_bytes, handshake.encoder),
            mapping,
            queue: Queue::default(),
            received: Vec::new(),
            max: None,
            now: Duration::ZERO,
        }
    }

    /// Handles bytes as a driver does that has read them.
    fn receive(&mut self, mut input: &[u8]) -> Result<(), Closed> {
        let greeted = self.inbound.greet(&mut input).map_err(|bad| Closed(bad.final_reply))?;
        if let Some(greeted) = greeted {
            assert_eq!(greeted.protocol, PAIR.peer.number);
            self.outbound.append(&greeted.reply);
            self.inbound.open(self.mapping.decoder());
        }
        while !input.is_empty() {
            let received = &mut self.received;
            let each = |payload: Payload<'_>, _| received.push(payload.bytes().to_vec());
            let direct = self.inbound.spare().map_err(|bad| Closed(self.outbound.final_reply(bad)))?;
            let outcome = match direct {
                Some(memory) => {
                    let count = memory.len().min(input.len());
                    let part = input.split_off(..count).unwrap();
                    for (to, from) in memory.iter_mut().zip(part) {
                        to.write(*from);
                    }
                    // SAFETY: that many bytes were just written.
                    unsafe { self.inbound.appended(count, each) }
                }
                None => {
                    let fed = self.inbound.feed(std::mem::take(&mut input), self.max, each);
                    if let Some(payload) = fed.ping {
                        self.outbound.answer_ping(&payload);
                    }
                    fed.outcome
                }
            };
            outcome.map_err(|bad| Closed(self.outbound.final_reply(bad)))?;
        }
        if self.inbound.is_mid_message() {
            self.inbound.note_part(self.now);
        }
        Ok(())
    }

    /// Sends the next bytes, at most `count`.
    fn send(&mut self, count: usize) -> Vec<u8> {
        self.outbound.fill(&mut self.queue).unwrap();
        let mut bytes: Vec<u8> = self.outbound.front().flatten().copied().take(count).collect();
        bytes.truncate(count);
        self.outbound.note_sent(bytes.len());
        bytes
    }
}

/// The connecting and the bound side of each mapping.
fn mappings() -> [(Mapping, Mapping); 3] {
    let client = Mapping::WebSocketClient {
        authority: "h".into(),
        resource: "/".into(),
        message_type: MessageType::Binary,
    };
    [(Mapping::Tcp, Mapping::Tcp), (Mapping::Ipc, Mapping::Ipc), (client, Mapping::WebSocketServer)]
}

/// Two ends that have exchanged their greetings.
fn greeted((client, server): (Mapping, Mapping)) -> (End, End) {
    let (mut client, mut server) = (End::new(client), End::new(server));
    run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap();
    (client, server)
}

/// Moves bytes in both directions, in parts of the sizes in `cuts`, until there are none.
fn run(one: &mut End, other: &mut End, cuts: &mut impl Iterator<Item = usize>) -> Result<(), Closed> {
    loop {
        let (there, back) = (one.send(cuts.next().unwrap()), other.send(cuts.next().unwrap()));
        if there.is_empty() && back.is_empty() {
            return Ok(());
        }
        other.receive(&there)?;
        one.receive(&back)?;
    }
}

/// A message of this size, with bytes that no other message has.
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
            let (mut client, mut server) = (End::new(client), End::new(server));
            for size in &sizes {
                client.queue.push(b"head", &body(*size));
                server.queue.push(&[], &body(size + 1));
            }
            // The greetings are exchanged while the queues are empty, as in a connection.
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
fn a_message_of_several_fragments_arrives_whole() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(b"head", &body(2_300_000));
        run(&mut client, &mut server, &mut [100_000, 7].into_iter().cycle()).unwrap();
        assert!(server.received == [[b"head".to_vec(), body(2_300_000)].concat()]);
        assert!(server.inbound.expects_large() && !client.inbound.expects_large());
    }
}

#[test]
fn a_greeting_has_a_time_limit() {
    for (client, _) in mappings() {
        let mut end = End::new(client);
        assert_eq!(end.inbound.check_time(GREETING_TIME - SECOND), TimeCheck::InTime);
        assert_eq!(end.inbound.check_time(GREETING_TIME), TimeCheck::Exceeded);
    }
}

#[test]
fn a_message_has_a_time_limit_between_two_parts() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(&[], &body(5_000));
        let bytes = client.send(usize::MAX);
        // There is no limit between two messages.
        assert_eq!(server.inbound.check_time(1000 * SECOND), TimeCheck::InTime);
        server.now = 1000 * SECOND;
        server.receive(&bytes[..20]).unwrap();
        assert_eq!(server.inbound.check_time(1029 * SECOND), TimeCheck::InTime);
        server.now = 1020 * SECOND;
        server.receive(&bytes[20..21]).unwrap();
        assert_eq!(server.inbound.check_time(1030 * SECOND), TimeCheck::Until(1050 * SECOND));
        assert_eq!(server.inbound.check_time(1049 * SECOND), TimeCheck::InTime);
        // Nor under back-pressure.
        server.inbound.note_back_pressure(true);
        assert_eq!(server.inbound.check_time(1050 * SECOND), TimeCheck::Until(1080 * SECOND));
        server.inbound.note_back_pressure(false);
        assert_eq!(server.inbound.check_time(1080 * SECOND), TimeCheck::Exceeded);
        server.receive(&bytes[21..]).unwrap();
        assert_eq!(server.inbound.check_time(2000 * SECOND), TimeCheck::InTime);
    }
}

#[test]
fn a_message_that_is_too_long_ends_the_connection() {
    for mapping in mappings() {
        let is_websocket = mapping.1 == Mapping::WebSocketServer;
        let (mut client, mut server) = greeted(mapping);
        server.max = Some(1000);
        client.queue.push(&[], &body(1000));
        client.queue.push(&[], &body(1001));
        let closed = run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap_err();
        assert_eq!(server.received, [body(1000)]);
        // A close frame with code 1009 (RFC 6455, 7.4.1).
        assert_eq!(closed.0, if is_websocket { vec![0x88, 2, 0x03, 0xf1] } else { Vec::new() });
    }
}

#[test]
fn an_invalid_greeting_is_refused_at_its_first_wrong_byte() {
    for (client, _) in mappings() {
        assert!(End::new(client).receive(b"\0SX").is_err());
    }
    let mut server = End::new(Mapping::WebSocketServer);
    let Closed(final_reply) = server.receive(b"GET / HTTP/1.0\r\n\r\n").unwrap_err();
    assert!(final_reply.starts_with(b"HTTP/1.1 "), "{final_reply:?}");
}

#[test]
fn a_refused_peer_gets_a_reply_over_ws_only() {
    let replies = mappings().map(|(_, server)| End::new(server).inbound.refusal());
    assert!(replies[0].is_empty() && replies[1].is_empty() && replies[2].starts_with(b"HTTP/1.1 "));
    let (_, server) = greeted(mappings()[2].clone());
    assert!(server.inbound.refusal().is_empty(), "it is accepted already");
}

#[test]
fn unsent_pongs_are_replaced_by_the_last() {
    let [.., websocket] = mappings();
    let (mut client, mut server) = greeted(websocket);
    for number in 0..1000_u16 {
        server.outbound.answer_ping(&number.to_be_bytes());
        server.outbound.fill(&mut server.queue).unwrap();
    }
    let mut pongs = Vec::new();
    loop {
        let part = server.send(3);
        if part.is_empty() {
            break;
        }
        pongs.extend(part);
    }
    assert_eq!(pongs, [0x8a, 2, 0, 0, 0x8a, 2, 0x03, 0xe7]);
    client.receive(&pongs).unwrap();
    assert!(client.received.is_empty());
}

#[test]
fn bytes_are_dropped_and_noted_after_close() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        server.inbound.close();
        assert!(!server.inbound.has_dropped_bytes());
        client.queue.push(&[], b"late");
        run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap();
        assert!(server.inbound.has_dropped_bytes() && server.received.is_empty());
        server.inbound.close();
        assert!(server.inbound.has_dropped_bytes(), "the second close changes nothing");
        assert_eq!(server.inbound.check_time(1000 * SECOND), TimeCheck::InTime);
    }
}

#[test]
fn the_reported_number_of_gathered_bytes_doubles_up_to_a_limit() {
    let (mut end, _) = greeted(mappings()[0].clone());
    end.queue.push(&[], b"first");
    assert!(!end.outbound.is_gathering());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    assert!(end.outbound.is_gathering());
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 128].map(|count| count * 512) {
        assert_eq!(end.queue.report_at, Some(expected));
        end.send(usize::MAX);
        assert!(end.outbound.note_enough(SECOND, 2 * SECOND, 1));
        end.queue.push(&[], b"next");
        assert!(!end.queue.is_parked, "the next message is not reported");
        assert!(!end.outbound.note_idle(Some(&mut end.queue)));
    }
    // A full queue is written before there is enough in it, and changes nothing.
    assert!(end.outbound.take_written_by_sender() && !end.outbound.take_written_by_sender());
    end.outbound.note_full();
    assert!(end.outbound.take_written_by_sender());
    assert!(!end.outbound.note_idle(Some(&mut end.queue)));
    assert_eq!(end.queue.report_at, Some(64 * 1024));
    // Messages that have gathered during the last write are written as well.
    end.queue.push(&[], &body(64 * 1024));
    assert!(end.outbound.note_idle(Some(&mut end.queue)));
    end.outbound.stop_gathering();
    assert!(!end.outbound.note_idle(Some(&mut end.queue)));
    end.send(usize::MAX);
    end.outbound.fill(&mut end.queue).unwrap();
    assert!(end.queue.is_parked, "the next message is reported");
}

/// Writes of the sender that each take 10 µs and bring so many messages, at intervals in microseconds. Its messages gather for
/// two connections. Returns how many bytes are enough in the end, and whether gathering was worth it all the time.
fn gather(writes: impl IntoIterator<Item = (u64, usize)>) -> (usize, bool) {
    let (mut end, _) = greeted(mappings()[0].clone());
    let mut now = SECOND;
    let mut is_worth_it = true;
    end.outbound.begin_gathering(&mut end.queue, now);
    for (interval, messages) in writes {
        now += Duration::from_micros(2 * interval);
        (0..messages).for_each(|_| end.queue.push(&[], b"message"));
        end.send(usize::MAX);
        is_worth_it &= end.outbound.note_enough(now, now + Duration::from_micros(10), 2);
    }
    end.outbound.note_idle(Some(&mut end.queue));
    (end.queue.report_at.unwrap(), is_worth_it)
}

#[test]
fn the_number_of_gathered_bytes_follows_the_rate_of_the_sender() {
    let min = 512;
    let flood = [(1, 9); 3];
    assert_eq!(gather([(15, 9)]), (2 * min, true), "writes take two thirds of the time");
    assert_eq!(gather([(16, 9); 9]), (min, true), "they take more than a quarter");
    assert_eq!(gather(flood), (8 * min, true));
    assert_eq!(
        gather(flood.into_iter().chain([(64, 9)])),
        (16 * min, true),
        "64 bytes in a microsecond are a flood"
    );
    let rare = |count| flood.into_iter().chain(std::iter::repeat_n((70, 9), count));
    assert_eq!(gather(rare(3)), (8 * min, true), "three rare writes may be chance");
    assert_eq!(gather(rare(4)), (4 * min, true));
    assert_eq!(gather(rare(100)), (min, true));
}

#[test]
fn gathering_is_worth_it_while_single_writes_would_take_too_long() {
    // Four writes of 10 µs.
    let in_vain = (54, 4);
    assert_eq!(gather([(53, 4); 100]), (512, true));
    assert_eq!(gather([in_vain; 3]), (512, true), "three writes may be chance");
    assert_eq!(gather([in_vain, in_vain, in_vain, (53, 4), in_vain]), (512, true));
    assert_eq!(gather([in_vain; 4]), (512, false));
}

#[test]
fn a_full_queue_does_not_count_as_a_slow_sender() {
    let (mut end, _) = greeted(mappings()[0].clone());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    assert!(end.outbound.note_enough(SECOND, 2 * SECOND, 1));
    for later in 2..100 {
        end.outbound.note_full();
        assert!(end.outbound.note_enough(later * SECOND, later * SECOND, 1));
    }
    end.outbound.note_idle(Some(&mut end.queue));
    assert_eq!(end.queue.report_at, Some(1024));
}

#[test]
fn a_write_whose_thread_lost_the_processor_is_not_taken_for_a_long_one() {
    let (mut end, _) = greeted(mappings()[0].clone());
    let (mut now, write) = (SECOND, Duration::from_micros(10));
    end.outbound.begin_gathering(&mut end.queue, now);
    let mut is_worth_it = true;
    for number in 0..20 {
        now += Duration::from_micros(200);
        let lost = if number % 2 == 1 { SECOND } else { Duration::ZERO };
        is_worth_it &= end.outbound.note_enough(now, now + write + lost, 1);
    }
    assert!(!is_worth_it);
}

#[test]
fn progress_is_published_once_for_all_messages_of_a_fill() {
    let (mut end, _) = greeted(mappings()[1].clone());
    end.queue.is_published = false;
    end.queue.push(&[], b"one");
    end.queue.push(&[], b"two");
    assert!(!end.outbound.fill(&mut end.queue).unwrap());
    assert!(end.queue.is_published);
    end.queue.push(&[], b"three");
    assert!(end.outbound.fill(&mut end.queue).unwrap());
    assert!(!end.outbound.fill(&mut end.queue).unwrap(), "nothing was taken");
}
