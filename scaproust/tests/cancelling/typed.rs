//! The futures of typed sockets.

use std::sync::Arc;
use std::time::Duration;

use scaproust::{
    Error, Format, Message, Pull, Push, Rep, Req, Respondent, Surveyor, Typed, TypedError, pattern,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::executors::{self, Boxed, address, transports};
use super::steps::{Ledger, Random, Step, dropped};

const PUSHED: usize = 1000;
const REQUESTED: usize = 500;

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

type Source = Typed<pattern::Push, Json, usize>;
type Worker = Typed<pattern::Pull, Json, usize>;
type Client = Typed<pattern::Req, Json, usize>;
type Server = Typed<pattern::Rep, Json, usize>;

fn assert_closed<T: std::fmt::Debug>(outcome: Result<T, TypedError<serde_json::Error>>) {
    assert!(matches!(outcome, Err(TypedError::Socket(Error::Closed))), "{outcome:?}");
}

async fn push(source: Arc<Source>, numbers: std::ops::Range<usize>) {
    let mut random = Random(numbers.start as u64 + 1);
    for number in numbers {
        while dropped(Box::pin(source.send_async(&number)), Step::choose(&mut random)).await.is_none() {}
    }
}

async fn pull(worker: Arc<Worker>, ledger: Arc<Ledger>, seed: u64) {
    let mut random = Random(seed);
    loop {
        match dropped(Box::pin(worker.recv_async()), Step::choose(&mut random)).await {
            None => {}
            Some(Ok(number)) => {
                let is_last = ledger.note_number(number);
                if is_last {
                    worker.socket().close().unwrap();
                }
            }
            Some(outcome) => return assert_closed(outcome),
        }
    }
}

#[cfg(feature = "futures")]
async fn pull_from_streams(worker: Arc<Worker>, ledger: Arc<Ledger>, seed: u64) {
    use futures_util::StreamExt;
    let mut random = Random(seed);
    loop {
        let mut stream = worker.clone().into_stream();
        while let Some(received) = dropped(stream.next(), Step::choose(&mut random)).await {
            let Some(number) = received else { return };
            if ledger.note_number(number.unwrap()) {
                worker.socket().close().unwrap();
            }
        }
    }
}

#[cfg(feature = "futures")]
async fn push_into_sinks(source: Arc<Source>, numbers: std::ops::Range<usize>) {
    use futures_util::SinkExt;
    let mut random = Random(numbers.start as u64 + 1);
    let mut sink = source.clone().into_sink();
    for number in numbers {
        while dropped(sink.feed(number), Step::choose(&mut random)).await.is_none() {}
        if random.below(4) == 0 {
            while dropped(sink.flush(), Step::choose(&mut random)).await.is_none() {}
            sink = source.clone().into_sink();
        }
    }
    sink.close().await.unwrap();
}

#[test]
fn dropped_senders_and_receivers_of_values_lose_and_double_none() {
    for (executor, run) in executors::ALL {
        for transport in transports() {
            let source = Arc::new(Source::new(Push::new().unwrap()));
            let worker = Arc::new(Worker::new(Pull::new().unwrap()));
            source.socket().set_send_buffer(2000).unwrap();
            worker.socket().set_recv_buffer(2000).unwrap();
            let address = address(transport, &format!("typed-{executor}"));
            worker.socket().bind(&address).unwrap();
            source.socket().connect(&address).unwrap();
            let ledger = Arc::new(Ledger::new(PUSHED));
            let mut tasks = vec![Box::pin(push(source.clone(), 0..PUSHED / 2)) as Boxed];
            tasks.extend([11, 12].map(|seed| Box::pin(pull(worker.clone(), ledger.clone(), seed)) as Boxed));
            #[cfg(feature = "futures")]
            {
                tasks.push(Box::pin(push_into_sinks(source.clone(), PUSHED / 2..PUSHED)));
                tasks.push(Box::pin(pull_from_streams(worker.clone(), ledger.clone(), 13)));
            }
            #[cfg(not(feature = "futures"))]
            tasks.push(Box::pin(push(source.clone(), PUSHED / 2..PUSHED)));
            run(tasks);
            ledger.assert_each_once();
        }
    }
}

async fn serve(server: Arc<Server>, ledger: Arc<Ledger>, seed: u64) {
    let mut random = Random(seed);
    loop {
        match dropped(Box::pin(server.accept_async()), Step::choose(&mut random)).await {
            None => {}
            Some(Ok((number, reply))) => {
                ledger.note_number(number);
                reply.send(&number).unwrap();
            }
            Some(outcome) => return assert_closed(outcome),
        }
    }
}

async fn ask(client: Arc<Client>, server: Arc<Server>, ledger: Arc<Ledger>, numbers: std::ops::Range<usize>) {
    let mut random = Random(numbers.start as u64 + 1);
    for number in numbers {
        let mut pending = client.request(&number).unwrap();
        let reply = loop {
            let reply = dropped(&mut pending, Step::choose(&mut random)).await;
            if let Some(reply) = reply {
                break reply.unwrap();
            }
            if random.below(8) == 0 {
                pending = pending.timeout(Duration::from_secs(3600));
            }
        };
        assert_eq!(reply, number);
        if ledger.note_number(number) {
            server.socket().close().unwrap();
        }
    }
}

#[test]
fn dropped_workers_and_clients_of_values_lose_and_double_none() {
    for (executor, run) in executors::ALL {
        for transport in transports() {
            let client = Arc::new(Client::new(Req::new().unwrap()));
            let server = Arc::new(Server::new(Rep::new().unwrap()));
            client.socket().set_resend_interval(None).unwrap();
            let address = address(transport, &format!("typed-ask-{executor}"));
            server.socket().bind(&address).unwrap();
            client.socket().connect(&address).unwrap();
            let [requests, replies] = [(); 2].map(|()| Arc::new(Ledger::new(REQUESTED)));
            let clients = (0..4).map(|part| {
                let numbers = REQUESTED / 4 * part..REQUESTED / 4 * (part + 1);
                Box::pin(ask(client.clone(), server.clone(), replies.clone(), numbers)) as Boxed
            });
            let workers =
                [21, 22].map(|seed| Box::pin(serve(server.clone(), requests.clone(), seed)) as Boxed);
            run(workers.into_iter().chain(clients).collect());
            requests.assert_each_once();
            replies.assert_each_once();
        }
    }
}

#[test]
fn dropped_waits_for_answers_that_are_values_lose_and_double_none() {
    const RESPONDENTS: usize = 50;
    for (executor, run) in executors::ALL {
        let surveyor: Typed<pattern::Surveyor, Json, str, usize> = Typed::new(Surveyor::new().unwrap());
        surveyor.socket().set_survey_deadline(None).unwrap();
        let address = format!("inproc://cancelling/typed/survey/{executor}");
        surveyor.socket().bind(&address).unwrap();
        let mut tasks: Vec<Boxed> = Vec::new();
        let respondents: Vec<Typed<pattern::Respondent, Json, usize, String>> =
            (0..RESPONDENTS).map(|_| Typed::new(Respondent::new().unwrap())).collect();
        for (number, respondent) in respondents.into_iter().enumerate() {
            respondent.socket().connect(&address).unwrap();
            tasks.push(Box::pin(async move {
                respondent.accept_async().await.unwrap().1.send(&number).unwrap();
            }));
        }
        let mut answers = surveyor.survey("who is there?").unwrap();
        let ledger = Arc::new(Ledger::new(RESPONDENTS));
        let noted = ledger.clone();
        tasks.push(Box::pin(async move {
            let mut random = Random(31);
            loop {
                let answer = dropped(Box::pin(answers.next_async()), Step::choose(&mut random)).await;
                if let Some(answer) = answer
                    && noted.note_number(answer.unwrap().unwrap())
                {
                    return;
                }
            }
        }));
        run(tasks);
        ledger.assert_each_once();
    }
}
