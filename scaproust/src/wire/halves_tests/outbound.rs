//! The outbound half: the order of pieces, what a fill takes, pongs and gathering.

use super::*;

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
fn the_reported_number_of_gathered_bytes_doubles_up_to_a_limit() {
    let (mut end, _) = greeted(mappings()[0].clone());
    end.queue.push(&[], b"first");
    assert!(!end.outbound.is_gathering());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    assert!(end.outbound.is_gathering());
    for expected in [1, 2, 4, 8, 16, 32, 60, 60].map(|count| count * 1024) {
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
    assert_eq!(end.queue.report_at, Some(60 * 1024));
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
/// two connections. Returns how many bytes are enough in the end, and whether gathering was worth it for the last write.
fn gather(writes: impl IntoIterator<Item = (u64, usize)>) -> (usize, bool) {
    let (mut end, _) = greeted(mappings()[0].clone());
    let mut now = SECOND;
    let mut is_worth_it = false;
    end.outbound.begin_gathering(&mut end.queue, now);
    for (interval, messages) in writes {
        now += Duration::from_micros(2 * interval);
        (0..messages).for_each(|_| end.queue.push(&[], b"message"));
        end.send(usize::MAX);
        is_worth_it = end.outbound.note_enough(now, now + Duration::from_micros(10), 2);
    }
    end.outbound.note_idle(Some(&mut end.queue));
    (end.queue.report_at.unwrap(), is_worth_it)
}

#[test]
fn the_number_of_gathered_bytes_follows_the_rate_of_the_sender() {
    let (first, min) = (1024, 512);
    let enough = |writes: &[&[(u64, usize)]]| gather(writes.concat()).0;
    let flood = [(1, 9); 3];
    assert_eq!(enough(&[&[(15, 9)]]), 2 * first, "writes take two thirds of the time");
    assert_eq!(enough(&[&[(20, 9); 9]]), first, "they take more than a quarter");
    assert_eq!(enough(&[&flood]), 8 * first);
    assert_eq!(enough(&[&flood, &[(128, 9)]]), 16 * first, "64 bytes in a microsecond are a flood");
    let rare = [(200, 9); 100];
    assert_eq!(enough(&[&flood, &rare[..3]]), 8 * first, "three rare writes may be chance");
    assert_eq!(enough(&[&flood, &rare[..4]]), 4 * first);
    assert_eq!(enough(&[&flood, &rare]), min);
    let interrupted = [(15, 9), (70, 9), (70, 9), (70, 9), (36, 9), (70, 9), (70, 9), (70, 9)];
    assert_eq!(enough(&[&interrupted]), 2 * first, "they are not in a row");
}

#[test]
fn gathering_is_worth_it_while_single_writes_would_take_too_long() {
    // Four writes of 10 µs.
    assert!(gather([(53, 4)]).1);
    assert!(!gather([(54, 4)]).1);
}

#[test]
fn for_many_connections_the_number_of_gathered_bytes_always_grows() {
    let enough = |connections| {
        let (mut end, _) = greeted(mappings()[0].clone());
        end.outbound.begin_gathering(&mut end.queue, SECOND);
        let is_worth_it = end.outbound.note_enough(2 * SECOND, 2 * SECOND, connections);
        end.outbound.note_idle(Some(&mut end.queue));
        (end.queue.report_at.unwrap(), is_worth_it)
    };
    assert_eq!((enough(8), enough(9)), ((1024, false), (4 * 1024, true)));
}

#[test]
fn a_full_queue_does_not_count_as_a_slow_sender() {
    let (mut end, _) = greeted(mappings()[0].clone());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    end.outbound.note_enough(SECOND, SECOND, 1);
    for later in 2..100 {
        end.outbound.note_full();
        end.outbound.note_enough(later * SECOND, later * SECOND, 1);
    }
    end.outbound.note_idle(Some(&mut end.queue));
    assert_eq!(end.queue.report_at, Some(2 * 1024));
}

#[test]
fn a_write_whose_thread_lost_the_processor_is_not_taken_for_a_long_one() {
    let (mut end, _) = greeted(mappings()[0].clone());
    let (mut now, write) = (SECOND, Duration::from_micros(10));
    end.outbound.begin_gathering(&mut end.queue, now);
    for number in 0..20 {
        now += Duration::from_micros(200);
        let lost = if number % 2 == 1 { SECOND } else { Duration::ZERO };
        (0..4).for_each(|_| end.queue.push(&[], b"message"));
        end.send(usize::MAX);
        assert!(!end.outbound.note_enough(now, now + write + lost, 1), "{number}");
    }
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

/// The bytes that the bound side of a WebSocket sends for a message or a pong of less than 126 bytes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8], payload].concat()
}

#[test]
fn a_pong_waits_for_what_was_taken_and_for_the_pong_before() {
    let [.., websocket] = mappings();
    let (a, one, b, two, c) =
        (frame(0x82, &[7; 100]), frame(0x8a, b"1"), frame(0x82, b"b"), frame(0x8a, b"2"), frame(0x82, b"c"));
    let until_pong = a.len() + one.len();
    for sent in 0..=until_pong + b.len() {
        let (_, mut end) = greeted(websocket.clone());
        end.queue.push(b"", &[7; 100]);
        end.outbound.fill(&mut end.queue).unwrap();
        end.outbound.answer_ping(b"1");
        end.queue.push(b"", b"b");
        let mut stream = end.send(sent);
        end.outbound.answer_ping(b"2");
        end.queue.push(b"", b"c");
        stream.extend(send_all(&mut end));
        let last = if sent < until_pong { [&c[..], &two] } else { [&two[..], &c] };
        assert_eq!(stream, [&a[..], &one, &b, last[0], last[1]].concat(), "{sent} bytes were sent");
    }
}

#[test]
fn a_pong_does_not_divide_a_message_of_several_fragments() {
    let [.., websocket] = mappings();
    let (mut client, mut server) = greeted(websocket);
    // A client has masks in its two fragments and in its pong.
    for (end, mask) in [(&mut client, 4), (&mut server, 0)] {
        end.queue.push(b"", &body(1_100_000));
        let mut stream = end.send(10);
        end.outbound.answer_ping(b"ping");
        stream.extend(send_all(end));
        let pong = &stream[10 + mask + 4 + mask + 1_100_000..];
        let (key, payload) = pong[2..].split_at(mask);
        let mut payload = payload.to_vec();
        if mask > 0 {
            Mask(key.try_into().unwrap()).apply(0, &mut payload);
        }
        assert_eq!((pong[0], pong[1] & 0x7f, &payload[..]), (0x8a, 4, &b"ping"[..]));
    }
}

#[test]
fn a_final_reply_goes_behind_what_was_taken() {
    for (taken, reply) in [(40_000, &b"reply"[..]), (20, b"reply"), (40_000, b"")] {
        let (mut end, _) = greeted(mappings()[1].clone());
        end.queue.push(b"head", &body(taken));
        end.queue.push(b"", b"");
        let mut stream = end.send(15);
        end.outbound.append(reply);
        end.queue.push(b"", b"late");
        // The driver has dropped the queue.
        while !end.outbound.is_empty() {
            let part: Vec<u8> = end.outbound.front().flatten().copied().take(7).collect();
            end.outbound.note_sent(part.len());
            stream.extend(part);
        }
        assert_eq!(end.outbound.front().count(), 0);
        let prefix = |length: usize| [&[1][..], &(length as u64).to_be_bytes()].concat();
        let expected = [&prefix(4 + taken)[..], b"head", &body(taken), &prefix(0), reply].concat();
        assert_eq!(stream, expected);
    }
}

#[test]
fn a_fill_takes_128_kib() {
    let unsent = 128 * 1024;
    // Small messages, which are copied, and large ones, which are not, with their prefixes.
    for size in [1024, 64 * 1024] {
        let (mut end, _) = greeted(mappings()[0].clone());
        for _ in 0..unsent / size + 3 {
            end.queue.push(b"", &vec![0; size - 8]);
        }
        let mut sent = 0;
        let mut left = |end: &mut End, count| {
            end.outbound.note_sent(count);
            sent += count;
            end.queue.is_parked = false;
            end.outbound.fill(&mut end.queue).unwrap();
            end.queue.messages.len()
        };
        assert_eq!(left(&mut end, 0), 3);
        assert_eq!(left(&mut end, 0), 3, "it is full");
        assert_eq!(left(&mut end, 1), 2);
        assert_eq!(left(&mut end, size - 1), 2, "as many bytes are unsent as at first");
        assert_eq!(left(&mut end, 1), 1);
        assert!(!end.queue.is_parked, "the queue is not empty");
        assert_eq!(send_all(&mut end).len(), unsent + 3 * size - sent);
    }
    // A message is taken whole.
    for mapping in mappings() {
        let (mut end, _) = greeted(mapping);
        for _ in 0..3 {
            end.queue.push(b"", &body(2_000_000));
        }
        for left in [2, 1, 0] {
            end.outbound.fill(&mut end.queue).unwrap();
            assert_eq!(end.queue.messages.len(), left);
            let length: usize = end.outbound.front().map(<[u8]>::len).sum();
            assert!(length > 2_000_000);
            end.outbound.note_sent(length - unsent);
            end.outbound.fill(&mut end.queue).unwrap();
            assert_eq!(end.queue.messages.len(), left, "128 KiB are unsent");
            end.outbound.note_sent(unsent);
            assert!(end.outbound.is_empty());
        }
    }
}

#[test]
fn a_large_body_is_sent_from_its_own_memory() {
    for (client, server) in mappings() {
        let (client, server) = greeted((client, server));
        for mut end in [client, server] {
            for (size, is_own) in [(LARGE_BODY - 1, false), (LARGE_BODY, true)] {
                end.queue.push(b"before", b"");
                end.queue.push(b"head", &body(size));
                end.queue.push(b"after", b"");
                let memory = end.queue.messages[1].1.as_ptr();
                end.outbound.fill(&mut end.queue).unwrap();
                let pieces: Vec<_> =
                    end.outbound.front().map(|piece| (piece.as_ptr(), piece.len())).collect();
                assert_eq!(pieces.len(), if is_own { 3 } else { 1 });
                assert_eq!(pieces.contains(&(memory, size)), is_own);
                let all: usize = pieces.iter().map(|(_, length)| length).sum();
                assert_eq!(end.outbound.begun_length(), 0);
                // All but the last byte of the body, if it is a piece of its own.
                end.outbound.note_sent(all - pieces.last().filter(|_| is_own).map_or(1, |last| last.1 + 1));
                assert_eq!(end.outbound.begun_length(), if is_own { size } else { all });
                end.outbound.note_sent(end.outbound.front().map(<[u8]>::len).sum());
            }
        }
    }
}

#[test]
fn a_lent_body_may_be_cut_anywhere_and_its_rest_appended() {
    let [tcp, ipc, websocket] = mappings();
    assert!(!greeted(websocket).0.outbound.lends(), "frames may be masked");
    for mapping in [tcp, ipc] {
        // In the prefix, in the head, in the body, and behind it.
        for cut in [0, 1, 8, 10, 12, 13, 100, 1012, 1013] {
            let (mut client, mut server) = greeted(mapping.clone());
            let content = body(1000);
            assert!(client.outbound.lends());
            client.outbound.begin_lent(b"head", content.len());
            assert!(!client.outbound.lends());
            let mut sent: Vec<u8> = client.outbound.front().flatten().copied().collect();
            sent.extend(&content);
            sent.truncate(cut);
            let at_once = sent.len();
            let lent = client.outbound.note_sent_with_lent(at_once);
            if lent < content.len() {
                client.outbound.append_chunk(Chunk::copy_of(&content[lent..]).unwrap());
            }
            client.queue.push(b"", b"after");
            let (sent_total, taken_total) = (client.outbound.sent_total(), client.outbound.taken_total());
            sent.extend(send_all(&mut client));
            assert_eq!(client.outbound.sent_total() - sent_total, sent.len() - at_once);
            assert_eq!(client.outbound.taken_total() - taken_total, 1);
            server.receive(&sent).unwrap();
            let message = [b"head", &content[..]].concat();
            assert_eq!(server.received, [message, b"after".to_vec()], "cut at {cut}");
        }
    }
}

#[test]
fn a_write_has_at_most_32_pieces() {
    let [.., websocket] = mappings();
    let (mut client, mut server) = greeted(websocket);
    server.queue.push(b"", &vec![5; 17 << 20]);
    server.queue.push(b"", b"next");
    server.outbound.fill(&mut server.queue).unwrap();
    assert_eq!(server.outbound.front().count(), 32);
    client.receive(&server.send(usize::MAX)).unwrap();
    assert!(!server.outbound.is_empty() && client.received.is_empty());
    client.receive(&send_all(&mut server)).unwrap();
    let [long, next] = &client.received[..] else { panic!("{} messages", client.received.len()) };
    assert!(long.len() == 17 << 20 && long.iter().all(|byte| *byte == 5) && next == b"next");
}

#[test]
fn gathering_begins_anew_each_time() {
    let (mut end, _) = greeted(mappings()[0].clone());
    // Nothing gathers: nothing is noted.
    end.outbound.note_full();
    assert!(end.outbound.note_enough(SECOND, 2 * SECOND, 1) && !end.outbound.take_written_by_sender());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    for _ in 0..3 {
        end.outbound.note_enough(SECOND, SECOND, 1);
    }
    assert!(!end.outbound.note_idle(Some(&mut end.queue)));
    assert_eq!(end.queue.report_at, Some(8 * 1024));
    end.queue.push(b"", &body(8 * 1024));
    assert!(!end.outbound.note_idle(None::<&mut Queue>), "the connection has no queue any more");
    end.outbound.stop_gathering();
    assert!(!end.outbound.take_written_by_sender());
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    assert!(!end.outbound.take_written_by_sender());
    assert!(end.outbound.note_idle(Some(&mut end.queue)));
    assert_eq!(end.queue.report_at, Some(1024));
}

#[test]
fn only_messages_that_have_gathered_are_worth_gathering() {
    let (mut end, _) = greeted(mappings()[0].clone());
    (0..1000).for_each(|_| end.queue.push(b"", b"sent before"));
    send_all(&mut end);
    end.outbound.begin_gathering(&mut end.queue, SECOND);
    let write = |number| SECOND + number * Duration::from_micros(50);
    let is_worth_it =
        [1, 2, 3, 4].map(|number| end.outbound.note_enough(write(number), write(number) + SECOND, 1));
    assert_eq!(is_worth_it, [false; 4]);
}

#[test]
fn a_frequent_write_restarts_the_count_of_rare_ones() {
    let enough = |parts: &[&[(u64, usize)]]| gather(parts.concat()).0;
    let (frequent, rare) = ([(1, 9); 3], [(1000, 9); 3]);
    assert_eq!(enough(&[&frequent, &rare, &[(1, 9)], &rare]), 16 * 1024);
    assert_eq!(enough(&[&frequent, &rare, &[(1, 9)], &rare, &[(1000, 9)]]), 8 * 1024);
    // Halving restarts it as well.
    assert_eq!(enough(&[&frequent, &[(1000, 9); 7]]), 4 * 1024);
    assert_eq!(enough(&[&frequent, &[(1000, 9); 8]]), 2 * 1024);
}

#[test]
fn a_time_is_never_negative_nor_divided_by_zero() {
    let (mut end, _) = greeted(mappings()[0].clone());
    end.outbound.begin_gathering(&mut end.queue, 2 * SECOND);
    // Threads read the clock before they have the lock; and the count of connections may be behind.
    end.outbound.note_enough(SECOND, SECOND / 2, 1);
    end.outbound.note_enough(SECOND + Duration::from_micros(15), SECOND, 0);
    end.outbound.note_idle(Some(&mut end.queue));
    assert_eq!(end.queue.report_at, Some(4 * 1024));
}
