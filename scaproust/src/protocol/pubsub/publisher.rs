//! PUB.

use super::interests::Interests;
use super::{ADD, FILTER, REMOVE, flag};
use crate::error::Error;
use crate::message::{Chunk, Front, Outgoing};
use crate::option::Setting;
use crate::protocol::policy::Distributor;
use crate::protocol::{Context, Delivery, PipeId, PipeOptions, PipeRefused, Protocol, Refusal};

/// The machine of a PUB socket.
///
/// Sending never blocks: a subscriber without room misses the message. It reads from filtering pipes only.
#[derive(Debug)]
pub struct Publisher {
    /// The pipes that get everything.
    subscribers: Distributor,
    /// The filtering pipes.
    interests: Interests,
    /// Filtering pipes that may have further messages, of which no edge will come: the machine was stopped.
    unread: Vec<PipeId>,
    invalid_messages: u64,
    filters: bool,
}

impl Publisher {
    pub fn new() -> Publisher {
        Publisher {
            subscribers: Distributor::new(),
            interests: Interests::new(),
            unread: Vec::new(),
            invalid_messages: 0,
            filters: false,
        }
    }

    /// Reads the changes of a pipe's topics. Only a filtering pipe has messages.
    fn read(&mut self, pipe: PipeId, context: &mut impl Context) {
        while let Some(front) = context.front(pipe) {
            if self.change(pipe, front).is_none() {
                self.invalid_messages += 1;
            }
            if !context.drop_front(pipe) {
                self.unread.push(pipe);
                return;
            }
        }
    }

    /// Adds or removes a topic, as a message of the pipe says. `None` if the message is malformed.
    fn change(&mut self, pipe: PipeId, front: Front<'_>) -> Option<()> {
        let change = match front.bytes(0..).next()? {
            ADD => Interests::add,
            REMOVE => Interests::remove_topic,
            _ => return None,
        };
        match front.split(1) {
            (topic, []) | ([], topic) => change(&mut self.interests, pipe, topic),
            // Our own subscribers send no such message; the pipe gets everything if there is no memory for the topic.
            (one, two) => match Chunk::joined(one, two) {
                Some(topic) => change(&mut self.interests, pipe, &topic),
                None => self.interests.add(pipe, &[]),
            },
        }
        Some(())
    }
}

impl Protocol for Publisher {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        if options.is_filtering { self.interests.insert(pipe) } else { self.subscribers.insert(pipe) }
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.subscribers.remove(pipe);
        self.interests.remove(pipe);
        // The pipe ends when it is empty.
        self.read(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, _context: &mut impl Context) {
        self.subscribers.remove(pipe);
        self.interests.remove(pipe);
        self.unread.retain(|other| *other != pipe);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.read(pipe, context);
    }

    fn writable(&mut self, pipe: PipeId, _context: &mut impl Context) {
        if !self.interests.writable(pipe) {
            self.subscribers.writable(pipe);
        }
    }

    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !self.interests.is_empty() {
            let takes_body = !self.subscribers.has_active();
            self.interests.send(&message.header, &mut message.body, takes_body, context);
        }
        self.subscribers.send(&message.header, &mut message.body, None, context);
        Ok(())
    }

    fn recv(&mut self, _context: &mut impl Context) -> Result<Delivery, Refusal> {
        Err(Refusal::NotSupported)
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, _context: &mut impl Context) -> bool {
        false
    }

    fn invalid_messages(&self) -> u64 {
        self.invalid_messages
    }

    fn subscriptions(&self) -> u64 {
        self.interests.count() as u64
    }

    fn filters(&self) -> bool {
        self.filters
    }

    /// Subscriptions are read as they come, also while the program sends nothing.
    fn is_busy(&self) -> bool {
        self.filters || !self.interests.is_empty()
    }

    fn timeout(&mut self, context: &mut impl Context) {
        for pipe in std::mem::take(&mut self.unread) {
            self.read(pipe, context);
        }
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        _context: &mut impl Context,
    ) -> Result<(), Error> {
        match name {
            FILTER => self.filters = flag(setting)?,
            _ => return Err(Error::UnknownOption),
        }
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        if name == FILTER { Ok(self.filters.into()) } else { Err(Error::UnknownOption) }
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.interests.missed_by(pipe) + self.subscribers.missed_by(pipe)
    }
}
