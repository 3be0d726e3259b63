//! As pubsub, in tasks: the subscribers are contexts of one socket, so that each has its own interests and they share a
//! connection.

use std::thread;

use scaproust::{Error, Pub, Sub};

async fn read(subscriber: Sub, topic: &str) -> Result<(), Error> {
    for _ in 0..2 {
        let message = subscriber.recv_async().await?;
        println!("{}", String::from_utf8_lossy(&message));
        assert!(message.starts_with(topic.as_bytes()));
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let publisher = Pub::new()?;
    let address = publisher.bind("tcp://127.0.0.1:0")?.address()?;
    let connected = Sub::new()?;
    let readers = ["weather/", "sports/"].map(|topic| {
        let subscriber = connected.context()?;
        subscriber.subscribe(topic)?;
        Ok::<_, Error>(read(subscriber, topic))
    });
    connected.connect(&address)?;
    // What is published before the subscribers are connected does not reach them.
    while publisher.statistics()?.connections < 1 {
        thread::yield_now();
    }
    let executor = smol::Executor::new();
    smol::block_on(executor.run(async {
        let [weather, sports] = readers;
        let readers = [executor.spawn(weather?), executor.spawn(sports?)];
        for message in ["weather/rain", "sports/2:1", "weather/sun", "sports/2:2"] {
            publisher.send_async(message).await?;
        }
        for reader in readers {
            reader.await?;
        }
        Ok(())
    }))
}
