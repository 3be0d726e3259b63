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
    subscriptions: Trie<u32>,
    /// The filtering pipes, each with the changes of the topics that were not sent on it yet.
    upstream: BTreeMap<PipeId, Changes>,
    filters: bool,
}

/// Changes to be sent on a filtering pipe.
#[derive(Debug, Default)]
struct Changes {
    /// [`ADD`] or [`REMOVE`], and the topic. Empty once everything is to be asked for.
    queue: VecDeque<(u8, Chunk)>,
    /// The bytes of all topics in the queue.
    bytes: usize,
    everything: Everything,
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
    /// Those that make the topics of a new publisher the subscriptions.
    fn all_of(subscriptions: &Trie<u32>) -> Changes {
        let mut changes = Changes::default();
        for topic in subscriptions.prefixes() {
            changes.append(ADD, topic.as_deref());
        }
        changes
    }

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
            subscriptions: Trie::new(),
            upstream: BTreeMap::new(),
            filters: false,
        }
    }

    /// Sends a change to all publishers that filter.
    fn send_change(&mut self, change: u8, topic: &[u8], context: &mut impl Context) {
        for (pipe, changes) in &mut self.upstream {
            changes.append(change, Some(topic));
            changes.send(*pipe, context);
        }
    }
}

/// Accepts a message that matches a subscription.
fn subscribed(subscriptions: &Trie<u32>) -> impl Fn(Front<'_>) -> Option<()> {
    |front| subscriptions.matches([front.head, front.body]).then_some(())
}

impl Protocol for Subscriber {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.publishers.insert(pipe, options.receive_priority)?;
        if options.is_filtering {
            self.upstream.insert(pipe, Changes::all_of(&self.subscriptions));
        }
        Ok(())
    }

    fn closing(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.upstream.remove(&pipe);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.upstream.remove(&pipe);
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.publishers.readable(pipe);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        if let Some(changes) = self.upstream.get_mut(&pipe) {
            changes.send(pipe, context);
        }
    }

    fn send(&mut self, _message: &mut Outgoing<'_>, _context: &mut impl Context) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        let found = self.publishers.take(context, subscribed(&self.subscriptions));
        let (pipe, ()) = found.ok_or(Refusal::WouldBlock)?;
        Ok(Delivery::plain(pipe, 0))
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.publishers.find(context, subscribed(&self.subscriptions)).is_some()
    }

    fn filters(&self) -> bool {
        self.filters
    }

    /// Subscriptions are sent as soon as there is a pipe or room, also while the program makes no call.
    fn is_busy(&self) -> bool {
        self.filters || !self.upstream.is_empty()
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        context: &mut impl Context,
    ) -> Result<(), Error> {
        match (name, setting) {
            (SUBSCRIBE, Setting::Bytes(prefix)) => {
                if self.subscriptions.subscribe(prefix).ok_or(Error::OutOfMemory)? {
                    self.send_change(ADD, prefix, context);
                }
            }
            (UNSUBSCRIBE, Setting::Bytes(prefix)) => {
                // As in libnanomsg, it is no error if there was no such subscription.
                if self.subscriptions.unsubscribe(prefix) == Some(true) {
                    self.send_change(REMOVE, prefix, context);
                }
            }
            (FILTER, setting) => self.filters = flag(setting)?,
            _ => return Err(Error::UnknownOption),
        }
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == FILTER { Ok(self.filters.into()) } else { Err(Error::UnknownOption) }
    }
}
