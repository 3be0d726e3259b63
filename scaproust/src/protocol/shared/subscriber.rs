//! SUB with contexts. Each conversation has subscriptions of its own; a message goes to the mailboxes of all
//! conversations that want it.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::{Changed, Place, Sharing};
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::Setting;
use crate::protocol::policy::FairQueue;
use crate::protocol::pubsub::{Subscriber, Subscriptions};
use crate::protocol::slab::Slab;
use crate::protocol::{Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a SUB socket with contexts.
#[derive(Debug)]
pub struct SharedSubscriber {
    publishers: FairQueue,
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
        let (publishers, subscriptions) = machine.into_parts();
        let mut conversations = Slab::new();
        let selected = conversations.insert(Conversation { subscriptions, mailbox });
        SharedSubscriber { publishers, conversations, selected, changed: BTreeSet::new() }
    }

    /// Copies each message to the mailboxes of all that want it. A mailbox that is full misses the message, as it
    /// would from a publisher.
    fn route(&mut self, context: &mut impl Context) {
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
        let (_, subscriptions) = machine.into_parts();
        Some(self.conversations.insert(Conversation { subscriptions, mailbox }))
    }

    fn remove(&mut self, place: Place) {
        self.changed.remove(&place);
        let mailbox = self.conversations[place].mailbox;
        self.conversations.remove(place, Conversation { subscriptions: Subscriptions::new(), mailbox });
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
        self.publishers.insert(pipe, options.receive_priority)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        // There may be messages in the lane, without a call to `readable` so far.
        self.readable(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.publishers.remove(pipe);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.publishers.readable(pipe);
        self.route(context);
    }

    fn writable(&mut self, _pipe: PipeId, _context: &mut impl Context) {}

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

    fn set_option(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        self.conversations[self.selected].subscriptions.set(name, setting)
    }
}
