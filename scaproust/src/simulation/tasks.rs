//! Steps of programs that are tasks: what the tasks of an executor do at a socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::str::SplitWhitespace;
use std::task::{Context, Poll};
use std::time::Duration;

use super::edges::entry;
use super::executor::{self, LONGEST_WHIMS, Own};
use super::ledger::{Id, broken, decode, encode};
use super::plan::{Step, ThreadName};
use super::program::{ANSWER, ANSWERED, PLAIN, Program, topic};
use super::script::number;
use super::world::{World, expect};
use crate::error::Error;
use crate::machine::{self, running_time};
use crate::protocol::ProtocolInfo;
use crate::socket::poll::Polling;
use crate::socket::{
    BlockingCall, Connecting, SocketRef, TaskAttempt, TaskCall, TaskReceiving, TaskSending, Wait, enter,
};
use crate::sync::now;
use crate::{AnySocket, Message};

/// The tasks of a thread have names of their own, this far from each other.
const NAMES: usize = 100;

/// What the tasks of a thread do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tasks {
    pub(super) count: usize,
    /// Their wakers poll them at once.
    pub(super) is_inline: bool,
    pub(super) work: Work,
}

/// What each of the tasks does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Receives until the socket is closed.
    Receive,
    /// Sends so many messages of so many bytes.
    Send(usize, usize),
    /// Accepts requests or surveys, and replies, until the socket is closed.
    Accept,
    /// Sends so many requests of so many bytes, and awaits each reply.
    Request(usize, usize),
    /// Sends so many surveys of so many bytes, and awaits the answers.
    Survey(usize, usize),
    /// Waits for a connection of each endpoint, for so many milliseconds.
    Connect(usize),
    /// Closes the socket.
    Close,
}

impl Tasks {
    /// `COUNT queued|inline WORK`.
    pub(super) fn parse(words: &mut SplitWhitespace<'_>) -> Option<Tasks> {
        let count = number(words)?;
        let is_inline = match words.next()? {
            "inline" => true,
            "queued" => false,
            _ => return None,
        };
        let work = match words.next()? {
            "receive" => Work::Receive,
            "send" => Work::Send(number(words)?, number(words)?),
            "accept" => Work::Accept,
            "request" => Work::Request(number(words)?, number(words)?),
            "survey" => Work::Survey(number(words)?, number(words)?),
            "connect" => Work::Connect(number(words)?),
            "close" => Work::Close,
            _ => return None,
        };
        Some(Tasks { count, is_inline, work })
    }

    /// Whether they go on until the socket is closed.
    pub(super) fn are_endless(&self) -> bool {
        matches!(self.work, Work::Receive | Work::Accept)
    }
}

impl fmt::Display for Tasks {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_inline { "inline" } else { "queued" };
        write!(to, "tasks {} {kind} ", self.count)?;
        match self.work {
            Work::Receive => write!(to, "receive"),
            Work::Send(count, size) => write!(to, "send {count} {size}"),
            Work::Accept => write!(to, "accept"),
            Work::Request(count, size) => write!(to, "request {count} {size}"),
            Work::Survey(count, size) => write!(to, "survey {count} {size}"),
            Work::Connect(time) => write!(to, "connect {time}"),
            Work::Close => write!(to, "close"),
        }
    }
}

impl Program<'_> {
    /// Runs tasks until all have ended.
    pub(super) fn run_tasks(&self, tasks: Tasks) -> Result<(), Error> {
        let call = enter(self.id)?;
        let socket = SocketRef::of(&call);
        drop(call);
        let conversing = self.world.socket_of_tasks(self.name.0, self.id, self.protocol)?;
        executor::run(tasks.count, tasks.is_inline, |number, own| {
            let task = Task {
                world: self.world.clone(),
                name: ThreadName(self.name.0, (self.name.1 + 1) * NAMES + number),
                id: self.id,
                protocol: self.protocol,
                socket: socket.clone(),
                conversing: conversing.clone(),
                may_leave: number > 0,
                own,
            };
            async move {
                match task.work(tasks.work).await {
                    Ok(()) | Err(Error::Closed | Error::Terminated) => {}
                    Err(error) => {
                        machine::fail(format!("{:?}: {:?} failed: {error}", task.name, tasks.work));
                    }
                }
            }
        });
        Ok(())
    }
}

/// A task at a socket.
struct Task {
    world: Rc<World>,
    name: ThreadName,
    id: i32,
    protocol: &'static ProtocolInfo,
    socket: SocketRef,
    conversing: Rc<AnySocket>,
    /// It may end early. The others must then be woken for the messages that it has not taken.
    may_leave: bool,
    own: Own,
}

impl Task {
    async fn work(&self, work: Work) -> Result<(), Error> {
        match work {
            Work::Receive => self.receive_all().await,
            Work::Accept => self.accept_all().await,
            Work::Send(count, size) => {
                for _ in 0..count {
                    self.send(size).await?;
                }
                Ok(())
            }
            Work::Connect(time) => self.wait_connected(Duration::from_millis(time as u64)).await,
            Work::Close => self.close().await,
            Work::Request(count, size) => {
                for _ in 0..count {
                    self.request(size).await?;
                }
                Ok(())
            }
            Work::Survey(count, size) => {
                for _ in 0..count {
                    self.survey(size).await?;
                }
                Ok(())
            }
        }
    }

    fn call<A: TaskAttempt>(&self, attempt: A) -> Call<A> {
        let patience = self.own.patience();
        let wait = patience.map_or(Wait::Option, |time| Wait::Until(now() + time));
        Call(TaskCall::new(self.socket.clone(), attempt, wait))
    }

    /// After a future was dropped: returns whether the task goes on.
    async fn goes_on(&self) -> bool {
        if self.may_leave && machine::below(2) == 0 {
            return false;
        }
        self.own.pause().await;
        true
    }

    async fn receive_all(&self) -> Result<(), Error> {
        loop {
            let place =
                Place { world: self.world.clone(), name: self.name, id: self.id, protocol: self.protocol };
            let receiving = TaskReceiving {
                place,
                put: |place: &mut Place, received| {
                    let Place { world, name, id, protocol } = place;
                    Program { world, name: *name, id: *id, protocol }.note(&received);
                    Ok(())
                },
            };
            match self.own.await_or_drop(self.call(receiving)).await {
                None if !self.goes_on().await => return Ok(()),
                None | Some(Err(Error::TimedOut)) => {}
                Some(received) => received??,
            }
        }
    }

    async fn send(&self, size: usize) -> Result<(), Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let sending = TaskSending(Message::from(encode(topic(id), PLAIN, id, size)));
        let sent = self.own.await_or_drop(self.call(sending)).await;
        let is_sent = matches!(sent, Some(Ok(())));
        expect(self.world.ledger.borrow_mut().note_sent(id, is_sent));
        match sent {
            None | Some(Err(Error::TimedOut)) => Ok(()),
            Some(sent) => sent,
        }
    }

    async fn wait_connected(&self, time: Duration) -> Result<(), Error> {
        let endpoints = self.world.endpoints.borrow().get(&self.name.0).cloned().unwrap_or_default();
        for endpoint in endpoints {
            let connecting = enter(self.id).and_then(|call| Connecting::of(&call, endpoint, true));
            let outcome = match connecting {
                Ok(connecting) => {
                    let call = TaskCall::new(self.socket.clone(), connecting, Wait::Until(now() + time));
                    self.own.await_or_drop(Call(call)).await.unwrap_or(Ok(()))
                }
                Err(error) => Err(error),
            };
            match outcome {
                // The endpoint may be removed meanwhile.
                Ok(()) | Err(Error::TimedOut | Error::InvalidArgument) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes the socket, as [`World::close`]. The first poll begins that; then it goes on without the future.
    async fn close(&self) -> Result<(), Error> {
        let mut began = None;
        while began.is_none() {
            while self.world.is_opening() {
                self.own.pause().await;
            }
            let mut closing = self.conversing.close_async();
            let polled = poll_fn(|context| {
                if began.is_none() {
                    began = Some((self.world.begin_closing(self.name.0, self.id), running_time()));
                }
                Pin::new(&mut closing).poll(context)
            });
            let closed = self.own.await_or_drop(polled).await;
            if let (Some(Ok(())), Some((Ok(linger), began))) = (closed, &began) {
                self.world.check_time(
                    *began,
                    linger.map(|linger| linger + LONGEST_WHIMS),
                    "a close in a task",
                );
            }
        }
        Ok(())
    }

    async fn accept_all(&self) -> Result<(), Error> {
        loop {
            let (request, reply) = match self.own.await_or_drop(self.conversing.accept_async()).await {
                None if !self.goes_on().await => return Ok(()),
                None | Some(Err(Error::TimedOut)) => continue,
                Some(accepted) => accepted?,
            };
            let noted = decode(&request).and_then(|(_, id)| {
                self.world.ledger.borrow_mut().note_received(self.name.0, self.protocol, 0, id)
            });
            expect(noted);
            let mut bytes = request.to_vec();
            if let Some(kind) = bytes.get_mut(1) {
                *kind = ANSWER + self.name.0 as u8;
            }
            if machine::below(4) == 0 {
                self.own.pause().await;
            }
            reply.send(bytes)?;
        }
    }

    /// Makes a question, and asks it by `ask`.
    fn ask<T>(
        &self,
        size: usize,
        ask: impl FnOnce(&AnySocket, Vec<u8>) -> Result<T, Error>,
    ) -> Result<(Id, T), Error> {
        let id = self.world.ledger.borrow_mut().next(self.name);
        let asked = ask(&self.conversing, encode(0, PLAIN, id, size));
        expect(self.world.ledger.borrow_mut().note_sent(id, asked.is_ok()));
        Ok((id, asked?))
    }

    async fn request(&self, size: usize) -> Result<(), Error> {
        let (question, pending) = self.ask(size, |socket, bytes| socket.request(bytes))?;
        match self.own.await_or_drop(pending).await {
            None | Some(Err(Error::TimedOut)) => Ok(()),
            Some(answer) => self.check_answer(question, &answer?).map(drop),
        }
    }

    async fn survey(&self, size: usize) -> Result<(), Error> {
        let (question, mut answers) = self.ask(size, |socket, bytes| socket.survey(bytes))?;
        let mut answered = Vec::new();
        loop {
            match self.own.await_or_drop(answers.next_async()).await {
                // The other answers are given up, or the next one is awaited by another future.
                None if machine::below(2) == 0 => return Ok(()),
                None => self.own.pause().await,
                Some(None) => return Ok(()),
                Some(Some(answer)) => {
                    let respondent = self.check_answer(question, &answer?)?;
                    if answered.contains(&respondent) && !self.world.plan.has_ring {
                        let what = format!("{respondent} has answered {question:?} twice");
                        machine::fail(broken(ANSWERED, &what));
                    }
                    answered.push(respondent);
                }
            }
        }
    }

    /// Checks that an answer is one to the question. Returns the number of the socket that gave it.
    fn check_answer(&self, question: Id, answer: &[u8]) -> Result<u8, Error> {
        match decode(answer) {
            Ok((kind, id)) if id == question && kind >= ANSWER => return Ok(kind - ANSWER),
            Ok((kind, id)) => {
                let what = format!("the answer to {question:?} is one to {id:?} of kind {kind}");
                machine::fail(broken(ANSWERED, &what));
            }
            Err(failure) => machine::fail(failure),
        }
        Ok(0)
    }
}

/// Where a received message is noted.
struct Place {
    world: Rc<World>,
    name: ThreadName,
    id: i32,
    protocol: &'static ProtocolInfo,
}

/// A call as a future.
struct Call<A: TaskAttempt>(TaskCall<SocketRef, A>);

impl<A: TaskAttempt + Unpin> Future for Call<A> {
    type Output = Result<A::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context.waker())
    }
}

impl World {
    /// The socket of a number as the Rust interface has it, whose conversations all of its tasks share.
    fn socket_of_tasks(
        &self,
        number: usize,
        id: i32,
        protocol: &'static ProtocolInfo,
    ) -> Result<Rc<AnySocket>, Error> {
        if let Some(socket) = self.sockets_of_tasks.borrow().get(&number) {
            return Ok(socket.clone());
        }
        let socket = Rc::new(AnySocket::of_id(id, protocol)?);
        self.sockets_of_tasks.borrow_mut().insert(number, socket.clone());
        Ok(socket)
    }

    /// Checks, in a world in which nothing happens any more, that no task waits for a message that is there.
    pub(super) fn check_wakers(&self) {
        let waiting: Vec<_> =
            self.current.borrow().iter().map(|(name, step)| (*name, step.clone())).collect();
        for (name, step) in waiting {
            let Step::Tasks(tasks) = step else { continue };
            let id = self.socket(name.0).map(|(id, _)| id);
            if let Some(id) = id.filter(|_| tasks.are_endless())
                && stays_readable(id)
            {
                machine::fail(format!(
                    "{name:?}: a message is there, and the tasks that wait were not woken"
                ));
            }
        }
    }
}

/// Whether a socket is readable at each of some looks.
fn stays_readable(id: i32) -> bool {
    (0..5).all(|_| {
        machine::sleep(Duration::from_secs(1));
        Polling::new(vec![entry(id, true)], Some(Duration::ZERO), false)
            .and_then(BlockingCall::finish)
            .is_ok_and(|ready| ready > 0)
    })
}
