//! A protocol of the program: requests with the same key go to the same server, as long as that is there and has room.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use scaproust::Error;
use scaproust::custom::{Body, Chosen, PipeId, Pipes, Priorities, Protocol, Refusal, StateMachine};

static ASKER: Protocol = Protocol::new::<Asker>(0xf100, "sticky-asker", &ANSWERER);
static ANSWERER: Protocol = Protocol::new::<Answerer>(0xf101, "sticky-answerer", &ASKER);

/// Receives from all pipes in turn.
#[derive(Default)]
struct Inbox {
    /// The pipes that may have a message.
    active: VecDeque<PipeId>,
}

impl Inbox {
    fn readable(&mut self, pipe: PipeId) {
        if !self.active.contains(&pipe) {
            self.active.push_back(pipe);
        }
    }

    fn remove(&mut self, pipe: PipeId) {
        self.active.retain(|other| *other != pipe);
    }

    /// The pipe whose message is the next one.
    fn next(&mut self, pipes: &mut Pipes<'_>) -> Option<PipeId> {
        while let Some(pipe) = self.active.front().copied() {
            if pipes.front(pipe).is_some() {
                return Some(pipe);
            }
            self.active.pop_front();
        }
        None
    }

    fn take(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let pipe = self.next(pipes).ok_or(Refusal::WouldBlock)?;
        self.active.rotate_left(1);
        Ok(Chosen { pipe, skip: 0 })
    }
}

/// Sends each request to a server that its key chooses, and receives all answers. The key ends with a colon.
#[derive(Default)]
struct Asker {
    servers: Vec<PipeId>,
    answers: Inbox,
}

impl StateMachine for Asker {
    fn attach(&mut self, pipe: PipeId, _priorities: Priorities) -> bool {
        self.servers.push(pipe);
        true
    }

    fn closing(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.servers.retain(|other| *other != pipe);
    }

    fn detach(&mut self, pipe: PipeId, pipes: &mut Pipes<'_>) {
        self.closing(pipe, pipes);
        self.answers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.answers.readable(pipe);
    }

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        let key = body.bytes().split(|byte| *byte == b':').next().unwrap_or_default().to_vec();
        // Each key has an order of its own of the servers, which changes little when one of them comes or goes.
        let weight = |server: &PipeId| {
            let mut hasher = DefaultHasher::new();
            (&key, server).hash(&mut hasher);
            hasher.finish()
        };
        self.servers.sort_by_key(weight);
        let is_sent = self.servers.iter().any(|server| pipes.push(*server, &[], body));
        if is_sent { Ok(()) } else { Err(Refusal::WouldBlock) }
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        self.answers.take(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.servers.iter().any(|server| pipes.has_room(*server))
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.answers.next(pipes).is_some()
    }
}

/// Receives requests, and sends the answer to the client that the last one has come from.
#[derive(Default)]
struct Answerer {
    requests: Inbox,
    client: Option<PipeId>,
}

impl StateMachine for Answerer {
    fn attach(&mut self, _pipe: PipeId, _priorities: Priorities) -> bool {
        true
    }

    fn detach(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.requests.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _pipes: &mut Pipes<'_>) {
        self.requests.readable(pipe);
    }

    fn writable(&mut self, _pipe: PipeId, _pipes: &mut Pipes<'_>) {}

    fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
        let client = self.client.take().ok_or(Refusal::WrongState)?;
        // A client that has gone, or does not read, gets no answer.
        pipes.push(client, &[], body);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
        let request = self.requests.take(pipes)?;
        self.client = Some(request.pipe);
        Ok(request)
    }

    fn can_send(&mut self, _pipes: &mut Pipes<'_>) -> bool {
        self.client.is_some()
    }

    fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool {
        self.requests.next(pipes).is_some()
    }
}

/// Three servers answer with their number. Returns the answers to requests with these keys.
fn ask(address: impl Fn(u8) -> String, keys: &[&str]) -> Result<Vec<String>, Error> {
    let client = ASKER.open()?;
    let servers = [0, 1, 2].map(|_| ANSWERER.open());
    std::thread::scope(|scope| {
        for (number, server) in (0..).zip(&servers) {
            let server = server.as_ref().map_err(|error| *error)?;
            let endpoint = client.connect(server.bind(address(number))?.address()?)?;
            endpoint.wait_connected(std::time::Instant::now() + std::time::Duration::from_secs(10))?;
            scope.spawn(move || server.iter().flatten().try_for_each(|_| server.send([b'0' + number])));
        }
        let answers = keys.iter().map(|key| {
            client.send(format!("{key}: a question"))?;
            Ok(String::from_utf8_lossy(&client.recv()?).into_owned())
        });
        let answers = answers.collect();
        // Ends the threads.
        servers.iter().flatten().try_for_each(|server| server.close())?;
        answers
    })
}

fn main() -> Result<(), Error> {
    let keys = ["apple", "pear", "plum", "apple", "pear", "plum", "apple", "pear", "plum"];
    for answers in [
        ask(|number| format!("inproc://sticky/{number}"), &keys)?,
        ask(|_| "tcp://127.0.0.1:0".to_owned(), &keys)?,
    ] {
        println!("{keys:?} were answered by {answers:?}");
        assert_eq!((&answers[..3], &answers[..3]), (&answers[3..6], &answers[6..]));
    }
    #[cfg(feature = "testing")]
    for protocol in [&ASKER, &ANSWERER] {
        scaproust::custom::testing::check_contract(protocol, 0..200);
    }
    Ok(())
}
