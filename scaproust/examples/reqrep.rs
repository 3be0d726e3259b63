//! A server whose four workers share one socket, and a client that has twenty requests open at once.

use std::thread;

use scaproust::{Error, Rep, Req};

fn main() -> Result<(), Error> {
    let server = Rep::new()?;
    let endpoint = server.bind("tcp://127.0.0.1:0")?;
    let client = Req::new()?;
    client.connect(endpoint.address()?)?;

    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok((request, reply)) = server.accept() {
                    let number: u64 = String::from_utf8_lossy(&request).parse().unwrap_or_default();
                    reply.send((number * number).to_string())?;
                }
                Ok::<(), Error>(())
            });
        }
        let requests: Vec<_> = (0..20)
            .map(|number: u64| Ok((number, client.request(number.to_string())?)))
            .collect::<Result<_, Error>>()?;
        for (number, pending) in requests {
            let square = pending.wait()?;
            println!("{number} squared is {}", String::from_utf8_lossy(&square));
            assert_eq!(square, (number * number).to_string());
        }
        server.close() // The workers end.
    })
}
