//! The lane: order, bounds, edges, and memory.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::producer::{MAX_PAUSE, MAX_PAUSE_AFTER_SHORT_SLEEP, MAX_THROTTLES, MIN_PAUSE};
use super::*;
use crate::message::{Chunk, INLINE_MAX, Metadata, Payload};

fn push(producer: &mut Producer, bytes: &[u8]) -> Result<Pushed, Full> {
    producer.batch().push(&[], &mut Payload::Borrowed(bytes), Metadata::default())
}

fn front(consumer: &mut Consumer) -> Option<Vec<u8>> {
    consumer.front().map(|front| front.bytes(0..).collect())
}

#[test]
fn a_push_is_an_edge_only_after_the_lane_was_found_empty() {
    let (mut producer, mut consumer) = lane(1000);
    assert_eq!(push(&mut producer, b"one"), Ok(Pushed { edge: true }));
    assert_eq!(push(&mut producer, b"two"), Ok(Pushed { edge: false }));
    assert_eq!(front(&mut consumer).unwrap(), b"one");
    assert!(!consumer.pop());
    assert_eq!(front(&mut consumer).unwrap(), b"two");
    consumer.pop();
    // The consumer has not found it empty: the lane is not parked.
    assert_eq!(push(&mut producer, b"three"), Ok(Pushed { edge: false }));
    assert_eq!(front(&mut consumer).unwrap(), b"three");
    consumer.pop();
    assert!(front(&mut consumer).is_none());
    assert_eq!(push(&mut producer, b"four"), Ok(Pushed { edge: true }));
}

#[test]
fn a_small_bound_counts_bytes_and_lets_one_message_of_any_size_pass() {
    let (mut producer, mut consumer) = lane(200);
    for _ in 0..20 {
        assert!(push(&mut producer, b"0123456789").is_ok());
    }
    assert_eq!(push(&mut producer, b"0123456789"), Err(Full));
    assert_eq!(front(&mut consumer).unwrap().len(), 10);
    assert!(consumer.pop(), "the producer waits for room");
    assert!(!{
        consumer.front();
        consumer.pop()
    });
    assert!(push(&mut producer, &[7; 5000]).is_ok());
    assert_eq!(push(&mut producer, b""), Err(Full));
    for _ in 0..18 {
        consumer.pop();
    }
    assert_eq!(front(&mut consumer).unwrap(), [7; 5000]);
}

#[test]
fn a_pop_is_an_edge_only_when_it_makes_enough_room() {
    for (waits_for_half, room_after) in [(false, 21), (true, 26)] {
        let (mut producer, mut consumer) = lane(100);
        let mut batch = producer.batch();
        for _ in 0..30 {
            batch.push_over(&[], &mut Payload::Borrowed(b"0123456789"), Metadata::default()).unwrap();
        }
        drop(batch);
        let has_room =
            if waits_for_half { producer.has_room_or_waits_for_half() } else { producer.has_room() };
        assert!(!has_room);
        assert_eq!((1..=30).find(|_| consumer.pop()), Some(room_after));
        assert!(!consumer.pop(), "the producer is notified once");
        assert!(producer.has_room_or_waits_for_half());
    }
}

#[test]
fn a_producer_is_starved_if_it_was_notified_and_pushed_little() {
    let (mut producer, mut consumer) = lane(100);
    for (later, is_starved) in [(0, true), (100, true), (250, false)] {
        while push(&mut producer, b"0123456789").is_ok() {}
        assert!(!consumer.is_empty() && consumer.pop());
        for _ in 0..later / 10 {
            assert!(push(&mut producer, b"0123456789").is_ok());
            assert!(!consumer.is_empty() && !consumer.pop());
        }
        while !consumer.is_empty() {
            consumer.pop();
        }
        assert_eq!(consumer.producer_is_starved(), is_starved, "{later}");
        assert!(!consumer.producer_is_starved(), "only once");
    }
}

#[test]
fn empty_messages_count_as_one_byte_of_a_small_bound() {
    let (mut producer, mut consumer) = lane(3);
    for _ in 0..3 {
        assert!(push(&mut producer, b"").is_ok());
    }
    assert_eq!(push(&mut producer, b""), Err(Full));
    assert_eq!(front(&mut consumer).unwrap(), b"");
}

#[test]
fn a_large_bound_counts_memory() {
    for (bytes, memory) in [(0, 8), (1, 16), (8, 16), (100, 112), (2000, 2008)] {
        let (mut producer, _consumer) = lane(128 * 1024);
        let count = (0..).take_while(|_| push(&mut producer, &[7; 2000][..bytes]).is_ok()).count();
        assert_eq!(count, (128 * 1024_usize).div_ceil(memory));
    }
}

proptest! {
    /// The count of a lane is the memory of its messages, and of chunks a lane's part, however they were pushed and taken.
    #[test]
    fn the_count_is_the_memory_of_the_messages(
        steps in proptest::collection::vec((0..5_u8, 0..6000_usize, 0..40_usize), 1..200),
        divides: bool,
    ) {
        let (producer, mut consumer) = lane(1 << 20);
        let mut producer = if divides { producer.dividing() } else { producer };
        let mut model = VecDeque::new();
        for (kind, size, head) in steps {
            let head = &[3; 40][..head];
            match kind {
                0 | 1 => {
                    let size = size.min(INLINE_MAX);
                    let mut body = Payload::Borrowed(&[7; INLINE_MAX][..size]);
                    producer.batch().push(head, &mut body, Metadata::default()).unwrap();
                    model.push_back(8 + (head.len() + size).next_multiple_of(8));
                }
                2 => {
                    // Half of the chunk is trimmed off, and still counts.
                    let chunk = Chunk::new(size).unwrap().trimmed(size / 2).unwrap();
                    let record = 8 + (head.len() + 2 * size_of::<usize>()).next_multiple_of(8);
                    let lanes = size % 12;
                    model.push_back(record + chunk.footprint().div_ceil(if divides { lanes.clamp(1, 8) } else { 1 }));
                    prop_assert!(chunk.footprint() >= size);
                    let mut body = Payload::Owned(chunk);
                    let mut batch = producer.batch();
                    batch.share_among(lanes);
                    batch.push(head, &mut body, Metadata::default()).unwrap();
                }
                _ if consumer.is_empty() => {
                    prop_assert!(model.is_empty());
                    continue;
                }
                3 if consumer.take_chunk().is_some() => drop(model.pop_front()),
                _ => {
                    consumer.skip();
                    model.pop_front();
                }
            }
            let expected: usize = model.iter().sum();
            prop_assert_eq!(producer.shared.tail.lock().written.wrapping_sub(consumer.taken_part()), expected);
            let footprint = consumer.footprint();
            prop_assert!(footprint >= expected);
            prop_assert!(footprint <= expected + expected * 2 / 5 + 2 * 16 * 1024 + 1024, "{}", footprint);
        }
    }
}

#[test]
fn draining_ends_at_a_message_that_is_not_taken_and_at_one_in_a_chunk() {
    let (mut producer, mut consumer) = lane(1000);
    for message in [&b"one"[..], b"two", b"three"] {
        push(&mut producer, message).unwrap();
    }
    let mut chunk = Payload::Owned(Chunk::copy_of(b"four").unwrap());
    producer.batch().push(&[], &mut chunk, Metadata::default()).unwrap();
    let drain = |consumer: &mut Consumer, last: &[u8]| {
        let mut drained = Vec::new();
        consumer.drain(|front| {
            let takes = front.body != last;
            drained.extend(takes.then(|| front.body.to_vec()));
            takes
        });
        drained
    };
    assert!(drain(&mut consumer, b"").is_empty(), "nothing was found yet");
    assert!(!consumer.is_empty());
    assert_eq!(drain(&mut consumer, b"three"), [&b"one"[..], b"two"]);
    assert_eq!(drain(&mut consumer, b""), [b"three"]);
    assert_eq!(front(&mut consumer).unwrap(), b"four");
    assert!(consumer.take_chunk().is_some() && consumer.is_empty());
}

#[test]
fn a_chunk_passes_as_the_same_memory_behind_its_head() {
    let (mut producer, mut consumer) = lane(10);
    let chunk = Chunk::copy_of(b"body").unwrap();
    let address = chunk.as_ptr();
    producer.batch().push(b"head", &mut Payload::Owned(chunk), Metadata::default()).unwrap();
    assert_eq!(front(&mut consumer).unwrap(), b"headbody");
    let chunk = consumer.take_chunk().unwrap();
    let edge = consumer.publish_progress();
    assert_eq!((chunk.as_ptr(), edge), (address, false));
    assert!(consumer.front().is_none());
}

#[test]
fn a_lane_at_rest_keeps_no_large_block_and_one_never_used_none() {
    let (mut producer, mut consumer) = lane(1 << 20);
    assert!(producer.shared.tail.lock().block.is_none());
    for _ in 0..1000 {
        push(&mut producer, &[1; 100]).unwrap();
    }
    while consumer.front().is_some() {
        consumer.pop();
    }
    assert!(producer.shared.tail.lock().block.is_none());
    push(&mut producer, b"small").unwrap();
    consumer.pop();
    assert!(consumer.front().is_none());
    assert_eq!(
        producer.shared.tail.lock().block.map(|block| block.capacity()),
        Some(crate::pipe::block::SMALL)
    );
}

#[test]
fn dropping_the_consumer_drops_the_messages() {
    let (mut producer, consumer) = lane(100);
    let chunk = Chunk::copy_of(b"kept").unwrap();
    push(&mut producer, b"lost").unwrap();
    producer.batch().push(&[], &mut Payload::Owned(chunk.clone()), Metadata::default()).unwrap();
    drop(consumer);
    assert!(chunk.is_unique());
    let mut body = Payload::Owned(chunk);
    assert_eq!(producer.batch().push(&[], &mut body, Metadata::default()), Err(Full));
    assert_eq!(body.bytes(), b"kept");
}

#[test]
fn two_threads_keep_the_order() {
    const COUNT: u32 = 20_000;
    let (mut producer, mut consumer) = lane(4096);
    let sender = thread::spawn(move || {
        for number in 0..COUNT {
            let bytes = vec![number as u8; (number % 300) as usize];
            let head = number.to_be_bytes();
            while producer.batch().push(&head, &mut Payload::Borrowed(&bytes), Metadata::default()).is_err() {
                thread::yield_now();
            }
        }
    });
    for number in 0..COUNT {
        let length = 4 + (number % 300) as usize;
        loop {
            if let Some(front) = consumer.front() {
                assert_eq!((front.word(0), front.len()), (Some(number), length));
                assert!(front.bytes(4..).all(|byte| byte == number as u8));
                break;
            }
            thread::yield_now();
        }
        consumer.pop();
    }
    sender.join().unwrap();
}

#[test]
fn a_producer_throttles_only_for_a_consumer_that_makes_progress() {
    let (mut producer, mut consumer) = lane(100);
    let push = |producer: &mut Producer| {
        producer.batch().push(&[], &mut Payload::Borrowed(&[0; 10]), Metadata::default()).unwrap();
    };
    (0..5).for_each(|_| push(&mut producer));
    assert!(!producer.batch().should_throttle(), "half full is not too full");
    push(&mut producer);
    let throttles = |producer: &mut Producer| {
        (0..2 * MAX_THROTTLES).filter(|_| producer.batch().should_throttle()).count()
    };
    assert_eq!(throttles(&mut producer), MAX_THROTTLES as usize);
    assert!(!consumer.is_empty());
    consumer.pop();
    assert!(!producer.batch().should_throttle(), "there is room again");
    push(&mut producer);
    assert_eq!(throttles(&mut producer), MAX_THROTTLES as usize, "the consumer has made progress");
}

#[test]
fn a_producer_that_waits_for_a_consumer_far_behind_is_notified_at_a_quarter() {
    let (mut producer, mut consumer) = lane(100);
    (0..5).for_each(|_| _ = push(&mut producer, &[0; 10]).unwrap());
    assert!(!producer.batch().waits_until_drained(), "half full is not too full");
    (0..2).for_each(|_| _ = push(&mut producer, &[0; 10]).unwrap());
    assert!(producer.batch().waits_until_drained());
    let edges: Vec<bool> = (0..7).map(|_| !consumer.is_empty() && consumer.pop()).collect();
    assert_eq!(edges, [false, false, false, false, true, false, false]);
}

#[test]
fn room_in_a_full_lane_is_reported_also_while_its_consumer_is_far_behind() {
    let (mut producer, mut consumer) = lane(100);
    (0..10).for_each(|_| _ = push(&mut producer, &[0; 10]).unwrap());
    assert!(!producer.has_room());
    assert!(producer.batch().waits_until_drained());
    assert!(!consumer.is_empty() && consumer.pop());
}

#[test]
fn a_push_that_reaches_the_reported_size_is_an_edge() {
    let (mut producer, mut consumer) = lane(1000);
    assert_eq!(push(&mut producer, b"0123456789"), Ok(Pushed { edge: true }));
    assert!(!consumer.report_at(30));
    let mut edges = |count: usize| -> Vec<bool> {
        (0..count).map(|_| push(&mut producer, b"0123456789").unwrap().edge).collect()
    };
    assert_eq!(edges(4), [false, true, false, false]);
    assert!(consumer.report_at(50), "there is enough already");
    while consumer.front_unparked().is_some() {
        consumer.skip();
    }
    assert!(front(&mut consumer).is_none());
    // In a parked lane the first push stays the edge.
    assert!(!consumer.report_at(1000));
    assert_eq!(edges(3), [true, false, false]);
}

#[test]
fn looking_ahead_shows_each_message_once_and_takes_none() {
    for (limit, size) in [(1000, 10), (1_000_000, 10), (1_000_000, 5000)] {
        let (mut producer, mut consumer) = lane(limit);
        let (mut place, mut pushed, mut seen, mut taken) = (Lookahead::default(), 0_u8, 0, 0);
        let mut see = |consumer: &mut Consumer, until: u8| {
            while let Some(front) = consumer.look_ahead(&mut place) {
                assert_eq!((front.len(), front.bytes(0..).next()), (size, Some(seen)));
                seen += 1;
            }
            assert_eq!(seen, until);
        };
        see(&mut consumer, 0);
        for round in 0..8_usize {
            for message in 0..round {
                let chunk = Chunk::copy_of(&vec![pushed; size]).unwrap();
                let body = &mut if size > INLINE_MAX {
                    Payload::Owned(chunk)
                } else {
                    Payload::Borrowed(&[pushed; 10])
                };
                let edge = producer.batch().push(&[], body, Metadata::default()).unwrap().edge;
                assert_eq!(edge, message == 0, "the push after the end was seen");
                pushed += 1;
            }
            see(&mut consumer, pushed);
            // All but a few, all of them, or none.
            let left = [3, 0, 100][round % 3];
            while pushed - taken > left {
                assert_eq!(front(&mut consumer).unwrap(), vec![taken; size]);
                consumer.pop();
                taken += 1;
            }
            see(&mut consumer, pushed);
        }
        // Messages that were taken unseen are not shown.
        for _ in 0..2 {
            push(&mut producer, &[pushed; 10]).unwrap();
        }
        while front(&mut consumer).is_some() {
            consumer.pop();
        }
        see(&mut consumer, pushed);
    }
}

/// For each count: fills the lane, takes that many messages, and asks for the pause after a sleep. Returns
/// the last pause.
fn pause_after(slept: Duration, limit: usize, taken: &[usize]) -> Duration {
    let (mut producer, mut consumer) = lane(limit);
    let mut pause = Duration::ZERO;
    for taken in taken {
        while push(&mut producer, &[0; 8]).is_ok() {}
        (0..*taken).for_each(|_| _ = consumer.pop());
        pause = producer.batch().pause_after(slept);
    }
    pause
}

#[test]
fn a_producer_woken_for_little_room_pauses() {
    let pause = |taken: &[usize]| pause_after(Duration::ZERO, 16 * 1600, taken);
    assert_eq!(pause(&[1]), Duration::ZERO);
    assert_eq!(pause(&[1, 1]), MIN_PAUSE);
    assert_eq!(pause(&[1, 1, 1]), 2 * MIN_PAUSE);
    assert_eq!(pause(&[1; 100]), MAX_PAUSE_AFTER_SHORT_SLEEP);
    assert_eq!(pause(&[1, 1, 1, 200, 200]), 2 * MIN_PAUSE);
    assert_eq!(pause(&[1, 1, 1, 500]), MIN_PAUSE);
    assert_eq!(pause(&[1, 1, 1, 500, 500]), Duration::ZERO);
    assert_eq!(pause(&[200; 100]), Duration::ZERO);
    // The more room there is, the shorter is the next pause.
    assert_eq!(pause(&[&[1; 7][..], &[500]].concat()), MIN_PAUSE * 32 / 2);
    assert_eq!(pause(&[&[1; 7][..], &[1600]].concat()), MIN_PAUSE * 32 / 8);
}

#[test]
fn the_longest_pause_depends_on_how_often_the_receiver_takes() {
    for (slept, longest) in [(1, 8_000), (100, 25_600), (1_000, 64_000), (63_999, 64_000)] {
        let pause = pause_after(Duration::from_micros(slept), 16 * 1600, &[1; 100]);
        assert_eq!(pause, Duration::from_micros(longest), "{slept}");
    }
}

#[test]
fn there_is_no_pause_when_room_comes_slowly_or_the_bound_is_small() {
    assert_eq!(pause_after(MAX_PAUSE, 16 * 1600, &[1; 100]), Duration::ZERO);
    assert_eq!(pause_after(Duration::ZERO, PAYLOAD_BOUND, &[1; 100]), Duration::ZERO);
}
