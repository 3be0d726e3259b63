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
    worlds::check();
    Ok(())
}

/// Tests of the protocol without a network, in which links are cut.
#[cfg(feature = "testing")]
mod worlds {
    use super::{ANSWERER, ASKER};
    use scaproust::custom::testing::{Event, SocketId, World, check_contract, explore};
    use std::collections::BTreeMap;

    /// The programs at the sockets of a world: the clients ask, and the servers send each request back.
    #[derive(Default)]
    struct Programs {
        clients: Vec<SocketId>,
        servers: Vec<SocketId>,
        /// How often the servers of each client have changed.
        changes: BTreeMap<SocketId, u32>,
        /// Where the requests of a client go that have the same key, until its servers change.
        chosen: BTreeMap<Vec<u8>, SocketId>,
        asked: usize,
        answered: usize,
    }

    impl Programs {
        /// Two clients, each with links to three servers.
        fn new(world: &mut World) -> Programs {
            let clients: Vec<_> = (0..2).map(|_| world.open(&ASKER)).collect();
            let servers: Vec<_> = (0..3).map(|_| world.open(&ANSWERER)).collect();
            for client in &clients {
                servers.iter().for_each(|server| _ = world.connect(*client, *server));
            }
            Programs { clients, servers, ..Programs::default() }
        }

        /// A client asks, if it has a server. Its key, the changes and its name end with a `#`.
        fn ask(&mut self, world: &mut World) {
            let client = self.clients[world.below(2) as usize];
            let (key, changes) = (world.below(5), self.changes.get(&client).copied().unwrap_or(0));
            let request = format!("{key}: {changes} of {client:?}#{}", self.asked);
            self.asked += usize::from(world.send(client, request).is_ok());
        }

        /// Each socket receives a message, if it has one.
        fn receive(&mut self, world: &mut World) {
            for server in &self.servers {
                let Ok((_, request)) = world.recv(*server) else { continue };
                let end = request.iter().position(|byte| *byte == b'#').unwrap_or(0);
                let chosen = self.chosen.entry(request[..end].to_vec()).or_insert(*server);
                assert_eq!(chosen, server, "requests with one key go to one server");
                world.send(*server, request).expect("a request can be answered");
            }
            for client in &self.clients {
                let Ok((_, answer)) = world.recv(*client) else { continue };
                let answer = String::from_utf8_lossy(&answer);
                assert!(
                    answer.contains(&format!("{client:?}#")),
                    "an answer goes to the client that has asked"
                );
                self.answered += 1;
            }
        }
    }

    /// Lets the machines run in worlds of many seeds.
    pub(super) fn check() {
        [&ASKER, &ANSWERER].iter().for_each(|protocol| check_contract(protocol, 0..200));
        explore(0..300, |world| {
            // With full lanes a request goes to another server.
            world.set_room(1000);
            let is_lossy = world.chance(2);
            world.set_cuts(if is_lossy { 50 } else { 0 });
            let mut programs = Programs::new(world);
            world.run(300, |world, event| {
                if let Event::Joined(at, _) | Event::Closing(at, _) | Event::Detached(at, _) = event {
                    *programs.changes.entry(at).or_default() += 1;
                }
                if world.chance(4) {
                    programs.ask(world);
                }
                programs.receive(world);
            });
            world.settle(|world, _event| programs.receive(world));
            let Programs { asked, answered, .. } = programs;
            assert!(answered <= asked && (is_lossy || answered == asked), "{answered} answers to {asked}");
        });
    }
}
