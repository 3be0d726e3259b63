//! Every interleaving of a small lane: no message and no edge is lost.

use super::*;
use loom::sync::{Arc as LoomArc, Notify};

fn push(producer: &mut Producer, byte: u8) -> Result<Pushed, Full> {
    producer.batch().push(&[], &mut Payload::Borrowed(&[byte]), None)
}

#[test]
fn loom_a_consumer_that_sleeps_on_empty_gets_every_message() {
    loom::model(|| {
        let (mut producer, mut consumer) = lane(100);
        let edge = LoomArc::new(Notify::new());
        let told = edge.clone();
        let sender = loom::thread::spawn(move || {
            for byte in 0..2 {
                if push(&mut producer, byte).unwrap().edge {
                    told.notify();
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
fn loom_a_producer_that_sleeps_on_full_gets_room() {
    loom::model(|| {
        let (mut producer, mut consumer) = lane(1);
        push(&mut producer, 0).unwrap();
        let edge = LoomArc::new(Notify::new());
        let told = edge.clone();
        let receiver = loom::thread::spawn(move || {
            assert!(consumer.front().is_some());
            if consumer.pop() {
                told.notify();
            }
            consumer
        });
        loop {
            if push(&mut producer, 1).is_ok() {
                break;
            }
            edge.wait();
        }
        let mut consumer = receiver.join().unwrap();
        assert_eq!(consumer.front().unwrap().body, [1]);
    });
}

#[test]
fn loom_a_consumer_that_goes_leaves_nothing_behind() {
    loom::model(|| {
        let (mut producer, consumer) = lane(100);
        let chunk = Chunk::copy_of(b"x").unwrap();
        let pushed = chunk.clone();
        let sender = loom::thread::spawn(move || {
            let _ = push(&mut producer, 1);
            let _ = producer.batch().push(&[], &mut Payload::Owned(pushed), None);
        });
        drop(consumer);
        sender.join().unwrap();
        assert!(chunk.is_unique());
    });
}
