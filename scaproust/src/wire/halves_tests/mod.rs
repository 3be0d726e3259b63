//! Two ends of a connection, joined by a stream that is cut anywhere, with a clock that the test sets.

mod inbound;
mod outbound;

use std::collections::VecDeque;
use std::hash::RandomState;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::message::{Chunk, Front, INLINE_MAX, MessageType, Metadata, Payload};

const SECOND: Duration = Duration::from_secs(1);

/// Messages to be sent, and what the outbound half has asked of the queue.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) messages: VecDeque<(Vec<u8>, Chunk)>,
    /// The type of all messages.
    message_type: Option<MessageType>,
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
        Some(Front { head, body, metadata: Metadata { message_type: self.message_type } })
    }

    fn skip(&mut self) {
        self.messages.pop_front();
    }

    fn drain(&mut self, mut takes: impl FnMut(&Front<'_>) -> bool) {
        while let Some((head, body)) = self.messages.front().filter(|(_, body)| body.len() <= INLINE_MAX)
            && takes(&Front { head, body, metadata: Metadata { message_type: self.message_type } })
        {
            self.messages.pop_front();
        }
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
    /// The types of the received messages.
    types: Vec<Option<MessageType>>,
    /// The longest message to receive.
    max: Option<usize>,
    now: Duration,
}

/// The connection must be closed, after this final reply.
#[derive(Debug, PartialEq, Eq)]
struct Closed(Vec<u8>);

impl End {
    fn new(mapping: Mapping) -> End {
        End::with_protocols(mapping, PAIR)
    }

    fn with_protocols(mapping: Mapping, protocols: impl Into<Protocols>) -> End {
        let handshake = mapping.begin(protocols, MessageType::Binary, Random::new(RandomState::new()));
        End {
            inbound: Inbound::new(handshake.greeting, Duration::ZERO),
            outbound: Outbound::new(&handshake.initial_bytes, handshake.encoder),
            mapping,
            queue: Queue::default(),
            received: Vec::new(),
            types: Vec::new(),
            max: None,
            now: Duration::ZERO,
        }
    }

    /// Handles bytes as a driver does that has read them.
    fn receive(&mut self, mut input: &[u8]) -> Result<(), Closed> {
        while !input.is_empty() {
            let (received, types) = (&mut self.received, &mut self.types);
            let each = |payload: Payload<'_>, metadata: Metadata| {
                received.push(payload.bytes().to_vec());
                types.push(metadata.message_type);
            };
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
                    let greeted = self.inbound.greet(&mut input).map_err(|bad| Closed(bad.final_reply))?;
                    if let Some(greeted) = greeted {
                        assert_eq!(greeted.protocol, PAIR.peer.number);
                        self.outbound.append(&greeted.reply);
                        self.inbound.open(self.mapping.decoder());
                    }
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

/// Everything that `end` has to send.
fn send_all(end: &mut End) -> Vec<u8> {
    let parts = std::iter::repeat_with(|| end.send(usize::MAX));
    parts.take_while(|part| !part.is_empty()).flatten().collect()
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
fn messages_may_follow_the_greeting_in_one_read() {
    for (client, server) in mappings() {
        // Each cut is a connection of its own, since the bytes of the reply depend on the request.
        for cut in 0.. {
            let (mut client, mut server) = (End::new(client.clone()), End::new(server.clone()));
            server.receive(&send_all(&mut client)).unwrap();
            server.queue.push(b"first", b"");
            server.queue.push(b"", &body(40));
            let stream = send_all(&mut server);
            let Some((one, other)) = stream.split_at_checked(cut) else { break };
            client.receive(one).unwrap();
            client.receive(other).unwrap();
            assert_eq!(client.received, [b"first".to_vec(), body(40)], "cut at {cut}");
        }
    }
}

#[test]
fn empty_messages_and_bare_headers_arrive_as_they_are() {
    let messages: [(&[u8], &[u8]); 5] = [(b"", b""), (b"head", b""), (b"", b""), (b"", b"body"), (b"", b"")];
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        for (head, body) in messages {
            client.queue.push(head, body);
            server.queue.push(head, body);
        }
        run(&mut client, &mut server, &mut std::iter::repeat(1)).unwrap();
        let expected = messages.map(|(head, body)| [head, body].concat());
        assert_eq!((server.received, client.received), (expected.to_vec(), expected.to_vec()));
        assert!(!client.inbound.is_mid_message() && !server.inbound.is_mid_message());
    }
}

#[test]
fn a_header_longer_than_a_fragment_arrives_with_its_body() {
    let head = body((1 << 20) + 1);
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        for size in [100, 40_000] {
            client.queue.push(&head, &body(size));
            server.queue.push(&head, &body(size));
            run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).unwrap();
            let expected = [&head[..], &body(size)].concat();
            assert!(server.received.pop() == Some(expected.clone()) && server.received.is_empty());
            assert!(client.received.pop() == Some(expected) && client.received.is_empty());
        }
    }
}

#[test]
fn a_message_keeps_its_type_over_ws() {
    let (text, binary) = (Some(MessageType::Text), Some(MessageType::Binary));
    for mapping in mappings() {
        let is_websocket = mapping.1 == Mapping::WebSocketServer;
        let (mut client, mut server) = greeted(mapping);
        // `None` stands for the type of the connection. The large messages are read directly, the small ones are not.
        for (message_type, expected) in [(text, text), (None, binary), (binary, binary), (text, text)] {
            for size in [3, 40_000] {
                client.queue.message_type = message_type;
                client.queue.push(b"", &vec![b'x'; size]);
                run(&mut client, &mut server, &mut std::iter::repeat(100)).unwrap();
                assert_eq!(server.types.pop(), Some(expected.filter(|_| is_websocket)));
            }
        }
    }
}

#[test]
fn messages_may_be_added_while_others_are_sent_byte_by_byte() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        let before = client.outbound.sent_total();
        let mut expected = Vec::new();
        let mut push = |end: &mut End, size| {
            end.queue.push(b"h", &body(size));
            expected.push([&b"h"[..], &body(size)].concat());
        };
        push(&mut client, LARGE_BODY);
        for count in 0.. {
            let byte = client.send(1);
            assert_eq!(client.outbound.sent_total() - before, count + byte.len());
            if byte.is_empty() {
                break;
            }
            server.receive(&byte).unwrap();
            // Small messages, behind a partly sent chunk as well as behind partly sent small ones.
            if count % 300 == 1 && count < 40_000 {
                push(&mut client, count % 299);
            }
        }
        assert!(client.outbound.is_empty());
        assert_eq!(server.received, expected);
    }
}
