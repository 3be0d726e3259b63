//! Tasks that read from a connection themselves while they expect an answer: how long they do so, and what they leave to
//! others when they are dropped, or not polled any more.

#![cfg(not(any(loom, simulated)))]

mod executors;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use executors::{Run, address};
use scaproust::{Error, Message, Pair, Poller};

/// The transports with descriptors to read from.
fn transports() -> impl Iterator<Item = &'static str> {
    executors::transports().filter(|transport| *transport != "inproc")
}

/// More polls than a task needs before it waits.
const MANY: u32 = 1000;

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls a future once.
fn poll<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&count.clone().into()))
}

/// Polls a future that has woken itself, until it does so no more. Returns how often it was polled.
fn poll_until_it_waits<F: Future + Unpin>(future: &mut F) -> u32
where
    F::Output: std::fmt::Debug,
{
    let count = Arc::new(Count::default());
    let mut polls = 0;
    loop {
        let outcome = poll(future, &count);
        assert!(outcome.is_pending(), "{outcome:?}");
        polls += 1;
        if count.get() < polls {
            return polls;
        }
        assert!(polls < MANY);
    }
}

/// Two sockets that have exchanged a message, so that `[0]` has sent one and expects an answer.
fn pairs(transport: &str, test: &str) -> [Pair; 2] {
    let address = address(transport, test);
    let [one, other] = [(); 2].map(|()| Pair::new().unwrap());
    other.bind(&address).unwrap();
    one.connect(&address).unwrap();
    one.send("question").unwrap();
    assert_eq!(other.recv().unwrap(), "question");
    [one, other]
}

/// Whether the first poll of a receiver has begun to look: it has woken itself.
fn begins_to_look<F: Future + Unpin>(future: &mut F) -> bool {
    let count = Arc::new(Count::default());
    assert!(poll(future, &count).is_pending());
    count.get() == 1
}

#[test]
fn a_task_looks_for_its_answer_and_then_waits() {
    for transport in transports() {
        let [one, other] = pairs(transport, "looks");
        let mut answer = one.recv_async();
        assert!(begins_to_look(&mut answer));
        assert!(poll_until_it_waits(&mut answer) < MANY);
        other.send("answer").unwrap();
        assert_eq!(smol::block_on(answer).unwrap(), "answer");
    }
}

#[test]
fn a_task_that_expects_no_answer_does_not_look() {
    for transport in transports() {
        let [_one, other] = pairs(transport, "expects");
        let mut next = other.recv_async();
        assert!(!begins_to_look(&mut next));
    }
}

#[test]
fn tasks_look_seldom_when_answers_are_always_late() {
    for transport in transports() {
        let [one, other] = pairs(transport, "late");
        let mut looked = 0;
        for _ in 0..MANY {
            let mut answer = one.recv_async();
            looked += u32::from(begins_to_look(&mut answer));
            poll_until_it_waits(&mut answer);
            drop(answer);
        }
        // The back-off doubles: 0, 1, 2, 4, … 64 waits without looks.
        assert!((1..32).contains(&looked), "{looked}");
        other.send("answer").unwrap();
        assert_eq!(one.recv().unwrap(), "answer");
    }
}

/// However often it was polled before, a receiver that is dropped has taken nothing, and the next one gets everything.
#[test]
fn a_task_that_is_dropped_while_it_looks_takes_nothing() {
    for transport in transports() {
        let [one, other] = pairs(transport, "dropped");
        for round in 0..500_u32 {
            one.send("question").unwrap();
            assert_eq!(other.recv().unwrap(), "question");
            other.send(round.to_le_bytes()).unwrap();
            let mut dropped = one.recv_async();
            let count = Arc::new(Count::default());
            let came = (0..round % 4).find_map(|_| match poll(&mut dropped, &count) {
                Poll::Ready(message) => Some(message.unwrap()),
                Poll::Pending => None,
            });
            drop(dropped);
            let next = || if round % 8 < 4 { one.recv() } else { smol::block_on(one.recv_async()) };
            assert_eq!(came.unwrap_or_else(|| next().unwrap()), round.to_le_bytes());
            assert_eq!(one.try_recv().err(), Some(Error::WouldBlock));
        }
    }
}

/// Calls of threads, and a second task, get what has come although the task that looks is not polled any more.
#[test]
fn a_task_that_is_not_polled_any_more_holds_nothing_back() {
    let takers: [fn(&Pair) -> Message; 4] = [
        |pair| pair.recv().unwrap(),
        |pair| smol::block_on(pair.recv_async()).unwrap(),
        |pair| {
            Poller::new().readable(pair).wait(None).unwrap();
            pair.try_recv().unwrap()
        },
        |pair| {
            loop {
                match pair.try_recv() {
                    Err(Error::WouldBlock) => std::thread::yield_now(),
                    received => return received.unwrap(),
                }
            }
        },
    ];
    for transport in transports() {
        for (number, take) in takers.iter().enumerate() {
            let [one, other] = pairs(transport, &format!("left-{number}"));
            let mut left = one.recv_async();
            assert!(begins_to_look(&mut left));
            other.send("answer").unwrap();
            assert_eq!(take(&one), "answer");
            drop(left);
        }
    }
}

#[test]
fn closing_ends_the_looks_of_a_task() {
    for transport in transports() {
        let [one, _other] = pairs(transport, "closed");
        let mut answer = one.recv_async();
        assert!(begins_to_look(&mut answer));
        one.close().unwrap();
        assert_eq!(poll(&mut answer, &Arc::default()), Poll::Ready(Err(Error::Closed)));
    }
}

#[test]
fn a_time_out_ends_the_looks_of_a_task() {
    for transport in transports() {
        let [one, _other] = pairs(transport, "time-out");
        let mut answer = one.recv_async().timeout(Duration::from_nanos(1));
        let outcome = (0..MANY).find_map(|_| match poll(&mut answer, &Arc::default()) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        });
        assert_eq!(outcome, Some(Err(Error::TimedOut)));
    }
}

#[test]
fn a_peer_that_leaves_while_a_task_looks_does_not_end_its_wait() {
    for transport in transports() {
        let [one, other] = pairs(transport, "leaves");
        let mut answer = one.recv_async();
        assert!(begins_to_look(&mut answer));
        drop(other);
        poll_until_it_waits(&mut answer);
    }
}

fn tokio_on_one_thread(futures: Vec<executors::Boxed>) {
    let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tasks: Vec<_> = futures.into_iter().map(|future| runtime.spawn(future)).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Messages go to and fro between two tasks; a third one is polled as often as it wants meanwhile.
#[test]
fn other_tasks_run_while_tasks_look() {
    const ROUNDS: u32 = 2000;
    let runs = executors::ALL.into_iter().chain([("tokio, one thread", tokio_on_one_thread as Run)]);
    for (number, (_, run)) in runs.enumerate() {
        for transport in transports() {
            let [one, other] = pairs(transport, &format!("others-{number}"));
            run(vec![
                Box::pin(async move {
                    for round in 0..ROUNDS {
                        one.send_async(round.to_le_bytes()).await.unwrap();
                        assert_eq!(one.recv_async().await.unwrap(), round.to_le_bytes());
                    }
                }),
                Box::pin(async move {
                    for _ in 0..ROUNDS {
                        let message = other.recv_async().await.unwrap();
                        other.send_async(message).await.unwrap();
                    }
                }),
                Box::pin(async {
                    for _ in 0..ROUNDS {
                        smol::future::yield_now().await;
                    }
                }),
            ]);
        }
    }
}
