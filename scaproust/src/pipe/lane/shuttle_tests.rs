//! Random schedules of a lane with both of its ends: messages and edges in both directions.

use std::rc::Rc;

use super::*;
use crate::machine::exploring::{choose, choose_from, explore, quick_or_slow};
use crate::machine::spawn;
use crate::message::{Chunk, Metadata, Payload};
use crate::sync::{Event, now};
use std::time::Duration;

/// What the ends of a lane share besides it.
struct Link {
    /// Notified of messages, and when the producer has ended.
    messages: Event,
    /// Notified of room, and when the consumer was dropped.
    room: Event,
    is_finished: AtomicBool,
}

/// The message of a number: the same byte, sometimes many.
fn body(number: u8) -> Vec<u8> {
    vec![number; choose_from(&[0, 1, 20, 900, 5000])]
}

/// Pushes messages with these bodies, several at a time. Stops when the consumer was dropped.
fn produce(link: &Link, mut producer: Producer, bodies: &[Vec<u8>]) {
    let mut left = bodies;
    while !left.is_empty() {
        let epoch = link.room.epoch();
        let mut batch = producer.batch();
        let mut edge = false;
        for _ in 0..1 + choose(3) {
            let Some(next) = left.first() else { break };
            let mut payload = if choose(2) == 0 {
                Payload::Borrowed(next)
            } else {
                Payload::Owned(Chunk::copy_of(next).expect("memory"))
            };
            let Ok(pushed) = batch.push(&[], &mut payload, Metadata::default()) else { break };
            edge |= pushed.edge;
            left = &left[1..];
        }
        let is_closed = batch.is_closed();
        drop(batch);
        if edge {
            link.messages.notify_one();
        }
        if is_closed {
            return;
        }
        let has_room = choose_from(&[Producer::has_room, Producer::has_room_or_waits_for_half]);
        if !left.is_empty() && !has_room(&mut producer) && !producer.batch().is_closed() {
            link.room.wait(epoch, None);
        }
    }
}

/// Takes messages until the producer has ended and none is left, but at most `most`.
fn consume(link: &Link, consumer: &mut Consumer, most: usize, bodies: &[Vec<u8>]) {
    let mut taken = 0;
    while taken < most {
        let epoch = link.messages.epoch();
        let is_finished = link.is_finished.load(Ordering::SeqCst);
        let stays_unparked = choose(3) == 0;
        let front = if stays_unparked { consumer.front_unparked() } else { consumer.front() };
        if let Some(front) = front {
            assert_eq!(front.body, bodies[taken]);
            taken += 1;
            consumer.skip();
            if consumer.publish_progress() {
                link.room.notify_one();
            }
        } else if !stays_unparked {
            if is_finished {
                break;
            }
            link.messages.wait(epoch, None);
        } else if !consumer.report_at(1 + choose(3000) as usize) {
            // Fewer bytes may come.
            link.messages.wait(epoch, Some(now() + Duration::from_millis(1)));
        }
    }
}

#[test]
fn shuttle_messages_cross_a_lane() {
    explore(20_000, quick_or_slow, || {
        let link =
            Rc::new(Link { messages: Event::new(), room: Event::new(), is_finished: AtomicBool::new(false) });
        let (producer, mut consumer) = lane(choose_from(&[1, 2, 30, 1000, 2000, 10_000]));
        let bodies: Rc<Vec<_>> = Rc::new((0..=choose(12) as u8).map(body).collect());
        let (own, sent) = (link.clone(), bodies.clone());
        let sender = spawn("producer", move || {
            produce(&own, producer, &sent);
            own.is_finished.store(true, Ordering::SeqCst);
            own.messages.notify_all();
        });
        // The consumer leaves early, or takes all.
        let most = if choose(2) == 0 { choose(bodies.len() as u64) as usize } else { bodies.len() };
        consume(&link, &mut consumer, most, &bodies);
        drop(consumer);
        link.room.notify_all();
        sender.join();
    });
}
