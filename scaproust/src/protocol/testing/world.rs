//! Worlds of sockets with the program's protocols: a seed decides what happens and when.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::time::Duration;

use super::Manner;
use super::links::{Limits, Link, Move, Socket};
use crate::message::Payload;
use crate::protocol::{CustomProtocol, PipeId, Refusal};
use crate::random::Random;

/// The most messages that a lane of a world holds, if nothing is set.
const MOST_ROOM: u64 = 8;
/// The longest that time passes at once, in milliseconds, if no machine has a deadline.
const LONGEST_PAUSE: u64 = 100;
/// How long a world may take to come to rest, in milliseconds, and in events.
const SETTLES_WITHIN: u64 = 60_000;
const SETTLES_AFTER: usize = 100_000;
/// The last moment of a world that time is let pass to at once, in milliseconds: a hundred years. A machine with a later deadline has none.
const LAST_MOMENT: u64 = 100 * 365 * 24 * 3_600_000;
/// How many of its last events a failure shows.
const SHOWN: usize = 20;

/// A socket of a [`World`]; from [`World::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub(super) usize);

/// A link of a [`World`]; from [`World::connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(super) usize);

/// What has happened in a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A socket has a new pipe. The other side of the link may get its own later.
    Joined(SocketId, PipeId),
    /// A socket has refused a pipe. The link is tried again later.
    Refused(SocketId),
    /// A message has left the pipe's outbound lane.
    Departed(SocketId, PipeId),
    /// A message has come to the pipe's inbound lane.
    Arrived(SocketId, PipeId),
    /// A link was cut, and what was on its way is lost. Each side notices it later, and then the link is joined again.
    Cut(LinkId),
    /// A socket has noticed that the peer is gone. What has arrived is still there.
    Closing(SocketId, PipeId),
    /// A pipe has been removed: it was empty, or reset.
    Detached(SocketId, PipeId),
    /// So much time has passed.
    Elapsed(Duration),
}

/// Sockets of the program's protocols, joined by links, of which a seed decides what happens next: a message leaves its lane or arrives
/// in one, a side of a link gets its pipe or notices that it is gone, time passes. Messages of one link stay in order; all else may
/// happen in any order, and may take any number of steps. So one seed is one run of a small network, the same each time, as long as
/// machines and scenario use no other source of chance, such as the order of a `HashMap`.
///
/// There is no thread, no socket of the system and no time to wait for: hundreds of worlds take a second. Each machine is checked as by
/// [`Bench`](super::Bench); in half of the worlds its pipes are [`Manner::Strict`]. How much lanes hold depends on the seed.
///
/// A scenario opens sockets, connects them, and says what the programs at them do and what must be true; [`explore`] runs it with many
/// seeds. Here two clients ask a server, and each must get the answer to its own question. (The machines are left out: see the
/// example `protocol` of this crate.)
///
/// ```
/// use scaproust::custom::testing::{World, explore};
/// # use scaproust::custom::*;
/// # use std::collections::VecDeque;
/// # #[derive(Default)] struct Ask(Option<PipeId>);
/// # impl StateMachine for Ask {
/// #     fn attach(&mut self, pipe: PipeId, _: Priorities) -> bool {
/// #         let is_first = self.0.is_none(); if is_first { self.0 = Some(pipe); } is_first
/// #     }
/// #     fn detach(&mut self, pipe: PipeId, _: &mut Pipes<'_>) { self.0.take_if(|own| *own == pipe); }
/// #     fn readable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn writable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
/// #         if self.0.is_some_and(|pipe| pipes.push(pipe, &[], body)) { Ok(()) } else { Err(Refusal::WouldBlock) }
/// #     }
/// #     fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
/// #         let pipe = self.0.filter(|pipe| pipes.front(*pipe).is_some()).ok_or(Refusal::WouldBlock)?;
/// #         Ok(Chosen { pipe, skip: 0 })
/// #     }
/// #     fn can_send(&mut self, pipes: &mut Pipes<'_>) -> bool { self.0.is_some_and(|pipe| pipes.has_room(pipe)) }
/// #     fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool { self.0.is_some_and(|pipe| pipes.front(pipe).is_some()) }
/// # }
/// # #[derive(Default)] struct Answer { all: VecDeque<PipeId>, client: Option<PipeId> }
/// # impl Answer {
/// #     fn next(&mut self, pipes: &mut Pipes<'_>) -> Option<PipeId> {
/// #         self.all.rotate_left(usize::from(!self.all.is_empty()));
/// #         self.all.iter().copied().find(|pipe| pipes.front(*pipe).is_some())
/// #     }
/// # }
/// # impl StateMachine for Answer {
/// #     fn attach(&mut self, pipe: PipeId, _: Priorities) -> bool { self.all.push_back(pipe); true }
/// #     fn detach(&mut self, pipe: PipeId, _: &mut Pipes<'_>) { self.all.retain(|other| *other != pipe); }
/// #     fn readable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn writable(&mut self, _: PipeId, _: &mut Pipes<'_>) {}
/// #     fn send(&mut self, body: &mut Body<'_, '_>, pipes: &mut Pipes<'_>) -> Result<(), Refusal> {
/// #         let client = self.client.take().ok_or(Refusal::WrongState)?;
/// #         pipes.push(client, &[], body); Ok(())
/// #     }
/// #     fn recv(&mut self, pipes: &mut Pipes<'_>) -> Result<Chosen, Refusal> {
/// #         self.client = Some(self.next(pipes).ok_or(Refusal::WouldBlock)?);
/// #         self.client.map(|pipe| Chosen { pipe, skip: 0 }).ok_or(Refusal::WouldBlock)
/// #     }
/// #     fn can_send(&mut self, _: &mut Pipes<'_>) -> bool { self.client.is_some() }
/// #     fn can_recv(&mut self, pipes: &mut Pipes<'_>) -> bool { self.next(pipes).is_some() }
/// # }
/// static ASKER: Protocol = Protocol::new::<Ask>(0xf400, "world-asker", &ANSWERER);
/// static ANSWERER: Protocol = Protocol::new::<Answer>(0xf401, "world-answerer", &ASKER);
///
/// explore(0..500, |world| {
///     let server = world.open(&ANSWERER);
///     let clients = [world.open(&ASKER), world.open(&ASKER)];
///     clients.iter().for_each(|client| _ = world.connect(*client, server));
///     let mut is_waiting = [false; 2];
///     world.run(200, |world, _event| {
///         if let Ok((_, question)) = world.recv(server) {
///             world.send(server, question).unwrap();
///         }
///         for (client, is_waiting) in clients.into_iter().zip(&mut is_waiting) {
///             if let Ok((_, answer)) = world.recv(client) {
///                 assert!(*is_waiting && answer == format!("{client:?}").as_bytes());
///                 *is_waiting = false;
///             } else if !*is_waiting {
///                 *is_waiting = world.send(client, format!("{client:?}")).is_ok();
///             }
///         }
///     });
/// });
/// ```
pub struct World {
    random: Random,
    manner: Manner,
    sockets: Vec<Socket>,
    links: Vec<Link>,
    /// Pipes without a peer any more, with their sockets.
    closing: Vec<(SocketId, PipeId)>,
    limits: Limits,
    /// A link is cut at one of so many steps; never with 0.
    cuts: u32,
    /// How many messages programs have sent and received.
    calls: u64,
    /// What has happened, a line each.
    log: Vec<String>,
}

opaque!([] World);

impl World {
    /// The world of a seed, without sockets.
    #[must_use]
    pub fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let manner = if random.below(2) == 0 { Manner::Strict } else { Manner::Lavish };
        let room = 1 + random.below(MOST_ROOM) as usize;
        World {
            random,
            manner,
            sockets: Vec::new(),
            links: Vec::new(),
            closing: Vec::new(),
            limits: Limits { room, now: 0 },
            cuts: 0,
            calls: 0,
            log: Vec::new(),
        }
    }

    /// Sets how many messages each lane holds, and each direction of a link; by default one to eight, as the seed says.
    ///
    /// # Panics
    /// With 0.
    pub fn set_room(&mut self, messages: usize) {
        assert!(messages > 0, "a lane has room for a message");
        self.limits.room = messages;
    }

    /// Lets a link be cut at one of so many steps: by default at none, as with 0. A link that is cut loses what is on its way. Its sides
    /// notice that later, each at its own moment; half of the times they lose also what has arrived and was not received. Then the link is joined
    /// again, with new pipes.
    pub fn set_cuts(&mut self, one_in: u32) {
        self.cuts = one_in;
    }

    /// Opens a socket.
    pub fn open(&mut self, protocol: &'static CustomProtocol) -> SocketId {
        self.sockets.push(Socket::new(protocol, self.manner, self.limits.now));
        SocketId(self.sockets.len() - 1)
    }

    /// Joins two sockets by a link, from now on until the end of the world. Two sockets may have several.
    ///
    /// # Panics
    /// If they are the same, or their protocols are not each other's peers.
    pub fn connect(&mut self, one: SocketId, other: SocketId) -> LinkId {
        let protocols = [one, other].map(|socket| self.sockets[socket.0].protocol.row());
        assert_eq!(protocols[0].peer, protocols[1], "the protocols are not each other's peers");
        assert_ne!(one, other, "a link has two sockets");
        let id = LinkId(self.links.len());
        self.links.push(Link::new([one.0, other.0]));
        id
    }

    /// Cuts a link now: as [`World::set_cuts`]. Returns whether it was joined.
    pub fn cut(&mut self, link: LinkId) -> bool {
        let abruptly = self.chance(2);
        let was_joined = self.links[link.0].cut(abruptly);
        if was_joined {
            self.note(&Event::Cut(link));
        }
        was_joined
    }

    /// Closes a socket, and opens another one in its place, with a new machine. What was sent still arrives; what has come and was not
    /// received is lost.
    pub fn restart(&mut self, socket: SocketId) {
        self.log.push(format!("{socket:?} is closed, and opened again"));
        self.links.iter_mut().for_each(|link| link.lose(socket.0, &mut self.sockets));
        self.closing.retain(|(at, _)| *at != socket);
        let protocol = self.sockets[socket.0].protocol;
        self.sockets[socket.0] = Socket::new(protocol, self.manner, self.limits.now);
    }

    /// The program of a socket sends a message, if it can without waiting.
    ///
    /// # Errors
    /// The machine's; [`Refusal::NotSupported`] if the protocol only receives.
    pub fn send(&mut self, socket: SocketId, body: impl AsRef<[u8]>) -> Result<(), Refusal> {
        let Socket { protocol, bench, .. } = &mut self.sockets[socket.0];
        if !protocol.row().can_send {
            return Err(Refusal::NotSupported);
        }
        let body = body.as_ref();
        let sent = bench.0.send_message(&[], Payload::Borrowed(body));
        let outcome = if sent.is_ok() { "sends" } else { "cannot send" };
        self.log.push(format!("{socket:?} {outcome} \"{}\"", body.escape_ascii()));
        self.sockets[socket.0].bench.check();
        self.calls += u64::from(sent.is_ok());
        sent
    }

    /// The program of a socket receives a message, if there is one. Returns its pipe and its body.
    ///
    /// # Errors
    /// The machine's; [`Refusal::NotSupported`] if the protocol only sends.
    pub fn recv(&mut self, socket: SocketId) -> Result<(PipeId, Vec<u8>), Refusal> {
        let Socket { protocol, bench, .. } = &mut self.sockets[socket.0];
        if !protocol.row().can_recv {
            return Err(Refusal::NotSupported);
        }
        let received = bench.0.take();
        if let Ok((delivery, message)) = &received {
            let body = message[delivery.skip..].escape_ascii();
            self.log.push(format!("{socket:?} receives \"{body}\" from {:?}", delivery.pipe));
            self.calls += 1;
        }
        bench.check();
        received.map(|(delivery, mut message)| (delivery.pipe, message.split_off(delivery.skip)))
    }

    /// A number below `limit`, which is not 0: for what the programs of a scenario do by chance.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.random.below(limit)
    }

    /// Whether the one of so many cases is met; never with 0.
    pub fn chance(&mut self, one_in: u32) -> bool {
        self.random.one_in(one_in)
    }

    /// How much time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.limits.now)
    }

    /// Lets one thing happen.
    pub fn step(&mut self) -> Event {
        if self.chance(self.cuts) && !self.links.is_empty() {
            let link = LinkId(self.below(self.links.len() as u64) as usize);
            if self.cut(link) {
                return Event::Cut(link);
            }
        }
        match self.advance(true) {
            Some(event) => event,
            None => {
                let due = self.due_in().filter(|_| self.chance(2));
                let pause = due.unwrap_or_else(|| self.below(LONGEST_PAUSE));
                self.elapse(pause)
            }
        }
    }

    /// Lets so many things happen, and calls `after_each` after each of them: there programs send and receive, and what must always be true
    /// is checked.
    pub fn run(&mut self, steps: usize, mut after_each: impl FnMut(&mut World, Event)) {
        for _ in 0..steps {
            let event = self.step();
            after_each(self, event);
        }
    }

    /// Lets the world come to rest: no link is cut any more, all are joined, and all that is on its way arrives. The deadlines of machines
    /// pass, for a minute. `after_each` is called as by [`World::run`]; without an event before anything happens, and after a call of it that was
    /// all that happened. The world is at rest when nothing can happen any more and a call of it has neither sent nor received anything.
    ///
    /// # Panics
    /// If the world is not at rest after 100,000 events.
    pub fn settle(&mut self, mut after_each: impl FnMut(&mut World, Option<Event>)) {
        let end = self.limits.now + SETTLES_WITHIN;
        let mut event = None;
        for _ in 0..SETTLES_AFTER {
            let calls = self.calls;
            after_each(self, event);
            let has_called = self.calls != calls;
            event = self.advance(false);
            if event.is_none() && !has_called {
                match self.due_in().filter(|due| self.limits.now + due <= end) {
                    Some(due) => event = Some(self.elapse(due)),
                    None => return,
                }
            }
        }
        panic!("the world does not come to rest");
    }

    /// Makes one of the moves that are possible; `None` if there is none, or with `may_pause` by chance.
    fn advance(&mut self, may_pause: bool) -> Option<Event> {
        let (links, sockets, limits) = (&self.links, &self.sockets, self.limits);
        let moves = links.iter().enumerate().flat_map(|link| Move::all().map(move |what| (link, what)));
        let moves: Vec<_> = moves
            .filter(|((_, link), what)| link.can(*what, sockets, limits))
            .map(|((number, _), what)| (number, what))
            .collect();
        let is_empty = |at: &SocketId, pipe: &PipeId| sockets[at.0].bench.0.unread(pipe.0) == 0;
        let empty: Vec<_> = self.closing.iter().copied().filter(|(at, pipe)| is_empty(at, pipe)).collect();
        let count = moves.len() + empty.len();
        let choices = count + usize::from(may_pause);
        let choice = (choices > 0).then(|| self.random.below(choices as u64) as usize)?;
        let event = match moves.get(choice) {
            Some((link, what)) => self.links[*link].make(*what, &mut self.sockets, limits),
            None => {
                let (at, pipe) = *empty.get(choice - moves.len())?;
                self.closing.retain(|closing| *closing != (at, pipe));
                self.sockets[at.0].bench.detach(pipe.0);
                Event::Detached(at, pipe)
            }
        };
        if let Event::Closing(at, pipe) = event {
            self.closing.push((at, pipe));
        }
        self.note(&event);
        Some(event)
    }

    /// In how many milliseconds the first of the machines has its deadline, or a link that was refused is tried again.
    fn due_in(&self) -> Option<u64> {
        let deadlines = self.sockets.iter().filter_map(|socket| socket.bench.0.due_in());
        let left = LAST_MOMENT.saturating_sub(self.limits.now);
        let first =
            deadlines.chain(self.links.iter().filter_map(|link| link.retries_in(self.limits.now))).min();
        first.filter(|due| *due <= left)
    }

    fn elapse(&mut self, milliseconds: u64) -> Event {
        self.limits.now += milliseconds;
        let event = Event::Elapsed(Duration::from_millis(milliseconds));
        self.note(&event);
        self.sockets.iter_mut().for_each(|socket| socket.bench.elapse(milliseconds));
        event
    }

    fn note(&mut self, event: &Event) {
        self.log.push(format!("{event:?}"));
    }
}

/// Runs a scenario in the world of each of these seeds. See [`World`].
///
/// # Panics
/// If the scenario does, or a machine breaks the contract of [`StateMachine`](crate::protocol::StateMachine). The message has the last
/// events, and the call of [`replay`] that repeats them.
#[track_caller]
pub fn explore(seeds: Range<u64>, mut scenario: impl FnMut(&mut World)) {
    for seed in seeds {
        run(seed, SHOWN, &mut scenario);
    }
}

/// Runs a scenario in the world of one seed.
///
/// # Panics
/// As [`explore`], with all events.
#[track_caller]
pub fn replay(seed: u64, mut scenario: impl FnMut(&mut World)) {
    run(seed, usize::MAX, &mut scenario);
}

#[track_caller]
fn run(seed: u64, shown: usize, scenario: &mut dyn FnMut(&mut World)) {
    let mut world = World::new(seed);
    let lived = catch_unwind(AssertUnwindSafe(|| scenario(&mut world)));
    // A machine may panic when it is dropped, also after another panic.
    let sockets = std::mem::take(&mut world.sockets);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(sockets)));
    let Err(panic) = lived.and(dropped) else { return };
    let count = world.log.len();
    let last = world.log[count.saturating_sub(shown)..].join("\n  ");
    let cause = text(&*panic);
    panic_any(format!(
        "{cause}\nafter {count} events, again with: replay({seed}, …)\nThe last events:\n  {last}"
    ));
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or(panic.downcast_ref::<&str>().copied()).unwrap_or("the scenario has panicked")
}
