//! As pipeline, in tasks: the three workers share one socket.

use std::sync::Arc;

use scaproust::{Error, Pull, Push};

/// Works until the socket for tasks is closed.
async fn work(worker: u32, tasks: Arc<Pull>, results: String) -> Result<(), Error> {
    let push = Push::new()?;
    push.connect(results)?;
    while let Ok(task) = tasks.recv_async().await {
        push.send_async(format!("worker {worker} has done {}", String::from_utf8_lossy(&task))).await?;
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let executor = smol::Executor::new();
    smol::block_on(executor.run(async {
        let (source, tasks) = (Push::new()?, Arc::new(Pull::new()?));
        tasks.connect(source.bind("inproc://tasks")?.address()?)?;
        let sink = Pull::new()?;
        let results = sink.bind("tcp://127.0.0.1:0")?.address()?;

        let workers = [1, 2, 3].map(|worker| executor.spawn(work(worker, tasks.clone(), results.clone())));
        for number in 0..12 {
            source.send_async(format!("task {number}")).await?;
        }
        for _ in 0..12 {
            println!("{}", String::from_utf8_lossy(&sink.recv_async().await?));
        }
        tasks.close()?;
        for worker in workers {
            worker.await?;
        }
        Ok(())
    }))
}
