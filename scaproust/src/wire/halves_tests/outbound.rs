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
