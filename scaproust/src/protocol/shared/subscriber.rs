//! SUB with contexts. Each conversation has subscriptions of its own; a message goes to the mailboxes of all
//! conversations that want it.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{Changed, Place, Sharing};
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::Setting;
use crate::protocol::policy::FairQueue;
use crate::protocol::pubsub::{ADD, FILTER, REMOVE, Subscriber, Subscriptions, Upstream};
use crate::protocol::slab::Slab;
use crate::protocol::{Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a SUB socket with contexts.
#[derive(Debug)]
pub struct SharedSubscriber {
    publishers: FairQueue,
    /// The publishers that filter get the topics of all conversations.
    upstream: Upstream,
    /// There are changes for them from a call without context.
    has_unsent: bool,
    conversations: Slab<Conversation>,
    selected: Place,
    /// The places that have got a message since the socket layer has asked.
    changed: BTreeSet<Place>,
}

#[derive(Debug)]
struct Conversation {
    subscriptions: Subscriptions,
    mailbox: PipeId,
}

impl SharedSubscriber {
    pub(super) fn new(machine: Subscriber, mailbox: PipeId) -> SharedSubscriber {
        let (publishers, subscriptions, upstream) = machine.into_parts();
        let mut conversations = Slab::new();
        let selected = conversations.insert(Conversation { subscriptions, mailbox });
        SharedSubscriber {
            publishers,
            upstream,
            has_unsent: false,
            conversations,
            selected,
            changed: BTreeSet::new(),
        }
    }

    /// Whether a conversation has a subscription with this topic, besides the one in this place.
    fn has_elsewhere(&self, place: Option<Place>, topic: &[u8]) -> bool {
        let mut others = self.conversations.iter().filter(|(other, _)| Some(*other) != place);
        others.any(|(_, conversation)| conversation.subscriptions.has(topic))
    }

    /// Appends a change for the publishers that filter, for each topic that no conversation has.
    fn append(&mut self, change: u8, subscriptions: &Subscriptions) {
        if self.upstream.is_empty() {
            return;
        }
        for topic in subscriptions.topics() {
            if !topic.as_ref().is_some_and(|topic| self.has_elsewhere(None, topic)) {
                self.upstream.append(change, topic.as_deref());
                self.has_unsent = true;
            }
        }
    }

    /// Copies each message to the mailboxes of all that want it. A mailbox that is full misses the message, as it
    /// would from a publisher.
    fn route(&mut self, context: &mut impl Context) {
        if std::mem::take(&mut self.has_unsent) {
            self.upstream.send(context);
        }
        loop {
            let conversations = &self.conversations;
            let wanted = self.publishers.take(context, |front| {
                let wants = |conversation: &Conversation| conversation.subscriptions.accept(front).is_some();
                let places: SmallVec<[Place; 8]> = conversations.indices(wants).collect();
                (!places.is_empty()).then_some(places)
            });
            let Some((pipe, places)) = wanted else { return };
            for place in places {
                if context.copy_front(pipe, self.conversations[place].mailbox) {
                    self.changed.insert(place);
                }
            }
            if !context.remove_front(pipe) {
                return;
            }
        }
    }
}

impl Sharing for SharedSubscriber {
    fn try_reserve(&mut self) -> Option<()> {
        self.conversations.try_reserve()
    }

    fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place> {
        let Machine::Subscriber(machine) = machine else { return None };
        let (_, subscriptions, _) = machine.into_parts();
        self.append(ADD, &subscriptions);
        Some(self.conversations.insert(Conversation { subscriptions, mailbox }))
    }

    fn remove(&mut self, place: Place) {
        self.changed.remove(&place);
        let mailbox = self.conversations[place].mailbox;
        let vacant = Conversation { subscriptions: Subscriptions::new(), mailbox };
        let removed = self.conversations.remove(place, vacant);
        self.append(REMOVE, &removed.subscriptions);
    }

    fn select(&mut self, place: Place) {
        self.selected = place;
    }

    fn next_changed(&mut self) -> Option<Changed> {
        self.changed.pop_first().map(Changed::message)
    }
}

impl Protocol for SharedSubscriber {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.publishers.insert(pipe, options.receive_priority)?;
        if options.is_filtering {
            let conversations = self.conversations.iter();
            self.upstream.attach(pipe, conversations.flat_map(|(_, it)| it.subscriptions.topics()));
        }
        Ok(())
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.upstream.remove(pipe);
        // There may be messages in the lane, without a call to `readable` so far.
        self.readable(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.upstream.remove(pipe);
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.publishers.readable(pipe);
        self.route(context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.upstream.writable(pipe, context);
    }

    fn send(&mut self, _message: &mut Outgoing<'_>, _context: &mut impl Context) -> Result<(), Refusal> {
        Err(Refusal::NotSupported)
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.route(context);
        let mailbox = self.conversations[self.selected].mailbox;
        let is_empty = context.front(mailbox).is_none();
        if is_empty { Err(Refusal::WouldBlock) } else { Ok(Delivery::plain(mailbox, 0)) }
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.route(context);
        context.front(self.conversations[self.selected].mailbox).is_some()
    }

    fn filters(&self) -> bool {
        self.upstream.filters()
    }

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
        let changed = self.conversations[self.selected].subscriptions.set(name, setting)?;
        if let Some((change, topic)) = changed
            && !self.has_elsewhere(Some(self.selected), topic)
        {
            self.upstream.append(change, Some(topic));
            self.upstream.send(context);
        }
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == FILTER { Ok(self.upstream.filters().into()) } else { Err(Error::UnknownOption) }
    }
}
