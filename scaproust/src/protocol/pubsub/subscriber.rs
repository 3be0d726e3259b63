//! SUB.

use std::collections::{BTreeMap, VecDeque};

use super::{ADD, FILTER, MAX_TOPIC_BYTES, MAX_TOPICS, REMOVE, SUBSCRIBE, UNSUBSCRIBE, flag};
use crate::error::Error;
use crate::message::{Chunk, Front, INLINE_MAX, Outgoing, Payload};
use crate::option::Setting;
use crate::protocol::policy::FairQueue;
use crate::protocol::trie::Trie;
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, PushOutcome, Refusal};

/// The machine of a SUB socket.
#[derive(Debug)]
pub struct Subscriber {
    publishers: FairQueue,
    subscriptions: Subscriptions,
    upstream: Upstream,
}

/// The subscriptions of a SUB socket, or of one of its contexts.
#[derive(Debug)]
pub(in crate::protocol) struct Subscriptions(Trie<u32>);

impl Subscriptions {
    pub(in crate::protocol) fn new() -> Subscriptions {
        Subscriptions(Trie::new())
    }

    /// Accepts a message that matches a subscription.
    #[inline]
    pub(in crate::protocol) fn accept(&self, front: Front<'_>) -> Option<()> {
        self.0.matches([front.head, front.body]).then_some(())
    }

    /// Whether there is a subscription with this topic.
    pub(in crate::protocol) fn has(&self, topic: &[u8]) -> bool {
        self.0.find(topic).is_some_and(|node| self.0[node] > 0)
    }

    /// All topics. `None` in place of one for which there is no memory.
    pub(in crate::protocol) fn topics(&self) -> impl Iterator<Item = Option<Vec<u8>>> {
        self.0.prefixes()
    }

    /// Sets an option, as [`Protocol::set_option`]. Returns [`ADD`] or [`REMOVE`] and the topic, if the topics have changed.
    pub(in crate::protocol) fn set<'a>(
        &mut self,
        name: i32,
        setting: Setting<'a>,
    ) -> Result<Option<(u8, &'a [u8])>, Error> {
        match (name, setting) {
            (SUBSCRIBE, Setting::Bytes(topic)) => {
                let is_new = self.0.subscribe(topic).ok_or(Error::OutOfMemory)?;
                Ok(is_new.then_some((ADD, topic)))
            }
            // As in libnanomsg, it is no error if there was no such subscription.
            (UNSUBSCRIBE, Setting::Bytes(topic)) => {
                Ok((self.0.unsubscribe(topic) == Some(true)).then_some((REMOVE, topic)))
            }
            _ => Err(Error::UnknownOption),
        }
    }
}

/// The filtering pipes of a SUB socket, each with the changes of the topics that were not sent on it yet.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Upstream {
    pipes: BTreeMap<PipeId, Changes>,
    filters: bool,
}

impl Upstream {
    /// Adds a pipe, whose publisher is to get these topics.
    pub(in crate::protocol) fn attach(
        &mut self,
        pipe: PipeId,
        topics: impl Iterator<Item = Option<Vec<u8>>>,
    ) {
        let mut changes = Changes::default();
        topics.for_each(|topic| changes.append(ADD, topic.as_deref()));
        self.pipes.insert(pipe, changes);
    }

    /// Removes a pipe, if it is there.
    pub(in crate::protocol) fn remove(&mut self, pipe: PipeId) {
        self.pipes.remove(&pipe);
    }

    /// Sends the changes for a pipe that has room, if it is there.
    pub(in crate::protocol) fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        if let Some(changes) = self.pipes.get_mut(&pipe) {
            changes.is_open = true;
            changes.send(pipe, context);
        }
    }

    /// Appends a change for all pipes, to be sent by [`Upstream::send`]. `None` if there is no memory for the topic.
    pub(in crate::protocol) fn append(&mut self, change: u8, topic: Option<&[u8]>) {
        self.pipes.values_mut().for_each(|changes| changes.append(change, topic));
    }

    /// Sends as many changes as there is room for.
    pub(in crate::protocol) fn send(&mut self, context: &mut impl Context) {
        self.pipes.iter_mut().for_each(|(pipe, changes)| changes.send(*pipe, context));
    }

    /// Whether there is no pipe.
    pub(in crate::protocol) fn is_empty(&self) -> bool {
        self.pipes.is_empty()
    }

    /// Whether pipes that are attached later may be filtering: the value of [`FILTER`].
    pub(in crate::protocol) fn filters(&self) -> bool {
        self.filters
    }

    /// Sets [`FILTER`].
    pub(in crate::protocol) fn set(&mut self, setting: Setting<'_>) -> Result<(), Error> {
        self.filters = flag(setting)?;
        Ok(())
    }
}

/// Changes to be sent on a filtering pipe.
#[derive(Debug, Default)]
struct Changes {
    /// [`ADD`] or [`REMOVE`], and the topic. Empty once everything is to be asked for.
    queue: VecDeque<(u8, Chunk)>,
    /// The bytes of all topics in the queue.
    bytes: usize,
    everything: Everything,
    /// There was a `writable` of the pipe. Nothing is sent before.
    is_open: bool,
}

/// Whether a publisher is asked for everything, because there were too many changes. Then it gets no more of them.
#[derive(Debug, Default, PartialEq, Eq)]
enum Everything {
    #[default]
    NotNeeded,
    ToBeAskedFor,
    AskedFor,
}

impl Changes {
    /// Appends a change. If there are too many, or if there is no memory for the topic, which then is `None`, everything is asked
    /// for instead.
    fn append(&mut self, change: u8, topic: Option<&[u8]>) {
        if self.everything != Everything::NotNeeded {
            return;
        }
        let is_room =
            |topic: &&[u8]| self.queue.len() < MAX_TOPICS && self.bytes + topic.len() <= MAX_TOPIC_BYTES;
        let topic = topic.filter(is_room).and_then(Chunk::copy_of);
        match topic {
            Some(topic) if self.queue.try_reserve(1).is_ok() => {
                self.bytes += topic.len();
                self.queue.push_back((change, topic));
            }
            _ => {
                self.queue = VecDeque::new();
                self.everything = Everything::ToBeAskedFor;
            }
        }
    }

    /// Sends as many as there is room for.
    fn send(&mut self, pipe: PipeId, context: &mut impl Context) {
        if !self.is_open {
            return;
        }
        while let Some((change, topic)) = self.queue.front() {
            let mut body = match topic.len() {
                ..=INLINE_MAX => Payload::Borrowed(topic),
                _ => Payload::Owned(topic.clone()),
            };
            if context.push(pipe, &[*change], &mut body) == PushOutcome::Full {
                return;
            }
            self.bytes -= topic.len();
            self.queue.pop_front();
        }
        if self.everything == Everything::ToBeAskedFor
            && context.push(pipe, &[ADD], &mut Payload::Borrowed(&[])) == PushOutcome::Taken
        {
            self.everything = Everything::AskedFor;
        }
    }
}

impl Subscriber {
    pub fn new() -> Subscriber {
        Subscriber {
            publishers: FairQueue::new(),
            subscriptions: Subscriptions::new(),
            upstream: Upstream::default(),
        }
    }

    /// What the machine of a socket with contexts takes over.
    pub(in crate::protocol) fn into_parts(self) -> (FairQueue, Subscriptions, Upstream) {
        (self.publishers, self.subscriptions, self.upstream)
    }
}

impl Protocol for Subscriber {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.publishers.insert(pipe, options.receive_priority)?;
        if options.is_filtering {
            self.upstream.attach(pipe, self.subscriptions.topics());
        }
        Ok(())
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.upstream.remove(pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.upstream.remove(pipe);
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.publishers.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.upstream.writable(pipe, context);
    }

    fn send(&mut self, _message: &mut Outgoing<'_>, _context: &mut impl Context) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let found = self.publishers.take(context, |front| self.subscriptions.accept(front));
        let (pipe, ()) = found.ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, 0))
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.publishers.find(context, |front| self.subscriptions.accept(front)).is_some()
    }

    fn wants(&self, message: Front<'_>) -> bool {
        self.subscriptions.accept(message).is_some()
    }

    fn filters(&self) -> bool {
        self.upstream.filters()
    }

    /// Subscriptions are sent as soon as there is a pipe or room, also while the program makes no call.
    fn is_busy(&self) -> bool {
        self.upstream.filters() || !self.upstream.is_empty()
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        context: &mut impl Context,
    ) -> Result<(), Error> {
        if name == FILTER {
            return self.upstream.set(setting);
        }
        if let Some((change, topic)) = self.subscriptions.set(name, setting)? {
            self.upstream.append(change, Some(topic));
            self.upstream.send(context);
        }
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == FILTER { Ok(self.upstream.filters().into()) } else { Err(Error::UnknownOption) }
    }
}
