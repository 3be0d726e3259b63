//! As bus, in tasks: each member hears and speaks at the same time.

use std::sync::Arc;
use std::thread;

use scaproust::{Bus, Error};

fn main() -> Result<(), Error> {
    let members = [Arc::new(Bus::new()?), Arc::new(Bus::new()?), Arc::new(Bus::new()?)];
    let addresses =
        [members[0].bind("tcp://127.0.0.1:0")?.address()?, members[1].bind("tcp://127.0.0.1:0")?.address()?];
    members[1].connect(&addresses[0])?;
    members[2].connect(&addresses[0])?;
    members[2].connect(&addresses[1])?;
    for member in &members {
        // What is sent before a peer is connected does not reach it.
        while member.statistics()?.connections < 2 {
            thread::yield_now();
        }
    }
    let executor = smol::Executor::new();
    smol::block_on(executor.run(async {
        let tasks: Vec<_> = members
            .iter()
            .enumerate()
            .flat_map(|(number, member)| {
                let (hearing, speaking) = (member.clone(), member.clone());
                let hear = async move {
                    for _ in 0..2 {
                        let message = hearing.recv_async().await?;
                        println!("member {number} hears: {}", String::from_utf8_lossy(&message));
                    }
                    Ok::<(), Error>(())
                };
                let speak = async move { Ok(speaking.send_async(format!("member {number} is here")).await?) };
                [executor.spawn(hear), executor.spawn(speak)]
            })
            .collect();
        for task in tasks {
            task.await?;
        }
        Ok(())
    }))
}
