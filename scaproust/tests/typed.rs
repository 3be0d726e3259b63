//! Conversations whose messages are values: each gets its own answer, and what the format cannot decode is an error.

#![cfg(all(feature = "serde", not(any(loom, simulated))))]

use std::error::Error as _;
use std::time::{Duration, Instant};

use scaproust::{
    Error, Format, Message, Pull, Push, Rep, Req, Respondent, Surveyor, Typed, TypedError, TypedPending,
    pattern,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

enum Json {}

impl Format for Json {
    type Error = serde_json::Error;

    fn encode<T: Serialize + ?Sized>(value: &T, message: &mut Message) -> Result<(), serde_json::Error> {
        serde_json::to_writer(message, value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

type Client = Typed<pattern::Req, Json, u32, String>;
type Server = Typed<pattern::Rep, Json, String, u32>;

fn client_and_server(name: &str) -> (Client, Server) {
    let (client, server) = (Typed::new(Req::new().unwrap()), Typed::new(Rep::new().unwrap()));
    server.socket().bind(format!("inproc://typed/{name}")).unwrap();
    client.socket().connect(format!("inproc://typed/{name}")).unwrap();
    (client, server)
}

#[test]
fn each_request_gets_its_own_reply() {
    let (client, server) = client_and_server("requests");
    let pending: Vec<TypedPending<_, _>> =
        (0..8).map(|number| client.request(&number).unwrap().timeout(Duration::from_secs(60))).collect();
    for round in 0..8 {
        let (number, reply) = match round % 4 {
            0 => server.accept(),
            1 => server.try_accept(),
            2 => server.accept_deadline(Instant::now() + Duration::from_secs(60)),
            _ => smol::block_on(server.accept_async()),
        }
        .unwrap();
        reply.send(&number.to_string()).unwrap();
    }
    for (number, mut pending) in pending.into_iter().enumerate() {
        let reply = match number % 4 {
            0 => pending.wait(),
            1 => smol::block_on(pending),
            2 => pending.wait_deadline(Instant::now() + Duration::from_secs(60)),
            _ => pending.try_wait(),
        };
        assert_eq!(reply.unwrap(), number.to_string());
    }
    assert!(matches!(server.try_accept(), Err(TypedError::Socket(Error::WouldBlock))));
    let late = client.request(&8).unwrap().deadline(Instant::now());
    assert!(matches!(late.wait(), Err(TypedError::Socket(Error::TimedOut))));
}

#[test]
fn what_is_no_value_is_an_error_with_its_source() {
    let (client, server) = client_and_server("no_value");
    let pending = client.request(&1).unwrap();
    server.socket().accept().unwrap().1.send("no json").unwrap();
    let error = pending.wait().unwrap_err();
    assert!(error.source().is_some_and(|source| source.is::<serde_json::Error>()));
    assert_eq!(error.to_string(), "a message does not have the format of its type");

    let _unanswered = client.socket().request("no number").unwrap();
    assert!(matches!(server.accept(), Err(TypedError::Format(_))));
    server.socket().close().unwrap();
    let error = server.accept().map(drop).unwrap_err();
    assert!(error.source().is_none());
    assert_eq!(error.to_string(), Error::Closed.to_string());
}

#[test]
fn answers_to_a_survey_are_values() {
    let surveyor: Typed<pattern::Surveyor, Json, u32, String> = Typed::new(Surveyor::new().unwrap());
    let respondents: [Typed<pattern::Respondent, Json, String, u32>; 2] =
        [(); 2].map(|()| Typed::new(Respondent::new().unwrap()));
    surveyor.socket().set_survey_deadline(None).unwrap();
    surveyor.socket().bind("inproc://typed/survey").unwrap();
    for respondent in &respondents {
        respondent.socket().connect("inproc://typed/survey").unwrap();
    }
    for round in 0..3 {
        let mut answers = surveyor.survey(&round).unwrap();
        for respondent in &respondents {
            let (asked, reply) = respondent.accept().unwrap();
            reply.send(&asked.to_string()).unwrap();
        }
        let expected = round.to_string();
        match round {
            0 => assert!(answers.by_ref().take(2).all(|answer| answer.unwrap() == expected)),
            1 => smol::block_on(async {
                assert_eq!(answers.next_async().await.unwrap().unwrap(), expected);
                assert_eq!(answers.next_async().await.unwrap().unwrap(), expected);
            }),
            #[cfg(feature = "futures")]
            _ => smol::block_on(async {
                use futures_util::StreamExt;
                let answers: Vec<_> = answers.into_stream().take(2).map(Result::unwrap).collect().await;
                assert_eq!(answers, [&*expected, &*expected]);
            }),
            #[cfg(not(feature = "futures"))]
            _ => assert_eq!(answers.next().unwrap().unwrap(), expected),
        }
    }
}

#[test]
fn text_is_sent_by_reference() {
    let source: Typed<pattern::Push, Json, str> = Typed::new(Push::new().unwrap());
    let worker: Typed<pattern::Pull, Json, String> = Typed::new(Pull::new().unwrap());
    source.socket().bind("inproc://typed/text").unwrap();
    worker.socket().connect("inproc://typed/text").unwrap();
    source.send("one").unwrap();
    smol::block_on(source.send_async(&String::from("two"))).unwrap();
    assert_eq!([worker.recv().unwrap(), worker.recv().unwrap()], ["one", "two"]);

    let server: Typed<pattern::Rep, Json, [u32], String> = Typed::new(Rep::new().unwrap());
    let client: Typed<pattern::Req, Json, str, Vec<u32>> = Typed::new(Req::new().unwrap());
    server.socket().bind("inproc://typed/slice").unwrap();
    client.socket().connect("inproc://typed/slice").unwrap();
    let pending = client.request("numbers").unwrap();
    server.accept().unwrap().1.send(&[1, 2]).unwrap();
    assert_eq!(pending.wait().unwrap(), [1, 2]);
}

#[cfg(feature = "futures")]
#[test]
fn values_are_streamed_and_forwarded() {
    use futures_util::{SinkExt, StreamExt, TryStreamExt};
    use std::sync::Arc;
    type Numbers<P> = Typed<P, Json, u32>;
    let pair = |name: &str| {
        let ends: (Numbers<pattern::Push>, Arc<Numbers<pattern::Pull>>) =
            (Typed::new(Push::new().unwrap()), Arc::new(Typed::new(Pull::new().unwrap())));
        ends.0.socket().bind(format!("inproc://typed/{name}")).unwrap();
        ends.1.socket().connect(format!("inproc://typed/{name}")).unwrap();
        ends
    };
    let (source, front) = pair("front");
    let (back, worker) = pair("back");
    smol::block_on(async {
        let mut sink = source.sink();
        for number in 0..100 {
            sink.feed(number).await.unwrap();
        }
        sink.close().await.unwrap();
        front.stream().take(100).forward(back.sink()).await.unwrap();
        let received: Vec<u32> = worker.clone().into_stream().take(100).try_collect().await.unwrap();
        assert!(received.into_iter().eq(0..100));

        source.socket().send("no number").unwrap();
        let mut stream = front.clone().into_stream();
        assert!(matches!(stream.next().await, Some(Err(TypedError::Format(_)))));
        front.socket().close().unwrap();
        assert!(stream.next().await.is_none());

        let source = Arc::new(source);
        source.socket().close().unwrap();
        let mut sink = source.into_sink();
        assert!(matches!(sink.send(&7).await, Err(TypedError::Socket(Error::Closed))));
        assert_eq!(sink.take_unsent().unwrap(), "7");
    });
}
