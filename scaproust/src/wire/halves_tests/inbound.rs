//! The inbound half: limits, time limits, direct reads and the end of reading.

use super::*;

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
