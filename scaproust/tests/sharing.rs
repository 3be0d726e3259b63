//! Large messages that stay within the process: the same memory at each subscriber.

#![cfg(not(any(loom, simulated)))]

use scaproust::{Message, Pub, Sub};

const LENGTH: usize = 1 << 20;

/// A publisher with three subscribers over inproc.
fn publisher(name: &str) -> (Pub, [Sub; 3]) {
    let publisher = Pub::new().unwrap();
    publisher.bind(format!("inproc://sharing/{name}")).unwrap();
    let subscribers = [(); 3].map(|()| {
        let subscriber = Sub::new().unwrap();
        subscriber.subscribe(b"").unwrap();
        subscriber.set_recv_buffer(4 * LENGTH).unwrap();
        subscriber.connect(format!("inproc://sharing/{name}")).unwrap();
        subscriber
    });
    (publisher, subscribers)
}

#[test]
fn a_message_is_the_same_memory_at_each_subscriber() {
    let (publisher, subscribers) = publisher("message");
    let kept = Message::from(vec![7; LENGTH]);
    publisher.send_message(kept.clone()).unwrap();
    let received = subscribers.map(|subscriber| subscriber.recv().unwrap());
    for message in &received {
        assert_eq!((message.as_ptr(), message.len()), (kept.as_ptr(), LENGTH));
    }
    // What one subscriber writes is seen by no other.
    let [mut written, others @ ..] = received;
    written.make_mut().unwrap().fill(8);
    assert!(others.iter().chain([&kept]).all(|message| message.iter().all(|byte| *byte == 7)));
}

#[cfg(feature = "bytes")]
#[test]
fn bytes_are_copied_once_and_shared_by_all_subscribers() {
    let (publisher, subscribers) = publisher("bytes");
    publisher.send(bytes::Bytes::from(vec![7; LENGTH])).unwrap();
    let received = subscribers.map(|subscriber| bytes::Bytes::from(subscriber.recv().unwrap()));
    assert!(received.iter().all(|bytes| bytes.as_ptr() == received[0].as_ptr() && bytes.len() == LENGTH));
}

#[test]
fn the_bound_of_each_subscriber_counts_its_part_of_shared_memory() {
    let (publisher, subscribers) = publisher("parts");
    for number in 0..12_u8 {
        publisher.send(&vec![number; LENGTH][..]).unwrap();
    }
    for subscriber in subscribers {
        for number in 0..12 {
            assert_eq!(subscriber.try_recv().unwrap()[LENGTH - 1], number);
        }
    }
}
