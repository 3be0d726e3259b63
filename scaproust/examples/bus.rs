//! Three members of a bus, each of which hears the others.

use std::thread;

use scaproust::{Bus, Error};

fn main() -> Result<(), Error> {
    let members = [Bus::new()?, Bus::new()?, Bus::new()?];
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
    for (number, member) in members.iter().enumerate() {
        member.send(format!("member {number} is here"))?;
    }
    for (number, member) in members.iter().enumerate() {
        for _ in 0..2 {
            println!("member {number} hears: {}", String::from_utf8_lossy(&member.recv()?));
        }
    }
    Ok(())
}
