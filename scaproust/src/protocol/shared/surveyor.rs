//! SURVEYOR with contexts. Each conversation has a survey of its own; responses go to its mailbox.

use std::collections::BTreeSet;

use super::{Changed, Place, Questions, Sharing};
use crate::error::Error;
use crate::message::Outgoing;
use crate::option::{Setting, time_limit};
use crate::protocol::backtrace::WORD;
use crate::protocol::slab::Slab;
use crate::protocol::survey::{RawSurveyor, SURVEY_DEADLINE, Survey, Surveyor};
use crate::protocol::{
    Context, Delivery, Machine, PipeId, PipeOptions, PipeRefused, Protocol, Refusal, Time,
};

/// The machine of a SURVEYOR socket with contexts.
#[derive(Debug)]
pub struct SharedSurveyor {
    raw: RawSurveyor,
    /// The open surveys.
    questions: Questions,
    conversations: Slab<Conversation>,
    selected: Place,
    /// The places that have got a response since the socket layer has asked.
    changed: BTreeSet<Place>,
    /// The places whose survey has expired since then.
    ended: BTreeSet<Place>,
}

#[derive(Debug)]
struct Conversation {
    survey: Survey,
    /// The word that identifies the last survey.
    word: u32,
    /// In milliseconds, as that of a plain machine.
    deadline: i32,
    mailbox: PipeId,
}

impl SharedSurveyor {
    pub(super) fn new(machine: Surveyor, mailbox: PipeId) -> SharedSurveyor {
        let (raw, survey, last, deadline) = machine.into_parts();
        let mut shared = SharedSurveyor {
            raw,
            questions: Questions::new(last),
            conversations: Slab::new(),
            selected: super::OWN,
            changed: BTreeSet::new(),
            ended: BTreeSet::new(),
        };
        let place = shared.conversations.insert(Conversation { survey, word: last, deadline, mailbox });
        if survey.is_open() {
            shared.questions.adopt(last, place);
            shared.questions.set_deadline(place, None, survey.until());
        }
        shared
    }

    /// Moves all responses to their mailboxes. A mailbox that is full misses the response.
    fn route(&mut self, context: &mut impl Context) {
        loop {
            let questions = &self.questions;
            let Some((pipe, place)) = self.raw.take_reply(|word| questions.place(word), context) else {
                return;
            };
            if context.copy_front(pipe, self.conversations[place].mailbox) {
                self.changed.insert(place);
            }
            if !context.remove_front(pipe) {
                return;
            }
        }
    }

    /// Ends the survey of a place because its deadline has passed.
    fn expire(&mut self, place: Place, survey: Survey) {
        self.end(place, survey);
        self.ended.insert(place);
    }

    /// Ends the survey of a place, if it has an open one.
    fn end(&mut self, place: Place, survey: Survey) {
        let conversation = &mut self.conversations[place];
        self.questions.set_deadline(place, conversation.survey.until(), None);
        self.questions.close(conversation.word, place);
        conversation.survey = survey;
    }
}

impl Sharing for SharedSurveyor {
    fn try_reserve(&mut self) -> Option<()> {
        self.conversations.try_reserve()
    }

    fn add(&mut self, machine: Machine, mailbox: PipeId) -> Option<Place> {
        let Machine::Surveyor(machine) = machine else { return None };
        let (_, survey, _, deadline) = machine.into_parts();
        let place = self.conversations.insert(Conversation { survey, word: 0, deadline, mailbox });
        if survey.is_open() {
            self.conversations[place].word = self.questions.open(place);
            self.questions.set_deadline(place, None, survey.until());
        }
        Some(place)
    }

    fn remove(&mut self, place: Place) {
        self.end(place, Survey::None);
        self.changed.remove(&place);
        self.ended.remove(&place);
        let mailbox = self.conversations[place].mailbox;
        let vacant = Conversation { survey: Survey::None, word: 0, deadline: 0, mailbox };
        self.conversations.remove(place, vacant);
    }

    fn select(&mut self, place: Place) {
        self.selected = place;
    }

    fn next_changed(&mut self) -> Option<Changed> {
        let ended = self.ended.pop_first().map(|place| Changed { place, has_ended: true });
        ended.or_else(|| self.changed.pop_first().map(Changed::message))
    }
}

impl Protocol for SharedSurveyor {
    fn attach(&mut self, pipe: PipeId, options: PipeOptions) -> Result<(), PipeRefused> {
        self.raw.attach(pipe, options)
    }

    fn closing(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.closing(pipe, context);
        // There may be messages in the lane, without a call to `readable` so far.
        self.readable(pipe, context);
    }

    fn detach(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.detach(pipe, context);
    }

    fn readable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.readable(pipe, context);
        self.route(context);
    }

    fn writable(&mut self, pipe: PipeId, context: &mut impl Context) {
        self.raw.writable(pipe, context);
    }

    /// Begins a survey, and never blocks. An earlier survey of the conversation ends, without an error.
    fn send(&mut self, message: &mut Outgoing<'_>, context: &mut impl Context) -> Result<(), Refusal> {
        if !message.header.is_empty() {
            return Err(Refusal::InvalidArgument);
        }
        let place = self.selected;
        self.end(place, Survey::None);
        context.clear(self.conversations[place].mailbox);
        let word = self.questions.open(place);
        self.raw.send_to_all(&word.to_be_bytes(), &mut message.body, context);
        let conversation = &mut self.conversations[place];
        let until = time_limit(conversation.deadline).and_then(|time| context.now().checked_add(time));
        conversation.word = word;
        conversation.survey = Survey::Open { until };
        self.questions.set_deadline(place, None, until);
        Ok(())
    }

    /// Receives a response. Returns once that a survey has expired; after that there is no survey.
    fn recv(&mut self, context: &mut impl Context) -> Result<Delivery, Refusal> {
        self.route(context);
        let place = self.selected;
        let Conversation { survey, mailbox, .. } = self.conversations[place];
        match survey {
            Survey::None => Err(Refusal::WrongState),
            Survey::Expired => {
                self.end(place, Survey::None);
                Err(Refusal::TimedOut)
            }
            Survey::Open { .. } if context.front(mailbox).is_some() => Ok(Delivery::plain(mailbox, WORD)),
            // The deadline may pass just before `timeout` is called.
            Survey::Open { .. } if survey.is_due(context.now()) => {
                self.expire(place, Survey::None);
                Err(Refusal::TimedOut)
            }
            Survey::Open { .. } => Err(Refusal::WouldBlock),
        }
    }

    fn can_send(&mut self, _context: &mut impl Context) -> bool {
        true
    }

    /// Also true when `recv` would return that there is no survey, or that it has expired.
    fn can_recv(&mut self, context: &mut impl Context) -> bool {
        self.route(context);
        let Conversation { survey, mailbox, .. } = self.conversations[self.selected];
        !survey.is_open() || context.front(mailbox).is_some() || survey.is_due(context.now())
    }

    fn deadline(&self) -> Option<Time> {
        self.questions.deadline()
    }

    fn timeout(&mut self, context: &mut impl Context) {
        while let Some(place) = self.questions.take_due(context.now()) {
            self.expire(place, Survey::Expired);
            context.clear(self.conversations[place].mailbox);
        }
        self.route(context);
    }

    fn give_up(&mut self, context: &mut impl Context) {
        self.end(self.selected, Survey::None);
        context.clear(self.conversations[self.selected].mailbox);
        self.route(context);
    }

    fn set_option(
        &mut self,
        name: i32,
        setting: Setting<'_>,
        _context: &mut impl Context,
    ) -> Result<(), Error> {
        let (SURVEY_DEADLINE, Setting::Int(milliseconds)) = (name, setting) else {
            return Err(Error::UnknownOption);
        };
        self.conversations[self.selected].deadline = milliseconds;
        Ok(())
    }

    fn option(&self, name: i32) -> Result<i32, Error> {
        let deadline = self.conversations[self.selected].deadline;
        if name == SURVEY_DEADLINE { Ok(deadline) } else { Err(Error::UnknownOption) }
    }

    fn missed_by(&self, pipe: PipeId) -> u64 {
        self.raw.missed_by(pipe)
    }
}
