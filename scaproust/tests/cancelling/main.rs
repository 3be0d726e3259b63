//! Futures that are dropped at each step: before they are polled, after a poll, after they were woken, and at a deadline. In
//! all tests together sixty thousand messages come, none of them twice.

#![cfg(not(any(loom, simulated)))]

mod connecting;
#[path = "../executors/mod.rs"]
mod executors;
mod steps;
#[cfg(feature = "serde")]
mod typed;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use executors::{Boxed, address, transports};
use scaproust::{Error, Pull, Push, Rep, Req, Respondent, Surveyor};
use steps::{Ledger, Random, Step, dropped, number, numbered};

/// In messages, for each executor and transport.
const PUSHED: usize = 4667;
const REQUESTED: usize = 2000;

/// Sends each number by a future that is not dropped, after any number of them that were.
async fn push(push: Arc<Push>, numbers: std::ops::Range<usize>) {
    let mut random = Random(numbers.start as u64 + 1);
    for number in numbers {
        let message = numbered(number);
        let sent = loop {
            let future = push.send_async(message);
            if random.below(4) == 0 {
                let sent = future.timeout(Duration::from_micros(random.below(20))).await;
                match sent.map_err(|unsent| (unsent.error, unsent.message)) {
                    Err((Error::TimedOut, returned)) => assert_eq!(returned, message),
                    outcome => break outcome.map_err(|(error, _)| error),
                }
            } else if let Some(sent) = dropped(future, Step::choose(&mut random)).await {
                break sent.map_err(Error::from);
            }
        };
        sent.unwrap();
    }
}

/// Sends each number through a sink, whose futures are dropped, and which is dropped when it has sent what it keeps.
#[cfg(feature = "futures")]
async fn push_into_sinks(push: Arc<Push>, numbers: std::ops::Range<usize>) {
    use futures_util::SinkExt;
    let mut random = Random(numbers.start as u64 + 1);
    let mut sink = push.clone().into_sink();
    for number in numbers {
        // A future that was dropped has not given its message to the sink.
        while dropped(sink.feed(number.to_le_bytes()), Step::choose(&mut random)).await.is_none() {}
        if random.below(4) == 0 {
            while dropped(sink.flush(), Step::choose(&mut random)).await.is_none() {}
            sink = push.clone().into_sink();
        }
    }
    sink.close().await.unwrap();
}

async fn pull(pull: Arc<Pull>, ledger: Arc<Ledger>, seed: u64) {
    let mut random = Random(seed);
    loop {
        let future = pull.recv_async();
        let received = if random.below(4) == 0 {
            Some(future.timeout(Duration::from_micros(random.below(20))).await)
        } else {
            dropped(future, Step::choose(&mut random)).await
        };
        match received {
            None | Some(Err(Error::TimedOut)) => {}
            Some(Ok(message)) => {
                if ledger.note(&message) {
                    pull.close().unwrap();
                }
            }
            Some(Err(error)) => return assert_eq!(error, Error::Closed),
        }
    }
}

/// Receives through a stream, which is dropped as well.
#[cfg(feature = "futures")]
async fn pull_from_streams(pull: Arc<Pull>, ledger: Arc<Ledger>, seed: u64) {
    use futures_util::StreamExt;
    let mut random = Random(seed);
    loop {
        let mut stream = pull.clone().into_stream();
        while let Some(received) = dropped(stream.next(), Step::choose(&mut random)).await {
            let Some(message) = received else { return };
            if ledger.note(&message.unwrap()) {
                pull.close().unwrap();
            }
        }
    }
}

/// Receives in a thread, beside the tasks.
fn pull_in_thread(pull: &Pull, ledger: &Ledger) {
    for message in pull {
        if ledger.note(&message.unwrap()) {
            pull.close().unwrap();
        }
    }
}

#[test]
fn dropped_senders_and_receivers_lose_and_double_nothing() {
    for (executor, run) in executors::ALL {
        for transport in transports() {
            let (sender, receiver) = (Arc::new(Push::new().unwrap()), Arc::new(Pull::new().unwrap()));
            // Small queues, so that senders wait too.
            sender.set_send_buffer(2000).unwrap();
            receiver.set_recv_buffer(2000).unwrap();
            let address = address(transport, &format!("cancel-{executor}"));
            receiver.bind(&address).unwrap();
            sender.connect(&address).unwrap();
            let ledger = Arc::new(Ledger::new(PUSHED));
            let half = PUSHED / 2;
            let first = Box::pin(push(sender.clone(), 0..half)) as Boxed;
            #[cfg(feature = "futures")]
            let second = Box::pin(push_into_sinks(sender.clone(), half..PUSHED)) as Boxed;
            #[cfg(not(feature = "futures"))]
            let second = Box::pin(push(sender.clone(), half..PUSHED)) as Boxed;
            let receivers =
                [11, 12].map(|seed| Box::pin(pull(receiver.clone(), ledger.clone(), seed)) as Boxed);
            let tasks = receivers.into_iter().chain([first, second]);
            #[cfg(feature = "futures")]
            let tasks =
                tasks.chain([Box::pin(pull_from_streams(receiver.clone(), ledger.clone(), 13)) as Boxed]);
            let tasks = tasks.collect();
            std::thread::scope(|scope| {
                scope.spawn(|| pull_in_thread(&receiver, &ledger));
                run(tasks);
            });
            ledger.assert_each_once();
        }
    }
}

/// Accepts requests by futures of which most are dropped, and replies to each.
async fn serve(server: Arc<Rep>, ledger: Arc<Ledger>, seed: u64) {
    let mut random = Random(seed);
    loop {
        let future = server.accept_async();
        let accepted = if random.below(4) == 0 {
            Some(future.timeout(Duration::from_micros(random.below(20))).await)
        } else {
            dropped(future, Step::choose(&mut random)).await
        };
        match accepted {
            None | Some(Err(Error::TimedOut)) => {}
            Some(Ok((request, reply))) => {
                ledger.note(&request);
                // A client does not wait for the reply to a request that it gives up.
                if let Err(error) = reply.send(request) {
                    return assert_eq!(error, Error::Closed);
                }
            }
            Some(Err(error)) => return assert_eq!(error, Error::Closed),
        }
    }
}

/// Requests each number, and polls and leaves the reply at any step. A request that is given up is not in the numbers.
async fn ask(client: Arc<Req>, server: Arc<Rep>, ledger: Arc<Ledger>, numbers: std::ops::Range<usize>) {
    let mut random = Random(numbers.start as u64 + 1);
    for number in numbers {
        let mut pending = client.request(numbered(number)).unwrap();
        let reply = loop {
            let reply = dropped(&mut pending, Step::choose(&mut random)).await;
            if let Some(reply) = reply {
                break reply.unwrap();
            }
            if random.below(8) == 0 {
                pending = pending.timeout(Duration::from_secs(3600));
            }
        };
        if ledger.note(&reply) {
            server.close().unwrap();
        }
    }
}

/// Each request is sent once, so one that was lost would not be answered.
#[test]
fn dropped_workers_and_clients_lose_and_double_nothing() {
    for (executor, run) in executors::ALL {
        for transport in transports() {
            let (client, server) = (Arc::new(Req::new().unwrap()), Arc::new(Rep::new().unwrap()));
            client.set_resend_interval(None).unwrap();
            let address = address(transport, &format!("ask-{executor}"));
            server.bind(&address).unwrap();
            client.connect(&address).unwrap();
            let [requests, replies] = [(); 2].map(|()| Arc::new(Ledger::new(REQUESTED)));
            let clients = (0..4).map(|part| {
                let numbers = REQUESTED / 4 * part..REQUESTED / 4 * (part + 1);
                Box::pin(ask(client.clone(), server.clone(), replies.clone(), numbers)) as Boxed
            });
            let workers =
                [21, 22, 23].map(|seed| Box::pin(serve(server.clone(), requests.clone(), seed)) as Boxed);
            run(workers.into_iter().chain(clients).collect());
            requests.assert_each_once();
            replies.assert_each_once();
        }
    }
}

/// A request that is dropped at any step is received once or not at all, and its reply reaches no other request.
#[test]
fn a_request_that_is_dropped_affects_no_other_one() {
    const COUNT: usize = 1000;
    for (executor, run) in executors::ALL {
        let (client, server) = (Arc::new(Req::new().unwrap()), Arc::new(Rep::new().unwrap()));
        client.set_resend_interval(None).unwrap();
        server.bind(format!("inproc://cancelling/{executor}")).unwrap();
        client.connect(format!("inproc://cancelling/{executor}")).unwrap();
        let left = Arc::new(AtomicUsize::new(4));
        let clients = (0..4).map(|part| {
            let (client, server, left) = (client.clone(), server.clone(), left.clone());
            Box::pin(async move {
                let mut random = Random(part as u64 + 1);
                for number in COUNT / 4 * part..COUNT / 4 * (part + 1) {
                    let pending = client.request(numbered(number)).unwrap();
                    if let Some(reply) = dropped(pending, Step::choose(&mut random)).await {
                        assert_eq!(self::number(&reply.unwrap()), number);
                    }
                }
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    server.close().unwrap();
                }
            }) as Boxed
        });
        let requests = Arc::new(Ledger::new(COUNT));
        let workers = [31, 32].map(|seed| Box::pin(serve(server.clone(), requests.clone(), seed)) as Boxed);
        run(workers.into_iter().chain(clients).collect());
        assert!(requests.came.iter().all(|count| count.load(Ordering::Relaxed) <= 1));
    }
}

#[test]
fn dropped_waits_for_answers_lose_and_double_none() {
    const RESPONDENTS: usize = 100;
    for (executor, run) in executors::ALL {
        let surveyor = Surveyor::new().unwrap();
        surveyor.set_survey_deadline(None).unwrap();
        surveyor.bind(format!("inproc://cancelling/survey/{executor}")).unwrap();
        let respondents: Vec<_> = (0..RESPONDENTS)
            .map(|_| {
                let respondent = Respondent::new().unwrap();
                respondent.connect(format!("inproc://cancelling/survey/{executor}")).unwrap();
                respondent
            })
            .collect();
        // The first survey of the two is the socket's own, the other one that of a context.
        let surveys = [1, 2].map(|seed| (seed, surveyor.survey("who is there?").unwrap()));
        let ledgers = [(); 2].map(|()| Arc::new(Ledger::new(RESPONDENTS)));
        let mut tasks: Vec<Boxed> = Vec::new();
        for (number, respondent) in respondents.into_iter().enumerate() {
            tasks.push(Box::pin(async move {
                for _ in 0..2 {
                    let (_, reply) = respondent.accept_async().await.unwrap();
                    reply.send(numbered(number)).unwrap();
                }
            }));
        }
        for ((seed, mut answers), ledger) in surveys.into_iter().zip(ledgers.clone()) {
            tasks.push(Box::pin(async move {
                let mut random = Random(seed);
                loop {
                    let answer = dropped(answers.next_async(), Step::choose(&mut random)).await;
                    if let Some(answer) = answer
                        && ledger.note(&answer.unwrap().unwrap())
                    {
                        break;
                    }
                }
            }));
        }
        run(tasks);
        ledgers.iter().for_each(|ledger| ledger.assert_each_once());
    }
}

#[cfg(feature = "futures")]
#[test]
fn dropped_waits_for_events_lose_and_double_none() {
    use futures_util::StreamExt;
    use scaproust::EventKind;
    const ENDPOINTS: usize = 200;
    for (executor, run) in executors::ALL {
        let socket = Pull::new().unwrap();
        let mut events = socket.events().unwrap().into_stream();
        let bind = async move {
            for number in 0..ENDPOINTS {
                let address = format!("inproc://cancelling/events/{executor}/{number}");
                socket.bind(address).unwrap().close().unwrap();
                smol::future::yield_now().await;
            }
        };
        let watch = async move {
            let mut random = Random(41);
            let mut kinds = Vec::new();
            loop {
                match dropped(events.next(), Step::choose(&mut random)).await {
                    Some(Some(event)) => kinds.push((event.kind, event.endpoint.is_some())),
                    Some(None) => break,
                    None => {}
                }
            }
            let each = [(EventKind::Listening, true), (EventKind::Closed, true)];
            let mut expected = each.repeat(ENDPOINTS);
            expected.push((EventKind::Closed, false));
            assert_eq!(kinds, expected);
        };
        run(vec![Box::pin(watch) as Boxed, Box::pin(bind)]);
    }
}
