//! As reqrep, in tasks: each request has a task that waits for its reply, or for its deadline.

use std::sync::Arc;
use std::time::Duration;

use scaproust::{Error, Rep, Req};

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    runtime.block_on(async {
        let server = Arc::new(Rep::new()?);
        let endpoint = server.bind("tcp://127.0.0.1:0")?;
        let client = Req::new()?;
        client.connect(endpoint.address()?)?;

        let workers = [(); 4].map(|()| {
            let server = server.clone();
            tokio::spawn(async move {
                while let Ok((request, reply)) = server.accept_async().await {
                    let number: u64 = String::from_utf8_lossy(&request).parse().unwrap_or_default();
                    reply.send((number * number).to_string())?;
                }
                Ok::<(), Error>(())
            })
        });
        let requests: Vec<_> = (0..20)
            .map(|number: u64| {
                let pending = client.request(number.to_string())?.timeout(Duration::from_secs(10));
                Ok((number, tokio::spawn(pending)))
            })
            .collect::<Result<_, Error>>()?;
        for (number, pending) in requests {
            let square = pending.await.expect("the task has not failed")?;
            println!("{number} squared is {}", String::from_utf8_lossy(&square));
            assert_eq!(square, (number * number).to_string());
        }
        server.close()?; // The workers end.
        for worker in workers {
            worker.await.expect("the task has not failed")?;
        }
        Ok(())
    })
}
