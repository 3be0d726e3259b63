//! A publisher of the weather and of sports, and two subscribers, each with its own interests.

use std::thread;

use scaproust::{Error, Pub, Sub};

fn subscriber(address: &str, topic: &str) -> Result<Sub, Error> {
    let subscriber = Sub::new()?;
    subscriber.subscribe(topic)?;
    subscriber.connect(address)?;
    Ok(subscriber)
}

fn main() -> Result<(), Error> {
    let publisher = Pub::new()?;
    let address = publisher.bind("tcp://127.0.0.1:0")?.address()?;
    let subscribers = [subscriber(&address, "weather/")?, subscriber(&address, "sports/")?];
    // What is published before a subscriber is connected does not reach it.
    while publisher.statistics()?.connections < 2 {
        thread::yield_now();
    }
    for message in ["weather/rain", "sports/2:1", "weather/sun", "sports/2:2"] {
        publisher.send(message)?;
    }
    for (subscriber, expected) in
        subscribers.iter().zip([["weather/rain", "weather/sun"], ["sports/2:1", "sports/2:2"]])
    {
        for expected in expected {
            let message = subscriber.recv()?;
            println!("{}", String::from_utf8_lossy(&message));
            assert_eq!(message, expected);
        }
    }
    Ok(())
}
