//! A task and a thread that talk to each other over one pair of sockets.

use std::thread;
use std::time::Duration;

use scaproust::{Error, Pair};

fn main() -> Result<(), Error> {
    let (one, other) = (Pair::new()?, Pair::new()?);
    other.connect(one.bind("tcp://127.0.0.1:0")?.address()?)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            for message in &other {
                other.send(format!("{}, to you too", String::from_utf8_lossy(&message?)))?;
            }
            Ok::<(), Error>(())
        });
        smol::block_on(async {
            for greeting in ["good morning", "good evening"] {
                one.send_async(greeting).await?;
                let answer = one.recv_async().timeout(Duration::from_secs(10)).await?;
                println!("{}", String::from_utf8_lossy(&answer));
                assert_eq!(answer, format!("{greeting}, to you too"));
            }
            Ok::<(), Error>(())
        })?;
        other.close()
    })
}
