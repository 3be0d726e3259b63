//! REQ with contexts. A reply leaves its pipe's lane for the mailbox of its conversation at once.

use std::collections::BTreeSet;

use super::waiting_line::{Ticket, WaitingLine};
use super::{Changed, Place, Questions, Sharing};
use crate::error::Error;
use crate::message::{Outgoing, Payload};
use crate::option::Setting;
use crate::protocol::backtrace::WORD;
use crate::protocol::reqrep::{RESEND_INTERVAL, RawRequester, Request, RequestState, Requester, resend_time};
use crate::protocol::slab::Slab;
use crate::protocol::{
    Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time,
};

/// The machine of a REQ socket with contexts.
#[derive(Debug)]
pub struct SharedRequester {
    raw: RawRequester,
    /// The requests without a reply. Their deadlines are the times of resending.
    questions: Questions,
    conversations: Slab<Conversation>,
    selected: Place,
    /// The places of delayed requests, in the order of sending.
    delayed: WaitingLine,
    /// The places whose replies have come since the socket layer has asked.
    changed: BTreeSet<Place>,
}

#[derive(Debug)]
struct Conversation {
    /// The request whose reply has not been received yet.
    request: Option<Request>,
    /// The word that identifies it.
    word: u32,
    /// In milliseconds, as that of a plain machine.
    resend_interval: i32,
    mailbox: PipeId,
    /// Its entry among the delayed requests.
    ticket: Option<Ticket>,
}

impl Conversation {
    fn new(request: Option<Request>, word: u32, resend_interval: i32, mailbox: PipeId) -> Conversation {
        Conversation { request, word, resend_interval, mailbox, ticket: None }
    }

    fn state(&self) -> Option<RequestState> {
        self.request.as_ref().map(|request| request.state)
    }

    /// When the request will be sent again.
    fn deadline(&self) -> Option<Time> {
        match self.state()? {
            RequestState::Sent { resend_at, .. } => resend_at,
            _ => None,
        }
    }
}

/// Tells whether a place has left an entry among the delayed requests.
fn has_left(conversations: &Slab<Conversation>) -> impl Fn(Place, Ticket) -> bool {
    |place, ticket| conversations[place].ticket != Some(ticket)
}

impl SharedRequester {
    pub(super) fn new(machine: Requester, mailbox: PipeId) -> SharedRequester {
        let (raw, request, last, resend_interval) = machine.into_parts();
        let mut shared = SharedRequester {
            raw,
            questions: Questions::new(last),
            conversations: Slab::new(),
            selected: super::OWN,
            delayed: WaitingLine::default(),
            changed: BTreeSet::new(),
        };
        let state = request.as_ref().map(|request| request.state);
        let place = shared.conversations.insert(Conversation::new(request, last, resend_interval, mailbox));
        match state {
            None => {}
            Some(RequestState::Delayed) => {
                shared.questions.adopt(last, place);
                shared.delay(place);
            }
            Some(RequestState::Sent { resend_at, .. }) => {
                shared.questions.adopt(last, place);
                shared.questions.set_deadline(place, None, resend_at);
            }
            // The reply is found again in its lane.
            Some(RequestState::Answered { pipe }) => {
                shared.questions.adopt(last, place);
                shared.set_state(place, RequestState::Sent { pipe, resend_at: None });
            }
        }
        shared
    }

    fn set_state(&mut self, place: Place, state: RequestState) {
        let conversation = &mut self.conversations[place];
        let old = conversation.deadline();
        if let Some(request) = &mut conversation.request {
            request.state = state;
        }
        self.questions.set_deadline(place, old, conversation.deadline());
    }

    /// Delays the request of a place, until a pipe has room.
    fn delay(&mut self, place: Place) {
        self.set_state(place, RequestState::Delayed);
        let ticket = &mut self.conversations[place].ticket;
        if ticket.is_none() {
            *ticket = Some(self.delayed.push(place));
        }
    }

    /// Delays the requests that were sent to this pipe.
    fn delay_sent_to(&mut self, lost: PipeId) {
        let is_lost = |conversation: &Conversation| matches!(conversation.state(), Some(RequestState::Sent { pipe, .. }) if pipe == lost);
        let places: Vec<Place> = self.conversations.indices(is_lost).collect();
        places.into_iter().for_each(|place| self.delay(place));
    }

    /// Moves all replies to their mailboxes, and sends the delayed requests. Called after every event.
    fn proceed(&mut self, context: &mut impl Context) {
        self.route(context);
        self.send_delayed(context);
    }

    fn route(&mut self, context: &mut impl Context) {
        loop {
            let questions = &self.questions;
            let Some((pipe, place)) = self.raw.take_reply(|word| questions.place(word), context) else {
                return;
            };
            let Conversation { mailbox, word, .. } = self.conversations[place];
            // Without memory for the reply, the request is sent again after its interval.
            if context.copy_front(pipe, mailbox) {
                self.questions.close(word, place);
                self.set_state(place, RequestState::Answered { pipe: mailbox });
                self.changed.insert(place);
            }
            if !context.remove_front(pipe) {
                return;
            }
        }
    }

    fn send_delayed(&mut self, context: &mut impl Context) {
        while let Some(place) = self.delayed.first(has_left(&self.conversations)) {
            let conversation = &mut self.conversations[place];
            if let Some(Request { body, metadata, state: RequestState::Delayed }) = &conversation.request {
                let mut copy = Payload::Owned(body.clone());
                context.send_with(*metadata);
                let header = conversation.word.to_be_bytes();
                let Some(pipe) = self.raw.send_to(&header, &mut copy, context) else { return };
                let resend_at = resend_time(context.now(), conversation.resend_interval);
                self.set_state(place, RequestState::Sent { pipe, resend_at });
            }
            self.conversations[place].ticket = None;
            self.delayed.pop();
        }
    }

    /// Forgets the request of a place, and its reply.
    fn cancel(&mut self, place: Place) {
        let conversation = &mut self.conversations[place];
        self.questions.set_deadline(place, conversation.deadline(), None);
        self.questions.close(conversation.word, place);
        conversation.request = None;
    }
}

impl Sharing for SharedRequester {
    fn try_reserve(&mut self) -> Option<()> {
        self.conversations.try_reserve()
    }

    fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place> {
        let Machine::Requester(machine) = machine else { return None };
        // A socket without pipes can have sent no request, but one may be delayed.
        let (_, request, _, resend_interval) = machine.into_parts();
        let is_delayed = request.is_some();
        let place = self.conversations.insert(Conversation::new(request, 0, resend_interval, mailbox));
        if is_delayed {
            self.conversations[place].word = self.questions.open(place);
            self.delay(place);
        }
        Some(place)
    }

    fn remove(&mut self, place: Place) {
        self.cancel(place);
        self.changed.remove(&place);
        let Conversation { mailbox, ticket, .. } = self.conversations[place];
        self.conversations.remove(place, Conversation::new(None, 0, 0, mailbox));
        if ticket.is_some() {
            self.delayed.leave(has_left(&self.conversations));
        }
    }

    fn select(&mut self, place: Place) {
        self.selected = place;
    }

    fn next_changed(&mut self) -> Option<Changed> {
        self.changed.pop_first().map(Changed::message)
    }
}

impl Protocol for SharedRequester {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
        // Replies may be in the lane already, without a call to `readable` so far.
        self.raw.readable(pipe, context);
        self.route(context);
        self.delay_sent_to(pipe);
        self.send_delayed(context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
        self.delay_sent_to(pipe);
        self.proceed(context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
        self.proceed(context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
        self.proceed(context);
    }

    /// Never blocks. An earlier request of the conversation that was not answered is forgotten.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        let request = Request::from(message)?;
        let place = self.selected;
        self.cancel(place);
        context.clear(self.conversations[place].mailbox);
        self.conversations[place].request = Some(request);
        self.conversations[place].word = self.questions.open(place);
        self.delay(place);
        self.proceed(context);
        Ok(())
    }

    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.proceed(context);
        let conversation = &mut self.conversations[self.selected];
        match conversation.state() {
            None => Err(Refusal::WrongState),
            Some(RequestState::Answered { pipe }) => {
                conversation.request = None;
                context.front(pipe);
                Ok(Delivery::plain(pipe, WORD))
            }
            Some(_) => Err(Refusal::WouldBlock),
        }
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.proceed(context);
        matches!(self.conversations[self.selected].state(), Some(RequestState::Answered { .. }))
    }

    fn send_priority(&mut self, context: &mut impl Context) -> Option<u8> {
        self.raw.send_priority(context)
    }

    fn is_busy(&self) -> bool {
        self.questions.are_open()
    }

    fn deadline(&self) -> Option<Time> {
        self.questions.deadline()
    }

    fn timeout(&mut self, context: &mut impl Context) {
        while let Some(place) = self.questions.take_due(context.now()) {
            self.delay(place);
        }
        self.proceed(context);
    }

    fn give_up(&mut self, context: &mut impl Context) {
        self.cancel(self.selected);
        context.clear(self.conversations[self.selected].mailbox);
        self.proceed(context);
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        _context: &mut impl Context,
    ) -> Result<(), Error> {
        let (RESEND_INTERVAL, Setting::Int(milliseconds)) = (name, setting) else {
            return Err(Error::UnknownOption);
        };
        self.conversations[self.selected].resend_interval = milliseconds;
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        let interval = self.conversations[self.selected].resend_interval;
        if name == RESEND_INTERVAL { Ok(interval) } else { Err(Error::UnknownOption) }
    }
}
