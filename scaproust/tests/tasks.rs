//! Tasks that send and receive: on an executor that polls inside the waker, on tokio and on smol; with threads on the same
//! socket, and over each transport.

#![cfg(not(any(loom, simulated)))]

mod executors;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use executors::{Tasks, address, transports};
use scaproust::{Error, Message, Pair, Pub, Pull, Push, Rep, Req, Sub, Surveyor};

/// What a client and a server exchange.
async fn ask(client: &Req, rounds: u32) {
    for round in 0..rounds {
        let pending = client.request(round.to_le_bytes()).unwrap();
        assert_eq!(pending.await.unwrap(), (round + 1).to_le_bytes());
    }
}

async fn reply(server: &Rep, rounds: u32) {
    for _ in 0..rounds {
        let (request, reply) = server.accept_async().await.unwrap();
        let round = u32::from_le_bytes((*request).try_into().unwrap());
        reply.send((round + 1).to_le_bytes()).unwrap();
    }
}

fn client_and_server(address: &str) -> (Arc<Req>, Arc<Rep>) {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind(address).unwrap();
    client.connect(address).unwrap();
    (Arc::new(client), Arc::new(server))
}

#[test]
fn requests_and_replies_on_each_executor() {
    for (executor, run) in executors::ALL {
        for transport in transports() {
            let (client, server) = client_and_server(&address(transport, executor));
            run(vec![
                Box::pin(async move { reply(&server, 2000).await }),
                Box::pin(async move { ask(&client, 2000).await }),
            ]);
        }
    }
}

/// Tasks and threads send numbers to tasks and threads over one pair of sockets. Each number comes once.
#[test]
fn threads_and_tasks_share_a_socket() {
    const EACH: usize = 4000;
    for transport in transports() {
        let address = address(transport, "shared");
        let (push, pull) = (Push::new().unwrap(), Pull::new().unwrap());
        pull.bind(&address).unwrap();
        push.connect(&address).unwrap();
        // Small lanes, so that senders wait too.
        let came: Vec<AtomicUsize> = (0..4 * EACH).map(|_| AtomicUsize::new(0)).collect();
        let count = |message: Message| {
            came[usize::from_le_bytes((*message).try_into().unwrap())].fetch_add(1, Ordering::Relaxed);
        };
        let left = AtomicUsize::new(4 * EACH);
        let take =
            || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        std::thread::scope(|scope| {
            for sender in 0..4 {
                let push = &push;
                let numbers = sender * EACH..(sender + 1) * EACH;
                scope.spawn(move || {
                    if sender % 2 == 0 {
                        numbers.for_each(|number| push.send(number.to_le_bytes()).unwrap());
                    } else {
                        smol::block_on(async {
                            for number in numbers {
                                push.send_async(number.to_le_bytes()).await.unwrap();
                            }
                        });
                    }
                });
            }
            for receiver in 0..4 {
                let (pull, count, take) = (&pull, &count, &take);
                scope.spawn(move || {
                    while take() {
                        let received =
                            if receiver % 2 == 0 { pull.recv() } else { smol::block_on(pull.recv_async()) };
                        count(received.unwrap());
                    }
                });
            }
        });
        assert!(came.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{transport}");
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    /// Waits until it was woken so often.
    fn wait(&self, times: usize) {
        while self.0.load(Ordering::SeqCst) < times {
            std::thread::yield_now();
        }
    }
}

/// Polls a future once.
fn poll<F: Future + Unpin>(future: &mut F, count: &Arc<Count>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&count.clone().into()))
}

fn push_and_pull(address: &str) -> (Push, Pull) {
    let (push, pull) = (Push::new().unwrap(), Pull::new().unwrap());
    pull.bind(address).unwrap();
    push.connect(address).unwrap();
    (push, pull)
}

#[test]
fn a_future_that_is_dropped_after_it_was_woken_wakes_the_next() {
    let (push, pull) = push_and_pull("inproc://tasks/woken_and_dropped");
    let [first, second] = [(); 2].map(|()| Arc::new(Count::default()));
    let (mut dropped, mut left) = (pull.recv_async(), pull.recv_async());
    assert!(poll(&mut dropped, &first).is_pending() && poll(&mut left, &second).is_pending());
    push.send("one").unwrap();
    // The second one may have been woken as well by now, if more than ten milliseconds have passed.
    assert_eq!(first.0.load(Ordering::SeqCst), 1);
    drop(dropped);
    assert_eq!(second.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(received) = poll(&mut left, &second) else { panic!("it was woken") };
    assert_eq!(received.unwrap(), "one");
    assert_eq!(
        Pin::new(&mut left).poll(&mut Context::from_waker(Waker::noop())),
        Poll::Ready(Err(Error::WrongState))
    );
}

#[test]
fn a_message_that_a_task_leaves_wakes_the_next_task() {
    let (push, pull) = push_and_pull("inproc://tasks/next");
    let [first, second] = [(); 2].map(|()| Arc::new(Count::default()));
    let (mut one, mut other) = (pull.recv_async(), pull.recv_async());
    assert!(poll(&mut one, &first).is_pending() && poll(&mut other, &second).is_pending());
    push.send("one").unwrap();
    push.send("two").unwrap();
    assert!(poll(&mut one, &first).is_ready());
    assert_eq!(second.0.load(Ordering::SeqCst), 1);
    assert!(poll(&mut other, &second).is_ready());
}

#[test]
fn a_worker_that_is_dropped_before_it_accepts_wakes_the_next() {
    let (client, server) = client_and_server("inproc://tasks/workers");
    let [first, second] = [(); 2].map(|()| Arc::new(Count::default()));
    let (mut dropped, mut left) = (server.accept_async(), server.accept_async());
    assert!(poll(&mut dropped, &first).is_pending() && poll(&mut left, &second).is_pending());
    let mut pending = client.request("request").unwrap();
    // The second one may have been woken as well by now, if more than ten milliseconds have passed.
    assert_eq!(first.0.load(Ordering::SeqCst), 1);
    drop(dropped);
    assert_eq!(second.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Ok((request, reply))) = poll(&mut left, &second) else { panic!("it was woken") };
    assert_eq!(request, "request");
    assert_eq!(poll(&mut left, &second).map(|accepted| accepted.err()), Poll::Ready(Some(Error::WrongState)));
    assert!(poll(&mut pending, &first).is_pending());
    reply.send("reply").unwrap();
    assert_eq!(first.0.load(Ordering::SeqCst), 2);
    assert_eq!(poll(&mut pending, &first), Poll::Ready(Ok("reply".into())));
}

#[test]
fn a_task_of_a_context_waits_for_the_time_of_the_context() {
    let subscriber = Sub::new().unwrap();
    subscriber.set_recv_timeout(Some(Duration::from_secs(3600))).unwrap();
    let context = subscriber.context().unwrap();
    context.set_recv_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(smol::block_on(context.recv_async()).err(), Some(Error::TimedOut));
}

#[test]
fn the_answers_to_each_of_several_surveys_end() {
    let surveyor = Surveyor::new().unwrap();
    surveyor.set_survey_deadline(Some(Duration::from_millis(1))).unwrap();
    let surveys = ["own", "of a context"].map(|survey| surveyor.survey(survey).unwrap());
    for mut answers in surveys {
        assert_eq!(smol::block_on(answers.next_async()), None);
        assert_eq!(smol::block_on(answers.next_async()), None);
    }
}

#[test]
fn closing_the_socket_ends_the_wait_of_tasks_of_its_contexts() {
    let (client, subscriber) = (Req::new().unwrap(), Sub::new().unwrap());
    let subscribed = subscriber.context().unwrap();
    let count = Arc::new(Count::default());
    let mut pending = ["own", "of a context"].map(|request| client.request(request).unwrap());
    let mut message = subscribed.recv_async();
    assert!(pending.iter_mut().all(|pending| poll(pending, &count).is_pending()));
    assert!(poll(&mut message, &count).is_pending());
    client.close().unwrap();
    subscriber.close().unwrap();
    count.wait(3);
    assert!(pending.iter_mut().all(|pending| poll(pending, &count) == Poll::Ready(Err(Error::Closed))));
    assert_eq!(poll(&mut message, &count), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn a_timeout_is_a_timer() {
    let pull = Pull::new().unwrap();
    pull.set_recv_timeout(Some(Duration::from_millis(5))).unwrap();
    let time = Duration::from_secs(3600);
    assert_eq!(smol::block_on(pull.recv_async()).err(), Some(Error::TimedOut));
    pull.set_recv_timeout(Some(time)).unwrap();
    assert_eq!(smol::block_on(pull.recv_async().timeout(Duration::ZERO)).err(), Some(Error::TimedOut));
    let push = Push::new().unwrap();
    let unsent = smol::block_on(push.send_async("kept").deadline(Instant::now())).unwrap_err();
    assert_eq!((unsent.error, unsent.message), (Error::TimedOut, Message::from("kept")));
}

#[test]
fn closing_ends_the_wait_of_tasks() {
    let pull = Arc::new(Pull::new().unwrap());
    let tasks = Arc::new(Tasks::default());
    let own = pull.clone();
    tasks.spawn(async move { assert_eq!(own.recv_async().await.err(), Some(Error::Closed)) });
    pull.close().unwrap();
    tasks.wait();
}

/// The I/O thread reads the message and runs the waker, which polls the task, which drops the last references.
#[test]
fn a_task_may_drop_the_last_socket_in_a_waker() {
    for transport in transports() {
        let address = address(transport, "last");
        let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
        // Closing it in the I/O thread would wait for the I/O thread to send.
        one.set_linger(None).unwrap();
        one.bind(&address).unwrap();
        other.connect(&address).unwrap();
        let tasks = Arc::new(Tasks::default());
        let echo = tasks.clone();
        echo.spawn(async move {
            let request = one.recv_async().await.unwrap();
            one.send_async(request).await.unwrap();
        });
        other.send("the last words").unwrap();
        assert_eq!(other.recv().unwrap(), "the last words");
        tasks.spawn(async move {
            assert_eq!(
                other.recv_async().timeout(Duration::from_millis(1)).await.err(),
                Some(Error::TimedOut)
            )
        });
        tasks.wait();
    }
}

/// A publisher in a task pauses while a subscriber is far behind, as one in a thread does.
#[test]
fn a_publisher_waits_for_a_subscriber_that_is_far_behind() {
    let (publisher, subscriber) = (Pub::new().unwrap(), Sub::new().unwrap());
    publisher.bind("inproc://tasks/publisher").unwrap();
    subscriber.subscribe(b"").unwrap();
    subscriber.connect("inproc://tasks/publisher").unwrap();
    let count = Arc::new(Count::default());
    let mut sent = 0;
    while poll(&mut publisher.send_async([0; 1000]), &count).is_ready() {
        sent += 1;
        assert!(sent < 1000, "the lane has room for a few hundred");
    }
    for _ in 0..sent {
        subscriber.try_recv().unwrap();
    }
    smol::block_on(publisher.send_async("after the pause")).unwrap();
    assert_eq!(subscriber.recv().unwrap(), "after the pause");
}

/// A blocked receiver reads from the connection itself. When it has left, the message that follows reaches the task.
#[test]
fn a_task_gets_what_comes_after_a_thread_has_read_by_itself() {
    for transport in transports() {
        let address = address(transport, "lease");
        let (push, pull) = push_and_pull(&address);
        for round in 0..50_u32 {
            push.send(round.to_le_bytes()).unwrap();
            assert_eq!(pull.recv().unwrap(), round.to_le_bytes());
            let count = Arc::new(Count::default());
            let mut future = pull.recv_async();
            assert!(poll(&mut future, &count).is_pending());
            push.send("next").unwrap();
            assert_eq!(smol::block_on(future).unwrap(), "next");
        }
    }
}

#[cfg(feature = "futures")]
mod futures {
    use super::*;
    use futures_util::{SinkExt, StreamExt};

    #[test]
    fn a_stream_ends_when_the_socket_is_closed() {
        let (push, pull) = push_and_pull("inproc://tasks/stream");
        let pull = Arc::new(pull);
        smol::block_on(async {
            let mut sink = push.sink();
            for number in 0..1000_u32 {
                sink.feed(number.to_le_bytes()).await.unwrap();
            }
            sink.flush().await.unwrap();
            let mut stream = pull.clone().into_stream();
            for number in 0..1000_u32 {
                assert_eq!(stream.next().await.unwrap().unwrap(), number.to_le_bytes());
            }
            pull.close().unwrap();
            assert!(stream.next().await.is_none());
        });
    }

    #[test]
    fn a_sink_returns_the_message_that_it_cannot_send() {
        let push = Push::new().unwrap();
        push.set_send_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut sink = push.sink();
        assert_eq!(smol::block_on(sink.send("kept")), Err(Error::TimedOut));
        assert_eq!(sink.take_unsent().unwrap(), "kept");
        assert_eq!(smol::block_on(sink.send("kept until the next one")), Err(Error::TimedOut));
        push.set_send_timeout(None).unwrap();
        smol::block_on(sink.feed("another one")).unwrap();
        assert_eq!(sink.take_unsent(), None);
    }

    #[test]
    fn a_stream_is_forwarded_to_a_sink() {
        let (push, front) = push_and_pull("inproc://tasks/forward/front");
        let (back, pull) = push_and_pull("inproc://tasks/forward/back");
        for number in 0..100_u32 {
            push.send(number.to_le_bytes()).unwrap();
        }
        smol::block_on(front.stream().take(100).forward(back.sink())).unwrap();
        for number in 0..100_u32 {
            assert_eq!(pull.recv().unwrap(), number.to_le_bytes());
        }
        // An error of the sink ends it.
        push.send("last").unwrap();
        back.close().unwrap();
        assert_eq!(smol::block_on(front.stream().forward(back.sink())), Err(Error::Closed));
    }
}

#[test]
fn many_tasks_wait_at_one_socket_and_are_cancelled() {
    const TASKS: usize = 500;
    let (push, pull) = push_and_pull("inproc://tasks/many");
    let pull = Arc::new(pull);
    let executor = smol::Executor::new();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let pull = pull.clone();
            executor.spawn(async move { pull.recv_async().await.unwrap() })
        })
        .collect();
    smol::block_on(executor.run(async {
        let mut messages = Vec::new();
        for (number, task) in tasks.into_iter().enumerate() {
            push.send_async(number.to_le_bytes()).await.unwrap();
            if number % 3 == 0 {
                smol::future::yield_now().await;
            }
            // Perhaps it has been woken, but not polled yet.
            messages.extend(task.cancel().await);
        }
        messages.extend(std::iter::from_fn(|| pull.try_recv().ok()));
        let mut numbers: Vec<_> = messages
            .into_iter()
            .map(|message| usize::from_le_bytes((*message).try_into().unwrap()))
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..TASKS));
    }));
}
