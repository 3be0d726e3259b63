//! A source that pushes tasks to three workers, and a sink that pulls their results.

use std::thread;

use scaproust::{Error, Pull, Push};

/// Works until its socket for tasks is closed.
fn work(worker: usize, tasks: &Pull, results: &str) -> Result<(), Error> {
    let push = Push::new()?;
    push.connect(results)?;
    for task in tasks {
        push.send(format!("worker {worker} has done {}", String::from_utf8_lossy(&task?)))?;
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let source = Push::new()?;
    let address = source.bind("inproc://tasks")?.address()?;
    let sink = Pull::new()?;
    let results = sink.bind("tcp://127.0.0.1:0")?.address()?;
    let workers = [Pull::new()?, Pull::new()?, Pull::new()?];
    for tasks in &workers {
        tasks.connect(&address)?;
    }
    thread::scope(|scope| {
        for (number, tasks) in workers.iter().enumerate() {
            let results = &results;
            scope.spawn(move || work(number, tasks, results));
        }
        for number in 0..12 {
            source.send(format!("task {number}"))?;
        }
        for result in sink.iter().take(12) {
            println!("{}", String::from_utf8_lossy(&result?));
        }
        workers.iter().try_for_each(|tasks| tasks.close())
    })
}
