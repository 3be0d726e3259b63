//! Surveys, each with its answers as a value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::any_socket::Protocol;
use super::conversation::Conversation;
use super::into_message::IntoMessage;
use super::message::Message;
use super::pattern::Surveys;
use super::socket::Socket;
use super::transfer::{after, until};
use crate::error::Error;
use crate::protocol::SURVEY_DEADLINE;
use crate::socket::Wait;

impl<P: Surveys> Socket<P> {
    /// Sends a survey to all peers. Never blocks: a peer that has no room misses it.
    ///
    /// Any number of surveys may be open at the same time, as with [`Socket::request`], and each gets its own answers, until
    /// [`Socket::survey_deadline`] has passed.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooManySockets`], [`Error::OutOfMemory`], and [`Error::NotSupported`] if an
    /// [`AnySocket`](crate::AnySocket) has another protocol.
    ///
    /// ```
    /// # use scaproust::{Error, Respondent, Surveyor};
    /// # use std::time::Duration;
    /// let (surveyor, respondents) = (Surveyor::new()?, [Respondent::new()?, Respondent::new()?]);
    /// surveyor.bind("inproc://doc/survey/answers")?;
    /// surveyor.set_survey_deadline(Some(Duration::from_millis(50)))?;
    /// for respondent in &respondents {
    ///     respondent.connect("inproc://doc/survey/answers")?;
    /// }
    /// let answers = surveyor.survey("who is there?")?;
    /// for respondent in &respondents {
    ///     let (survey, reply) = respondent.accept()?;
    ///     assert_eq!(survey, "who is there?");
    ///     reply.send("me")?;
    /// }
    /// assert!(answers.eq([Ok("me".into()), Ok("me".into())]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn survey(&self, message: impl IntoMessage) -> Result<Answers, Error> {
        self.check_protocol(|protocol| protocol == Protocol::Surveyor)?;
        let conversation =
            self.conversations.ask(&self.handle, SURVEY_DEADLINE, self.ends_by_signals(), message)?;
        Ok(Answers { wait: None, conversation })
    }
}

/// The answers to a survey, from [`Socket::survey`]: an iterator that blocks, or in a task
/// [`Answers::next_async`], and with the feature `futures` a stream.
///
/// It ends at the deadline of the survey or its [own](Answers::deadline), when no answer has come for
/// [`Socket::recv_timeout`], or when the socket is closed;
/// other errors are items. What has come but was not taken by the deadline is discarded. Dropping it ends the survey: answers
/// that come later are discarded too.
#[must_use = "a survey ends when its answers are dropped"]
pub struct Answers {
    /// How long to wait for each, unless it is the receive timeout of the socket.
    wait: Option<Wait>,
    conversation: Conversation,
}

impl Answers {
    /// Sets the moment at which the answers end, if the survey does not end before, whatever [`Socket::recv_timeout`] is.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.set_wait(until(deadline));
        self
    }

    /// Sets the time after which the answers end, from now on; as [`Answers::deadline`].
    ///
    /// ```
    /// # use scaproust::{Error, Surveyor};
    /// # use std::time::Duration;
    /// let surveyor = Surveyor::new()?;
    /// surveyor.set_survey_deadline(None)?;
    /// let mut answers = surveyor.survey("is anybody there?")?.timeout(Duration::from_millis(5));
    /// assert_eq!(answers.next(), None);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn timeout(mut self, time: Duration) -> Self {
        self.set_wait(after(time));
        self
    }

    /// The next answer, in a task; `None` after the last one.
    ///
    /// ```
    /// # use scaproust::{Error, Respondent, Surveyor};
    /// # use std::time::Duration;
    /// # let (surveyor, respondent) = (Surveyor::new()?, Respondent::new()?);
    /// # surveyor.bind("inproc://doc/survey/async")?;
    /// # surveyor.set_survey_deadline(Some(Duration::from_millis(50)))?;
    /// # respondent.connect("inproc://doc/survey/async")?;
    /// smol::block_on(async {
    ///     let mut answers = surveyor.survey("who is there?")?;
    ///     respondent.accept_async().await?.1.send("me")?;
    ///     while let Some(answer) = answers.next_async().await {
    ///         assert_eq!(answer?, "me");
    ///     }
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn next_async(&mut self) -> NextAnswer<'_> {
        NextAnswer { answers: self }
    }

    /// The answers as a stream.
    ///
    /// ```
    /// # use scaproust::{Error, Respondent, Surveyor};
    /// # use std::time::Duration;
    /// use futures_util::StreamExt;
    /// # let (surveyor, respondent) = (Surveyor::new()?, Respondent::new()?);
    /// # surveyor.bind("inproc://doc/survey/stream")?;
    /// # surveyor.set_survey_deadline(Some(Duration::from_millis(50)))?;
    /// # respondent.connect("inproc://doc/survey/stream")?;
    /// let answers = surveyor.survey("who is there?")?.into_stream();
    /// respondent.accept()?.1.send("me")?;
    /// let answers: Vec<_> = smol::block_on(answers.collect());
    /// assert_eq!(answers, [Ok("me".into())]);
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "futures")]
    pub fn into_stream(self) -> AnswerStream {
        AnswerStream(self)
    }

    /// The conversation of the survey.
    pub(super) fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// How long to wait for each, unless it is the receive timeout of the socket.
    pub(super) fn own_wait(&self) -> Option<Wait> {
        self.wait
    }

    fn set_wait(&mut self, wait: Wait) {
        self.wait = Some(wait);
        self.conversation.limit(wait);
    }

    /// The outcome of a call as an item: the errors with which a survey ends are none.
    fn item(&mut self, outcome: Result<Message, Error>) -> Option<Result<Message, Error>> {
        let ends =
            matches!(outcome, Err(Error::TimedOut | Error::WrongState | Error::Closed | Error::Terminated));
        if ends {
            self.conversation.give_up();
        }
        Some(outcome).filter(|_| !ends)
    }

    pub(super) fn poll_answer(&mut self, context: &Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if !self.conversation.is_open {
            return Poll::Ready(None);
        }
        self.conversation.poll(self.wait, context).map(|received| self.item(received))
    }

    fn receive(&mut self) -> Result<Message, Error> {
        let wait = self.wait.map_or_else(|| self.conversation.wait(), Ok)?;
        self.conversation.receive(wait)?
    }
}

impl Iterator for Answers {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Result<Message, Error>> {
        if !self.conversation.is_open {
            return None;
        }
        let received = self.receive();
        self.item(received)
    }
}

impl std::iter::FusedIterator for Answers {}

/// The answers to a survey as a stream; from [`Answers::into_stream`]. It ends, and may be dropped, as [`Answers`].
#[cfg(feature = "futures")]
#[must_use = "a survey ends when its answers are dropped"]
#[derive(Debug)]
pub struct AnswerStream(Answers);

#[cfg(feature = "futures")]
impl futures_core::Stream for AnswerStream {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_answer(context)
    }
}

/// The next answer to a survey; from [`Answers::next_async`].
///
/// Dropping it loses nothing: an answer that has come is the next one of its [`Answers`].
#[must_use = "a future does nothing unless it is polled"]
#[derive(Debug)]
pub struct NextAnswer<'a> {
    answers: &'a mut Answers,
}

impl Future for NextAnswer<'_> {
    type Output = Option<Result<Message, Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.answers.poll_answer(context)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("is_over", &!self.conversation.is_open).finish_non_exhaustive()
    }
}
