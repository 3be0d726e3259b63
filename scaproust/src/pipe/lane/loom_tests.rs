//! All interleavings of a small lane: no message and no edge is lost.

use super::*;
use crate::message::{Chunk, Metadata, Payload};
use loom::sync::{Arc as LoomArc, Notify};

fn push(producer: &mut Producer, byte: u8) -> Result<Pushed, Full> {
    producer.batch().push(&[], &mut Payload::Borrowed(&[byte]), Metadata::default())
}

#[test]
fn loom_a_consumer_that_sleeps_on_empty_gets_every_message() {
    loom::model(|| {
        let (mut producer, mut consumer) = lane(100);
        let edge = LoomArc::new(Notify::new());
        let notify = edge.clone();
        let sender = loom::thread::spawn(move || {
            for byte in 0..2 {
                if push(&mut producer, byte).unwrap().edge {
                    notify.notify();
                }
            }
        });
        for byte in 0..2 {
            loop {
                if let Some(front) = consumer.front() {
                    assert_eq!(front.body, [byte]);
                    break;
                }
                edge.wait();
            }
            consumer.pop();
        }
        sender.join().unwrap();
    });
}

#[test]
fn loom_a_consumer_that_looks_ahead_sees_every_message() {
    loom::model(|| {
        let (mut producer, mut consumer) = lane(100);
        let edge = LoomArc::new(Notify::new());
        let notify = edge.clone();
        let sender = loom::thread::spawn(move || {
            for byte in 0..2 {
                if push(&mut producer, byte).unwrap().edge {
                    notify.notify();
                }
            }
        });
        let mut place = Lookahead::default();
        for byte in 0..2 {
            loop {
                if let Some(front) = consumer.look_ahead(&mut place) {
                    assert_eq!(front.body, [byte]);
                    break;
                }
                edge.wait();
            }
        }
        sender.join().unwrap();
    });
}

#[test]
fn loom_a_producer_that_sleeps_on_full_gets_room() {
    wait_for_room(1, 1, Producer::has_room);
}

#[test]
fn loom_a_producer_that_sleeps_until_half_is_free_gets_room() {
    wait_for_room(2, 2, Producer::has_room_or_waits_for_half);
}

#[test]
fn loom_a_producer_that_lets_the_consumer_catch_up_is_notified() {
    wait_for_room(4, 4, |producer| !producer.batch().waits_until_drained());
}

/// A caller that found no room waits for an edge. Another caller that finds room meanwhile must not cancel that edge.
#[test]
fn loom_a_caller_that_waits_gets_its_edge() {
    loom::model(|| {
        let (mut producer, mut consumer) = lane(1);
        push(&mut producer, 0).unwrap();
        assert!(!producer.has_room());
        let receiver = loom::thread::spawn(move || {
            assert!(consumer.front().is_some());
            consumer.pop()
        });
        producer.has_room();
        assert!(receiver.join().unwrap());
    });
}

/// Fills a lane and waits for room while another thread takes `taken` messages.
fn wait_for_room(limit: usize, taken: usize, has_room: fn(&mut Producer) -> bool) {
    let mut model = loom::model::Builder::new();
    // All interleavings of four messages take minutes.
    model.preemption_bound = (taken > 2).then_some(3);
    model.check(move || {
        let (mut producer, mut consumer) = lane(limit);
        for _ in 0..limit {
            push(&mut producer, 0).unwrap();
        }
        let edge = LoomArc::new(Notify::new());
        let notify = edge.clone();
        let receiver = loom::thread::spawn(move || {
            for _ in 0..taken {
                assert!(consumer.front().is_some());
                if consumer.pop() {
                    notify.notify();
                }
            }
            consumer
        });
        while !has_room(&mut producer) {
            edge.wait();
        }
        push(&mut producer, 1).unwrap();
        let mut consumer = receiver.join().unwrap();
        while consumer.front().unwrap().body == [0] {
            consumer.pop();
        }
        assert_eq!(consumer.front().unwrap().body, [1]);
    });
}

#[test]
fn loom_dropping_the_consumer_drops_the_messages() {
    loom::model(|| {
        let (mut producer, consumer) = lane(100);
        let chunk = Chunk::copy_of(b"x").unwrap();
        let pushed = chunk.clone();
        let sender = loom::thread::spawn(move || {
            let _ = push(&mut producer, 1);
            let _ = producer.batch().push(&[], &mut Payload::Owned(pushed), Metadata::default());
        });
        drop(consumer);
        sender.join().unwrap();
        assert!(chunk.is_unique());
    });
}
