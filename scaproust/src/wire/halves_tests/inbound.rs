//! The inbound half: limits, time limits, direct reads and the end of reading.

use super::*;
use crate::message::INLINE_MAX;
use crate::wire::sp_header::encode_sp_header;

const NANOSECOND: Duration = Duration::from_nanos(1);

#[test]
fn a_greeting_has_a_time_limit() {
    for (client, _) in mappings() {
        let mut end = End::new(client);
        assert_eq!(end.inbound.check_time(GREETING_TIME - SECOND), TimeCheck::InTime);
        assert_eq!(end.inbound.check_time(GREETING_TIME), TimeCheck::Exceeded);
    }
}

#[test]
fn a_side_that_greets_after_its_peer_waits_for_a_short_time() {
    let greeting = encode_sp_header(PAIR.own.number);
    for mapping in [Mapping::Tcp, Mapping::Ipc] {
        let mut end =
            End::with_protocols(mapping, Protocols { order: GreetingOrder::AfterPeer, ..PAIR.into() });
        assert!(end.send(usize::MAX).is_empty());
        assert_eq!(end.inbound.check_time(PEER_FIRST_TIME - NANOSECOND), TimeCheck::InTime);
        assert_eq!(end.inbound.check_time(PEER_FIRST_TIME), TimeCheck::Greet(greeting.to_vec()));
        // Once.
        assert_eq!(end.inbound.check_time(PEER_FIRST_TIME), TimeCheck::InTime);
        let greeted = end.inbound.greet(&mut &greeting[..]).unwrap().unwrap();
        let (protocol, own) = (PAIR.peer.number, Some(PAIR.own));
        assert_eq!(greeted, Greeted { protocol, own, reply: Vec::new(), resource: None });
        assert_eq!(end.inbound.check_time(GREETING_TIME), TimeCheck::Exceeded);
    }
}

#[test]
fn a_side_whose_header_depends_on_that_of_the_peer_waits_for_it() {
    let second =
        ProtocolPair { own: ProtocolId { number: 2, name: "" }, peer: ProtocolId { number: 3, name: "" } };
    let protocols = Protocols { first: PAIR, second: Some(second), order: GreetingOrder::AfterPeer };
    for (peer, own) in [(PAIR.peer, Some(PAIR.own)), (second.peer, Some(second.own)), (second.own, None)] {
        let mut end = End::with_protocols(Mapping::Tcp, protocols);
        assert_eq!(end.inbound.check_time(PEER_FIRST_TIME), TimeCheck::InTime);
        let greeted = end.inbound.greet(&mut &encode_sp_header(peer.number)[..]).unwrap().unwrap();
        let reply = own.map_or(Vec::new(), |own| encode_sp_header(own.number).to_vec());
        assert_eq!(greeted, Greeted { protocol: peer.number, own, reply, resource: None });
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
fn the_greeting_has_no_time_limit_after_close() {
    for (client, server) in mappings() {
        let (mut client, mut server) = (End::new(client), End::new(server));
        server.inbound.close();
        assert!(server.inbound.refusal().is_empty());
        assert_eq!(server.inbound.check_time(2 * GREETING_TIME), TimeCheck::InTime);
        // Bytes that are no greeting are dropped as well.
        for bytes in [send_all(&mut client), b"\0SX".to_vec()] {
            server.receive(&bytes).unwrap();
            assert!(server.inbound.has_dropped_bytes());
        }
        assert!(server.received.is_empty() && server.inbound.spare().unwrap().is_none());
    }
}

#[test]
fn the_rest_of_a_message_is_dropped_after_close() {
    for size in [5, 100_000] {
        for mapping in mappings() {
            let (mut client, mut server) = greeted(mapping);
            client.queue.push(b"", &body(size));
            let stream = send_all(&mut client);
            server.receive(&stream[..stream.len() - 2]).unwrap();
            assert!(server.inbound.is_mid_message());
            server.inbound.close();
            assert!(!server.inbound.is_mid_message() && server.inbound.spare().unwrap().is_none());
            assert_eq!(server.inbound.check_time(1000 * SECOND), TimeCheck::InTime);
            assert!(!server.inbound.has_dropped_bytes(), "it has sent nothing since");
            server.receive(&stream[stream.len() - 2..]).unwrap();
            assert!(server.inbound.has_dropped_bytes() && server.received.is_empty());
        }
    }
}

#[test]
fn one_check_of_the_time_is_asked_for_at_a_time() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(b"", &body(100));
        let stream = send_all(&mut client);
        let half = &mut server.inbound;
        let feed = |half: &mut Inbound, bytes| half.feed(bytes, None, |_, _| ()).outcome.unwrap();
        feed(half, &stream[..20]);
        assert_eq!(half.note_part(3 * SECOND), Some(33 * SECOND));
        assert_eq!(half.note_part(10 * SECOND), None, "a check is to come");
        assert_eq!(half.check_time(33 * SECOND - NANOSECOND), TimeCheck::InTime);
        assert_eq!(half.note_part(20 * SECOND), None, "that check was too early");
        assert_eq!(half.check_time(33 * SECOND), TimeCheck::Until(50 * SECOND));
        assert_eq!(half.note_part(49 * SECOND), None);
        // The message is complete, and the next one begins before the check: its own time counts.
        feed(half, &stream[20..]);
        feed(half, &stream[..1]);
        assert_eq!(half.note_part(49 * SECOND), None);
        assert_eq!(half.check_time(50 * SECOND), TimeCheck::Until(79 * SECOND));
        // Between two messages no check is to come.
        feed(half, &stream[1..]);
        assert_eq!(half.check_time(79 * SECOND), TimeCheck::InTime);
        feed(half, &stream[..20]);
        assert_eq!(half.note_part(500 * SECOND), Some(530 * SECOND));
        assert_eq!(half.check_time(530 * SECOND), TimeCheck::Exceeded);
    }
}

/// Whether a peer that falls silent behind these bytes is late after 30 seconds. Asserts that it is not late before.
fn is_late_behind(mapping: (Mapping, Mapping), bytes: &[u8]) -> bool {
    let (_, mut server) = greeted(mapping);
    server.receive(bytes).unwrap();
    let limit = 30 * SECOND;
    assert_eq!(server.inbound.check_time(limit - NANOSECOND), TimeCheck::InTime);
    server.inbound.check_time(limit) == TimeCheck::Exceeded
}

#[test]
fn a_peer_may_fall_silent_between_frames_only() {
    for mapping in mappings() {
        let (mut client, _) = greeted(mapping.clone());
        client.queue.push(b"", b"small");
        let mut stream = send_all(&mut client);
        let first = stream.len();
        client.queue.push(b"", &body(3000));
        stream.extend(send_all(&mut client));
        for count in 1..=stream.len() {
            let is_between = count == first || count == stream.len();
            assert_eq!(is_late_behind(mapping.clone(), &stream[..count]), !is_between, "{count} bytes");
        }
    }
    let [.., websocket] = mappings();
    // A masked ping, and a first fragment, which another one must follow.
    let ping = [0x89, 0x82, 0, 0, 0, 0, 1, 2];
    for count in 1..ping.len() {
        assert!(is_late_behind(websocket.clone(), &ping[..count]));
    }
    assert!(!is_late_behind(websocket.clone(), &ping));
    let fragment = [0x02, 0x80, 0, 0, 0, 0];
    assert!(is_late_behind(websocket.clone(), &fragment));
    assert!(is_late_behind(websocket, &[&fragment[..], &ping].concat()));
}

#[test]
fn large_messages_are_expected_behind_a_large_one() {
    let sizes = [LARGE_BODY - 1, LARGE_BODY, 0, 50_000, LARGE_BODY - 1, 50_000, 1];
    for mapping in mappings() {
        for read_size in [40, usize::MAX] {
            let (mut client, mut server) = greeted(mapping.clone());
            for size in sizes {
                client.queue.push(b"", &body(size));
                let before = server.inbound.expects_large();
                // All of a message of up to one byte, and the beginning of each other one.
                let (first, rest) = (client.send(12), send_all(&mut client));
                server.receive(&first).unwrap();
                assert_eq!(server.inbound.expects_large(), before && size > 1, "before {size} bytes");
                rest.chunks(read_size).for_each(|part| server.receive(part).unwrap());
                assert_eq!(server.inbound.expects_large(), size >= LARGE_BODY, "{size} bytes");
            }
            assert_eq!(server.received, sizes.map(body));
        }
    }
}

#[test]
fn spare_memory_is_for_the_body_of_a_large_message() {
    for mapping in mappings() {
        let (mut client, mut server) = greeted(mapping);
        client.queue.push(b"", &body(INLINE_MAX));
        client.queue.push(b"", &body(INLINE_MAX + 1));
        let stream = send_all(&mut client);
        let (mut rest, mut direct) = (&stream[..], 0);
        while let Some((byte, behind)) = rest.split_first() {
            let left = rest.len();
            if let Some(spare) = server.inbound.spare().unwrap() {
                assert!((1..=left).contains(&spare.len()), "{} of {left} bytes", spare.len());
                direct += 1;
            }
            server.receive(&[*byte]).unwrap();
            rest = behind;
        }
        assert_eq!(direct, INLINE_MAX + 1);
        assert!(server.inbound.spare().unwrap().is_none());
        assert_eq!(server.received, [INLINE_MAX, INLINE_MAX + 1].map(body));
    }
}

#[test]
fn the_limit_counts_header_and_body_of_the_message_that_begins() {
    for mapping in mappings() {
        for size in [0, 1, 4092, 4096, 1_500_000] {
            let (mut client, mut server) = greeted(mapping.clone());
            client.queue.push(b"head", &body(size));
            client.queue.push(b"", b"");
            server.max = Some(size + 4);
            run(&mut client, &mut server, &mut std::iter::repeat(700_000)).unwrap();
            assert_eq!(server.received.len(), 2);
            // A lower limit holds for the next message.
            server.max = Some(size + 3);
            client.queue.push(b"head", &body(size));
            assert!(run(&mut client, &mut server, &mut std::iter::repeat(700_000)).is_err());
            assert_eq!(server.received.len(), 2);
        }
        let (mut client, mut server) = greeted(mapping);
        server.max = Some(0);
        client.queue.push(b"", b"");
        client.queue.push(b"", b"x");
        assert!(run(&mut client, &mut server, &mut std::iter::repeat(usize::MAX)).is_err());
        assert_eq!(server.received, [b""]);
    }
}

#[test]
fn a_websocket_is_closed_with_the_code_of_the_reason() {
    let close = |code: u16| [&[0x88, 2][..], &code.to_be_bytes()].concat();
    let [tcp, ipc, websocket] = mappings();
    for (frame, reply) in [
        (vec![0x83, 0], close(1002)),
        (vec![0x81, 1, 0xff], close(1007)),
        (close(4000), close(4000)),
        (vec![0x88, 0], vec![0x88, 0]),
    ] {
        let (mut client, mut server) = greeted(websocket.clone());
        let masked = [&[frame[0], 0x80 | frame[1], 0, 0, 0, 0], &frame[2..]].concat();
        assert_eq!(server.receive(&masked), Err(Closed(reply.clone())));
        // The client masks its close frame, and a server echoes the code.
        let Closed(masked) = client.receive(&frame).unwrap_err();
        let (_, mut server) = greeted(websocket.clone());
        assert_eq!(server.receive(&masked), Err(Closed(reply)));
    }
    let (_, mut server) = greeted(websocket);
    assert_eq!(server.outbound.final_reply(BadFrame::OutOfMemory), close(1011));
    for (mapping, invalid) in [(ipc, &[2][..]), (tcp, &[0xff; 8])] {
        let (_, mut server) = greeted(mapping);
        assert_eq!(server.receive(invalid), Err(Closed(Vec::new())));
    }
}

#[test]
fn the_last_ping_of_a_read_is_returned_even_in_front_of_an_error() {
    let [.., websocket] = mappings();
    let (mut client, _) = greeted(websocket);
    let frames =
        [&[0x89, 1, b'a'][..], &[0x02, 1, b'm'], &[0x89, 1, b'b'], &[0x80, 0], &[0x8a, 1, b'c']].concat();
    let mut count = 0;
    let fed = client.inbound.feed(&frames, None, |_, _| count += 1);
    assert_eq!((fed.outcome, fed.ping, count), (Ok(()), Some(b"b".to_vec()), 1));
    let fed = client.inbound.feed(&[0x82, 0], None, |_, _| count += 1);
    assert_eq!((fed.outcome, fed.ping, count), (Ok(()), None, 2), "it is returned once");
    let fed = client.inbound.feed(&[0x89, 0, 0x88, 0], None, |_, _| ());
    assert_eq!((fed.outcome, fed.ping), (Err(BadFrame::Closed(None)), Some(Vec::new())));
}
