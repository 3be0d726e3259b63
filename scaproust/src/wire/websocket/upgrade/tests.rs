use std::hash::RandomState;

use proptest::prelude::*;

use super::*;
use crate::wire::greeting::{PAIR, REP, REQ};

/// The example request of RFC 6455, 1.3, with each line changed by `edit`.
fn request(edit: impl Fn(&str) -> String) -> Vec<u8> {
    let lines = [
        "GET /chat HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: pair.sp.nanomsg.org",
        "Sec-WebSocket-Version: 13",
    ];
    let edited: Vec<String> = lines.into_iter().map(edit).filter(|line| !line.is_empty()).collect();
    (edited.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// The example request with the line that starts with `begins` replaced by `line`.
fn with(begins: &str, line: &str) -> Vec<u8> {
    request(|old| if old.starts_with(begins) { line.to_owned() } else { old.to_owned() })
}

fn ask(protocols: ProtocolPair, request: &[u8]) -> Result<Option<Greeted>, String> {
    let mut rest = request;
    let greeted = UpgradeServer::new(protocols).feed(&mut rest);
    greeted.map_err(|bad| String::from_utf8(bad.final_reply).unwrap())
}

/// The status with which a PAIR socket refuses a request.
fn status(request: &[u8]) -> u16 {
    let response = ask(PAIR, request).unwrap_err();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    assert!(head.contains("\r\nConnection: close"), "{head}");
    head[9..12].parse().unwrap()
}

fn accepts(protocols: ProtocolPair, request: &[u8]) -> bool {
    matches!(ask(protocols, request), Ok(Some(_)))
}

#[test]
fn the_example_of_the_standard_gets_the_response_of_the_standard() {
    assert_eq!(accept_of(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let bytes = [request(str::to_owned), b"\x82\x80".to_vec()].concat();
    let mut rest = &bytes[..];
    let greeted = UpgradeServer::new(PAIR).feed(&mut rest).unwrap().unwrap();
    assert_eq!(rest, b"\x82\x80", "the bytes behind the request remain");
    assert_eq!(greeted.protocol, 16);
    assert_eq!(
        String::from_utf8(greeted.reply).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: pair.sp.nanomsg.org\r\n\r\n"
    );
}

#[test]
fn unusual_but_valid_requests_are_accepted() {
    for (begins, line) in [
        ("Connection", "Connection: keep-alive, Upgrade"),
        ("Connection", "connection:upgrade"),
        ("Upgrade", "UPGRADE: WebSocket"),
        ("Origin", ""),
        ("GET", "GET /any/path?with=query HTTP/1.1"),
        ("Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: chat, Pair.SP.nanomsg.org"),
        ("Origin", "Sec-WebSocket-Protocol: chat"),
        ("Origin", "Sec-WebSocket-Extensions: permessage-deflate"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="),
    ] {
        assert!(accepts(PAIR, &with(begins, line)), "{line}");
    }
}

#[test]
fn a_request_without_a_path_is_accepted_in_any_parts() {
    let request = [with("GET", "GET  HTTP/1.1"), b"\x82\x80".to_vec()].concat();
    for split in 0..request.len() - 2 {
        let mut server = UpgradeServer::new(PAIR);
        let (mut begin, mut rest) = request.split_at(split);
        assert!(server.feed(&mut begin).unwrap().is_none(), "{split}");
        assert!(server.feed(&mut rest).unwrap().is_some(), "{split}");
        assert_eq!(rest, b"\x82\x80", "the bytes behind the request remain, {split}");
    }
}

#[test]
fn the_subprotocol_is_that_of_the_bound_side() {
    let asks = |name: &str| with("Sec-WebSocket-Protocol", name);
    let missing = asks("");
    assert!(accepts(PAIR, &missing), "without a subprotocol it is PAIR");
    let Ok(Some(Greeted { reply, .. })) = ask(PAIR, &missing) else { panic!("refused") };
    assert!(!String::from_utf8(reply).unwrap().contains("Protocol:"), "none requested, none in the response");
    for protocols in [REQ, REP] {
        assert!(!accepts(protocols, &missing), "{protocols:?}");
    }
    let rep = asks("Sec-WebSocket-Protocol: rep.sp.nanomsg.org");
    assert_eq!(ask(REP, &rep).unwrap().unwrap().protocol, 48);
    assert!(!accepts(REQ, &rep));
    assert_eq!(status(&rep), 400);
    for (request, is_mismatch) in [(&rep, true), (&asks("Sec-WebSocket-Version: 8"), false)] {
        assert_eq!(UpgradeServer::new(PAIR).feed(&mut &request[..]).unwrap_err().is_mismatch, is_mismatch);
    }
    assert_eq!(status(&asks("Sec-WebSocket-Protocol: pair")), 400);
    // The response repeats the name as the request has it.
    let Ok(Some(Greeted { reply, .. })) =
        ask(REP, &asks("Sec-WebSocket-Protocol: x, REP.sp.nanomsg.org,rep.sp.nanomsg.org"))
    else {
        panic!("refused")
    };
    assert!(String::from_utf8(reply).unwrap().contains("Protocol: REP.sp.nanomsg.org\r\n"));
}

#[test]
fn an_invalid_request_is_refused_with_a_status() {
    for (begins, line, expected) in [
        ("GET", "POST / HTTP/1.1", 405),
        ("GET", "GET / HTTP/1.0", 505),
        ("GET", "GET / HTTP/2.0", 505),
        ("GET", "GET /", 400),
        ("GET", "\u{16}\u{3}\u{1} / HTTP/1.1", 400),
        ("Host", "", 400),
        ("Host", "Host : x", 400),
        ("Upgrade", "", 426),
        ("Upgrade", "Upgrade: h2c", 426),
        ("Connection", "", 426),
        ("Connection", "Connection: close", 426),
        ("Sec-WebSocket-Version", "", 426),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8", 426),
        ("Origin", "Sec-WebSocket-Version: 13", 426),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=", 400),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Key: !!!!IHNhbXBsZSBub25jZQ==", 400),
        ("Origin", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
    ] {
        assert_eq!(status(&with(begins, line)), expected, "{begins} -> {line}");
    }
    let version = ask(PAIR, &with("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8")).unwrap_err();
    assert!(version.contains("\r\nSec-WebSocket-Version: 13\r\n"));
}

#[test]
fn a_request_has_a_longest_length() {
    let padded = |count: usize| with("Origin", &format!("Cookie: {}", "x".repeat(count)));
    let room = HEAD_MAX - padded(0).len();
    assert!(accepts(PAIR, &padded(room)));
    assert_eq!(status(&padded(room + 1)), 431);
    // A complete request of the longest length, and more bytes in the same input.
    let bytes = [padded(room), vec![7; 3 * HEAD_MAX]].concat();
    let mut rest = &bytes[..];
    assert!(UpgradeServer::new(PAIR).feed(&mut rest).unwrap().is_some());
    assert_eq!(rest.len(), 3 * HEAD_MAX);

    let fields = |count: usize| with("Origin", &vec!["A: b"; count].join("\r\n"));
    assert!(accepts(PAIR, &fields(FIELDS_MAX - 6)));
    assert_eq!(status(&fields(FIELDS_MAX)), 431);
}

/// The protocol that a client finds in a response; `ACCEPT` in it is replaced by the right value.
fn agreed(protocols: ProtocolPair, response: &str) -> Result<Option<u16>, BadGreeting> {
    let mut random = Random::new(RandomState::new());
    let (mut client, request) = UpgradeClient::new(protocols, "h:1", "/x", &mut random);
    let request = String::from_utf8(request).unwrap();
    assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: h:1\r\n"), "{request}");
    let response = response.replace("ACCEPT", &client.accept);
    Ok(client.feed(&mut response.as_bytes())?.map(|greeted| greeted.protocol))
}

#[test]
fn a_response_must_match_the_request() {
    let good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n\r\n";
    assert_eq!(agreed(REQ, good), Ok(Some(49)));
    assert_eq!(
        agreed(REQ, &good.replace("Sec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n", "")),
        Ok(Some(49))
    );
    for (part, instead) in [
        ("101 Switching Protocols", "200 OK"),
        ("HTTP/1.1", "HTTP/3"),
        ("websocket", "h2c"),
        ("Connection: Upgrade", "Connection: close"),
        ("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("Sec-WebSocket-Accept: ACCEPT\r\n", ""),
        ("rep.sp", "req.sp"),
        ("rep.sp.nanomsg.org", "rep.sp.nanomsg.org\r\nSec-WebSocket-Extensions: permessage-deflate"),
    ] {
        assert!(good.contains(part));
        let refused = agreed(REQ, &good.replace(part, instead)).unwrap_err();
        assert_eq!(refused.is_mismatch, part == "rep.sp", "{instead}");
    }
    let endless = good.replace("\r\n\r\n", &format!("\r\nX: {}", "x".repeat(HEAD_MAX)));
    assert_eq!(agreed(REQ, &endless), Err(BadGreeting::silent()));
}

#[test]
fn each_request_has_a_new_key() {
    let mut random = Random::new(RandomState::new());
    let (one, _) = UpgradeClient::new(PAIR, "h", "/", &mut random);
    let (two, _) = UpgradeClient::new(PAIR, "h", "/", &mut random);
    assert_ne!(one.accept, two.accept);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..60)) {
        let mut server = UpgradeServer::new(PAIR);
        let (mut client, _) = UpgradeClient::new(PAIR, "h", "/", &mut Random::new(RandomState::new()));
        for part in &parts {
            if server.feed(&mut &part[..]).is_err() {
                break;
            }
        }
        for part in &parts {
            if client.feed(&mut &part[..]).is_err() {
                break;
            }
        }
    }

    #[test]
    fn a_request_may_arrive_in_parts(cuts in prop::collection::vec(1_usize..80, 1..20), behind in 0_usize..50) {
        let bytes = [request(str::to_owned), vec![9; behind]].concat();
        let mut server = UpgradeServer::new(PAIR);
        let mut rest = &bytes[..];
        let mut left = 0;
        let mut is_greeted = false;
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, next) = rest.split_at(rest.len().min(*cut));
            rest = next;
            let mut part = part;
            if !is_greeted {
                is_greeted = server.feed(&mut part).unwrap().is_some();
            }
            left += part.len();
        }
        prop_assert!(is_greeted);
        prop_assert_eq!(left, behind);
    }
}

#[test]
fn the_bound_side_may_accept_two_protocols() {
    let named = |own: (u16, &'static str), peer: (u16, &'static str)| {
        let id = |(number, name)| ProtocolId { number, name };
        ProtocolPair { own: id(own), peer: id(peer) }
    };
    let first = named((32, "pub"), (33, "sub"));
    let second = named((0xf020, "pubf"), (0xf021, "subf"));
    let both = Protocols { second: Some(second), ..first.into() };
    for (bound, asked, answer) in [
        (both, first, Some(33)),
        (both, second, Some(0xf021)),
        (first.into(), second, None),
        (both, PAIR, None),
    ] {
        let connected = ProtocolPair { own: asked.peer, peer: asked.own };
        let mut random = Random::new(RandomState::new());
        let (mut client, request) = UpgradeClient::new(connected, "h", "/", &mut random);
        let greeted = UpgradeServer::new(bound).feed(&mut &request[..]);
        assert_eq!(greeted.as_ref().ok().and_then(|greeted| Some(greeted.as_ref()?.protocol)), answer);
        if let Ok(Some(greeted)) = greeted {
            let response = client.feed(&mut &greeted.reply[..]).unwrap().unwrap();
            assert_eq!(response.protocol, asked.own.number);
        }
    }
}
