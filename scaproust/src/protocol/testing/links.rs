//! The links of a simulated world: what may happen to each, and what it does then.

use std::collections::VecDeque;

use super::world::{Event, SocketId};
use super::{Bench, Manner};
use crate::protocol::{CustomProtocol, PipeId};

/// So many milliseconds after a refusal a link is tried again.
const RETRY_AFTER: u64 = 1000;

/// A socket of the world.
pub(super) struct Socket {
    pub(super) protocol: &'static CustomProtocol,
    pub(super) bench: Bench,
    /// How many pipes it has had: the id of the last one.
    pipes: u32,
}

impl Socket {
    /// A new socket at this moment, in milliseconds.
    pub(super) fn new(protocol: &'static CustomProtocol, manner: Manner, now: u64) -> Socket {
        let mut bench = Bench::new(protocol, manner);
        bench.0.drift(now);
        Socket { protocol, bench, pipes: 0 }
    }

    /// A new pipe, if the machine accepts it.
    fn join(&mut self, room: usize) -> Option<u32> {
        self.pipes += 1;
        self.bench.attach(self.pipes, room).then_some(self.pipes)
    }
}

/// What the links of a world have in common at a moment.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How many messages each lane and each direction of a link hold.
    pub(super) room: usize,
    /// The time in milliseconds.
    pub(super) now: u64,
}

/// Something that may happen at a link, to one of its sides.
#[derive(Clone, Copy)]
pub(super) enum Move {
    /// The side gets a pipe.
    Join(usize),
    /// A message leaves the side's outbound lane.
    Depart(usize),
    /// A message comes to the side's inbound lane.
    Arrive(usize),
    /// The side notices that the link has ended.
    End(usize),
}

impl Move {
    /// All moves of a link.
    pub(super) fn all() -> impl Iterator<Item = Move> {
        [Move::Join, Move::Depart, Move::Arrive, Move::End].into_iter().flat_map(|side| [side(0), side(1)])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Neither side has a pipe.
    Apart,
    /// One side has a pipe, or both.
    Joined,
    /// Each side's pipe ends at its own moment: `abruptly` with what has come from it.
    Ending { abruptly: bool },
}

struct Side {
    socket: usize,
    pipe: Option<u32>,
    /// What has left its lane for the other side.
    on_way: VecDeque<Vec<u8>>,
}

/// A link of two sockets, which is joined again after each end.
pub(super) struct Link {
    sides: [Side; 2],
    state: State,
    /// Before this moment it is not joined again.
    joins_at: u64,
}

impl Link {
    pub(super) fn new(sockets: [usize; 2]) -> Link {
        let sides = sockets.map(|socket| Side { socket, pipe: None, on_way: VecDeque::new() });
        Link { sides, state: State::Apart, joins_at: 0 }
    }

    /// Whether something may happen now.
    pub(super) fn can(&self, what: Move, sockets: &[Socket], limits: Limits) -> bool {
        let (Move::Join(side) | Move::Depart(side) | Move::Arrive(side) | Move::End(side)) = what;
        let (own, other) = (&self.sides[side], &self.sides[1 - side]);
        let simulation = &sockets[own.socket].bench.0;
        match (what, own.pipe) {
            (Move::Join(_), None) => match self.state {
                State::Apart => self.joins_at <= limits.now,
                State::Joined => true,
                // The other socket is closed; what it has sent still comes.
                State::Ending { .. } => !other.on_way.is_empty(),
            },
            (Move::Depart(_), Some(pipe)) => {
                let is_free = self.state == State::Joined && own.on_way.len() < limits.room;
                is_free && simulation.unsent(pipe) > 0
            }
            (Move::Arrive(_), Some(pipe)) => {
                !other.on_way.is_empty() && simulation.unread(pipe) < limits.room
            }
            (Move::End(_), Some(_)) => matches!(self.state, State::Ending { .. }) && other.on_way.is_empty(),
            _ => false,
        }
    }

    /// Lets something happen that may happen now.
    pub(super) fn make(&mut self, what: Move, sockets: &mut [Socket], limits: Limits) -> Event {
        let (Move::Join(side) | Move::Depart(side) | Move::Arrive(side) | Move::End(side)) = what;
        let at = SocketId(self.sides[side].socket);
        let socket = &mut sockets[at.0];
        match what {
            Move::Join(_) => {
                let joined = socket.join(limits.room);
                self.sides[side].pipe = joined;
                match joined {
                    Some(pipe) => {
                        if self.state == State::Apart {
                            self.state = State::Joined;
                        }
                        Event::Joined(at, PipeId(pipe))
                    }
                    None => {
                        self.joins_at = limits.now + RETRY_AFTER;
                        self.end(false);
                        Event::Refused(at)
                    }
                }
            }
            Move::Depart(_) => {
                let pipe = self.pipe(side);
                self.sides[side].on_way.extend(socket.bench.0.take_sent(pipe));
                socket.bench.check();
                Event::Departed(at, PipeId(pipe))
            }
            Move::Arrive(_) => {
                let pipe = self.pipe(side);
                let message = self.sides[1 - side].on_way.pop_front();
                socket.bench.arrive(pipe, message.expect("a message is on its way"));
                Event::Arrived(at, PipeId(pipe))
            }
            Move::End(_) => {
                let (pipe, state) = (self.pipe(side), self.state);
                self.sides[side].pipe = None;
                self.part();
                if state == (State::Ending { abruptly: true }) {
                    socket.bench.detach(pipe);
                    Event::Detached(at, PipeId(pipe))
                } else {
                    socket.bench.close(pipe);
                    Event::Closing(at, PipeId(pipe))
                }
            }
        }
    }

    /// Ends the link for both sides, with what is on its way, if it is joined. Returns whether it was.
    pub(super) fn cut(&mut self, abruptly: bool) -> bool {
        let is_joined = self.state == State::Joined;
        if is_joined {
            self.end(abruptly);
        }
        is_joined
    }

    /// A socket is closed: what it has sent still comes to the other side, which then notices the end.
    pub(super) fn lose(&mut self, socket: usize, sockets: &mut [Socket]) {
        for side in 0..2 {
            if self.sides[side].socket != socket {
                continue;
            }
            let pipe = self.sides[side].pipe.take();
            if self.state == State::Joined {
                let left = pipe.map(|pipe| sockets[socket].bench.0.sent(pipe));
                self.sides[side].on_way.extend(left.into_iter().flatten());
                self.state = State::Ending { abruptly: false };
            }
            self.sides[1 - side].on_way.clear();
            self.part();
        }
    }

    fn end(&mut self, abruptly: bool) {
        self.state = State::Ending { abruptly };
        self.sides.iter_mut().for_each(|side| side.on_way.clear());
        self.part();
    }

    /// Both sides are apart when neither has a pipe, and nothing comes any more.
    fn part(&mut self) {
        if self.sides.iter().all(|side| side.pipe.is_none() && side.on_way.is_empty()) {
            self.state = State::Apart;
        }
    }

    fn pipe(&self, side: usize) -> u32 {
        self.sides[side].pipe.expect("the side has a pipe")
    }

    /// In how many milliseconds it may be joined again, if it must wait for that.
    pub(super) fn retries_in(&self, now: u64) -> Option<u64> {
        (self.state == State::Apart).then_some(self.joins_at).filter(|at| *at > now).map(|at| at - now)
    }
}
