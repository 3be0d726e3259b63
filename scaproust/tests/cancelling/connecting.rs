//! Waits for a connection that are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use scaproust::{Endpoint, Error, Pull, Push};

use super::executors::{self, Boxed, address, transports};
use super::steps::{Random, Step, dropped};

/// Waits for the connection of an endpoint by futures of which most are dropped.
async fn wait(endpoint: Arc<Endpoint>, seed: u64) {
    let mut random = Random(seed);
    loop {
        let future = endpoint.wait_connected_async();
        let connected = if random.below(4) == 0 {
            Some(future.timeout(Duration::from_micros(random.below(20))).await)
        } else {
            dropped(future, Step::choose(&mut random)).await
        };
        match connected {
            Some(Ok(())) => return,
            None | Some(Err(Error::TimedOut)) => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

/// The endpoint connects once, whatever becomes of those that wait for it, and each of them learns of that.
#[test]
fn dropped_waits_for_a_connection_neither_end_nor_repeat_it() {
    const ROUNDS: usize = 10;
    const WAITING: u64 = 5;
    for (executor, run) in executors::ALL {
        for transport in transports() {
            for round in 0..ROUNDS {
                let (push, pull) = (Push::new().unwrap(), Pull::new().unwrap());
                push.set_reconnect_interval(Duration::from_millis(1)).unwrap();
                let address = address(transport, &format!("connect-{executor}-{round}"));
                let endpoint = Arc::new(push.connect(&address).unwrap());
                let waiting = Arc::new(AtomicU64::new(0));
                let waits = (1..=WAITING).map(|seed| {
                    let (endpoint, waiting) = (endpoint.clone(), waiting.clone());
                    Box::pin(async move {
                        waiting.fetch_add(1, Ordering::Relaxed);
                        wait(endpoint, seed).await;
                    }) as Boxed
                });
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        while waiting.load(Ordering::Relaxed) < WAITING {
                            std::thread::yield_now();
                        }
                        pull.bind(&address).unwrap();
                    });
                    run(waits.collect());
                });
                push.send("connected").unwrap();
                assert_eq!(pull.recv().unwrap(), "connected");
                let statistics = push.statistics().unwrap();
                assert_eq!((statistics.established, statistics.connections), (1, 1));
            }
        }
    }
}
