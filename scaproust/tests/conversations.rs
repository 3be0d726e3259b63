//! Conversations as values: requests, replies and surveys that are open at the same time on one socket.

#![cfg(not(any(loom, simulated)))]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use scaproust::{Error, Pending, Rep, Reply, Req, Respondent, Surveyor};

const CLIENTS: u32 = 4;
const WORKERS: usize = 4;
/// How many requests are open at once.
const REQUESTS: u32 = 200;

fn addresses(test: &str) -> [String; 2] {
    [format!("inproc://conversations/{test}"), "tcp://127.0.0.1:0".into()]
}

/// A client and a server that are connected.
fn client_and_server(address: &str) -> (Req, Rep) {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    let endpoint = server.bind(address).unwrap();
    client.connect(endpoint.address().unwrap()).unwrap();
    (client, server)
}

fn surveyor_and_respondent(address: &str) -> (Surveyor, Respondent) {
    let (surveyor, respondent) = (Surveyor::new().unwrap(), Respondent::new().unwrap());
    let endpoint = surveyor.bind(address).unwrap();
    respondent.set_connect_timeout(Some(Duration::from_secs(60))).unwrap();
    respondent.connect(endpoint.address().unwrap()).unwrap();
    while surveyor.statistics().unwrap().connections == 0 {
        thread::yield_now();
    }
    (surveyor, respondent)
}

fn question(client: u32, round: u32, number: u32) -> Vec<u8> {
    // Some are longer than what a message has room for, and some travel as chunks.
    let length = [0, 100, 5000][number as usize % 3];
    let mut question = format!("{client} {round} {number} ").into_bytes();
    question.resize(question.len() + length, b'x');
    question
}

fn answer(question: &[u8]) -> Vec<u8> {
    [b"re ", question].concat()
}

/// Answers requests two by two, and the second one first, until the server is closed.
fn serve(server: &Rep) {
    let mut kept: Option<(Vec<u8>, Reply)> = None;
    loop {
        // The last request of a round has no second one.
        let accepted = server.accept_deadline(Instant::now() + Duration::from_millis(1));
        match accepted {
            Ok((request, reply)) => match kept.take() {
                None => kept = Some((request.to_vec(), reply)),
                Some((first, first_reply)) => {
                    reply.send(answer(&request)).unwrap();
                    first_reply.send(answer(&first)).unwrap();
                }
            },
            Err(Error::TimedOut) => {
                if let Some((first, reply)) = kept.take() {
                    reply.send(answer(&first)).unwrap();
                }
            }
            Err(error) => break assert_eq!(error, Error::Closed),
        }
    }
}

/// Two hundred requests at a time, of four clients on one socket, and four workers on another one.
fn requests_by_threads(address: &str, rounds: u32) {
    let (client, server) = client_and_server(address);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| serve(&server));
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|id| {
                let client = &client;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let questions = (0..REQUESTS / CLIENTS).map(|number| question(id, round, number));
                        let pending: Vec<_> = questions
                            .map(|question| (client.request(&question).unwrap(), answer(&question)))
                            .collect();
                        for (pending, expected) in pending {
                            assert_eq!(pending.wait().unwrap(), expected);
                        }
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        server.close().unwrap();
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
    });
}

/// The same by tasks on the threads of tokio.
fn requests_by_tasks(address: &str, rounds: u32) {
    let (client, server) = client_and_server(address);
    let (client, server) = (Arc::new(client), Arc::new(server));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let server = server.clone();
            runtime.spawn(async move {
                while let Ok((request, reply)) = server.accept_async().await {
                    tokio::task::yield_now().await;
                    reply.send(answer(&request)).unwrap();
                }
            })
        })
        .collect();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|id| {
            let client = client.clone();
            runtime.spawn(async move {
                for round in 0..rounds {
                    let questions = (0..REQUESTS / CLIENTS).map(|number| question(id, round, number));
                    let pending: Vec<_> = questions
                        .map(|question| (client.request(&question).unwrap(), answer(&question)))
                        .collect();
                    for (pending, expected) in pending {
                        assert_eq!(pending.await.unwrap(), expected);
                    }
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for client in clients {
            client.await.unwrap();
        }
        server.close().unwrap();
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

#[test]
fn each_of_many_requests_gets_its_own_reply_in_threads() {
    for address in addresses("threads") {
        requests_by_threads(&address, 20);
    }
}

#[test]
fn each_of_many_requests_gets_its_own_reply_in_tasks() {
    for address in addresses("tasks") {
        requests_by_tasks(&address, 20);
    }
}

#[test]
#[ignore = "takes a minute in a debug build: `make soak` runs it"]
fn each_of_many_requests_gets_its_own_reply_in_a_thousand_rounds() {
    for address in addresses("thousand") {
        requests_by_threads(&address, 1000);
        requests_by_tasks(&address, 1000);
    }
}

#[test]
fn threads_and_tasks_share_a_client() {
    for address in addresses("mixed") {
        let (client, server) = client_and_server(&address);
        thread::scope(|scope| {
            scope.spawn(|| serve(&server));
            let clients = [0, 1, 2, 3].map(|id| {
                let client = &client;
                scope.spawn(move || {
                    for round in 0..500 {
                        let question = question(id, round, round);
                        let pending = client.request(&question).unwrap();
                        let reply = if id % 2 == 0 { pending.wait() } else { smol::block_on(pending) };
                        assert_eq!(reply.unwrap(), answer(&question));
                    }
                })
            });
            let outcomes = clients.map(|client| client.join());
            server.close().unwrap();
            outcomes.into_iter().for_each(|outcome| outcome.unwrap());
        });
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_request_that_is_dropped_is_given_up() {
    for address in addresses("dropped") {
        let (client, server) = client_and_server(&address);
        let first = client.request("first").unwrap();
        let second = client.request("second").unwrap();
        let (request, reply) = server.accept().unwrap();
        assert_eq!(request, "first");
        let (request, second_reply) = server.accept().unwrap();
        assert_eq!(request, "second");
        drop((first, second));
        reply.send("to nobody").unwrap();
        second_reply.send("nor to anybody else").unwrap();
        // These use the conversations again.
        let again: Vec<Pending> = ["third", "fourth"].map(|request| client.request(request).unwrap()).into();
        for pending in again {
            let (request, reply) = server.accept().unwrap();
            reply.send(answer(&request)).unwrap();
            assert_eq!(pending.wait().unwrap(), answer(&request));
        }
    }
}

#[test]
fn a_reply_that_is_dropped_sends_nothing_and_its_request_is_sent_again() {
    for address in addresses("unanswered") {
        let (client, server) = client_and_server(&address);
        client.set_resend_interval(Some(Duration::from_millis(10))).unwrap();
        // The first is the socket's own conversation, the second one that of a context.
        let pending = ["a", "b"].map(|request| client.request(request).unwrap());
        for _ in 0..2 {
            drop(server.accept().unwrap());
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                while let Ok((request, reply)) = server.accept() {
                    // A request that was sent again may come once more while the server is closed.
                    if let Err(error) = reply.send(answer(&request)) {
                        return assert_eq!(error, Error::Closed);
                    }
                }
            });
            for (pending, expected) in pending.into_iter().zip(["re a", "re b"]) {
                assert_eq!(pending.wait().unwrap(), expected);
            }
            server.close().unwrap();
        });
    }
}

#[test]
fn a_reply_outlives_its_connection_and_its_socket() {
    let (client, server) = client_and_server("inproc://conversations/outlives");
    let pending = client.request("question").unwrap();
    let (_, reply) = server.accept().unwrap();
    let other = client.request("another one").unwrap();
    let (_, other_reply) = server.accept().unwrap();
    drop(client);
    assert_eq!(reply.send("too late"), Ok(()));
    drop(server);
    assert_eq!(other_reply.send("too late"), Err(Error::Closed));
    assert_eq!(pending.wait(), Err(Error::Closed));
    assert_eq!(smol::block_on(other), Err(Error::Closed));
}

#[test]
fn waiting_for_a_reply_may_be_interrupted_and_go_on() {
    for address in addresses("interrupted") {
        let (client, server) = client_and_server(&address);
        let own = client.request("own").unwrap();
        let mut pending = client.request("of a context").unwrap();
        let (_, _unanswered) = server.accept().unwrap();
        let (_, reply) = server.accept().unwrap();
        assert_eq!(pending.try_wait(), Err(Error::WouldBlock));
        assert!(poll(&mut pending).is_pending());
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!(pending.wait_deadline(soon), Err(Error::TimedOut));
        client.set_recv_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(smol::block_on(&mut pending), Err(Error::TimedOut));
        client.set_recv_timeout(None).unwrap();
        reply.send("reply").unwrap();
        assert_eq!(smol::block_on(&mut pending).unwrap(), "reply");
        assert_eq!(pending.try_wait(), Err(Error::WrongState));
        assert_eq!(smol::block_on(own.timeout(Duration::from_millis(1))), Err(Error::TimedOut));
    }
}

#[test]
fn a_socket_that_gets_another_type_keeps_its_conversations() {
    for address in addresses("retyped") {
        let (client, server) = client_and_server(&address);
        let before = ["a", "b"].map(|text| (text, client.request(text).unwrap()));
        let client: Req = client.into_any().downcast().unwrap();
        let after = ["c", "d"].map(|text| (text, client.request(text).unwrap()));
        for _ in 0..4 {
            let (request, reply) = server.accept().unwrap();
            reply.send(answer(&request)).unwrap();
        }
        for (text, pending) in before.into_iter().chain(after) {
            assert_eq!(pending.wait().unwrap(), answer(text.as_bytes()));
        }
    }
}

#[test]
fn a_surveyor_that_gets_another_type_keeps_its_surveys() {
    for address in addresses("retyped_survey") {
        let (surveyor, respondent) = surveyor_and_respondent(&address);
        surveyor.set_survey_deadline(Some(Duration::from_secs(60))).unwrap();
        let before = surveyor.survey("before").unwrap();
        let surveyor: Surveyor = surveyor.into_any().downcast().unwrap();
        let after = surveyor.survey("after").unwrap();
        for _ in 0..2 {
            let (survey, reply) = respondent.accept().unwrap();
            reply.send(answer(&survey)).unwrap();
        }
        for (text, mut answers) in [("before", before), ("after", after)] {
            assert_eq!(answers.next().unwrap().unwrap(), answer(text.as_bytes()));
        }
    }
}

#[test]
fn surveys_at_the_same_time_get_their_own_answers() {
    for address in addresses("surveys") {
        let (surveyor, respondent) = surveyor_and_respondent(&address);
        surveyor.set_survey_deadline(None).unwrap();
        let surveys = ["a", "b", "c"].map(|text| (text, surveyor.survey(text).unwrap()));
        let accepted = [(); 3].map(|()| respondent.accept().unwrap());
        for (survey, reply) in accepted.into_iter().rev() {
            reply.send(answer(&survey)).unwrap();
        }
        let mut surveys = surveys.map(|(text, mut answers)| {
            assert_eq!(answers.next().unwrap().unwrap(), answer(text.as_bytes()));
            answers.timeout(Duration::from_millis(1))
        });
        assert!(surveys.iter_mut().all(|answers| answers.next().is_none() && answers.next().is_none()));
    }
}

#[test]
fn answers_end_at_a_deadline_of_their_own() {
    let (surveyor, respondent) = surveyor_and_respondent("inproc://conversations/own_deadline");
    surveyor.set_survey_deadline(None).unwrap();
    let surveys = [(); 2].map(|()| surveyor.survey("who is there?").unwrap());
    for _ in 0..2 {
        respondent.accept().unwrap().1.send("me").unwrap();
    }
    let [first, second] = surveys;
    let mut first = first.deadline(Instant::now() + Duration::from_secs(60));
    assert_eq!(first.next().unwrap().unwrap(), "me");
    let mut first = first.timeout(Duration::from_millis(1));
    assert_eq!((first.next(), first.next()), (None, None));
    let mut second = second.timeout(Duration::from_secs(60));
    assert_eq!(smol::block_on(second.next_async()).unwrap().unwrap(), "me");
    let mut second = second.deadline(Instant::now());
    assert_eq!(smol::block_on(second.next_async()), None);
}

#[test]
fn answers_to_a_dropped_survey_reach_no_other_one() {
    let (surveyor, respondent) = surveyor_and_respondent("inproc://conversations/dropped_survey");
    surveyor.set_survey_deadline(Some(Duration::from_secs(10))).unwrap();
    let dropped = [(); 2].map(|()| surveyor.survey("dropped").unwrap());
    let late = [(); 2].map(|()| respondent.accept().unwrap().1);
    drop(dropped);
    let answers = [(); 2].map(|()| surveyor.survey("kept").unwrap());
    late.into_iter().for_each(|reply| reply.send("late").unwrap());
    for _ in 0..2 {
        respondent.accept().unwrap().1.send("in time").unwrap();
    }
    for mut answers in answers {
        assert_eq!(answers.next().unwrap().unwrap(), "in time");
    }
}
