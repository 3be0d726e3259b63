//! The conversations of a REQ or SURVEYOR socket: each is a request with its reply, or a survey with its responses.
//!
//! The socket itself has the first conversation, so that a program which asks one question at a time needs nothing else, and
//! its receiver may read from the connections itself. The others are contexts of the socket. A context is opened when there is
//! no idle one, and stays open for later conversations until the socket is closed, unless [`MAX_IDLE`] others are idle.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use super::handle::Handle;
use super::into_message::IntoMessage;
use super::message::Message;
use super::tasks::ReceivingCall;
use super::transfer::after;
use crate::error::Error;
use crate::option::{Setting, SocketOption};
use crate::protocol::Time;
use crate::reactor;
use crate::socket::poll::{Watch, Watched, notify_polls};
use crate::socket::{self, SocketRef, Wait, give_up_at};
use crate::sync::{Mutex, OfProcess, lock, rank};

/// So many contexts of a socket are kept for later conversations. Each has one of the socket numbers of the process, which
/// after a burst of requests others may need.
const MAX_IDLE: usize = 1024;

/// The conversations of a socket, once it has had one.
#[derive(Default)]
pub(super) struct Conversations(OnceLock<Arc<Pool>>);

impl Conversations {
    /// Sends a request or a survey in a conversation that is not in use. Never blocks. `socket` and `option` are those of
    /// [`Conversations::begin`]. A signal ends a call that waits for a reply only if it `ends_by_signals`.
    ///
    /// # Errors
    /// Those of opening a context, and those of sending.
    pub(super) fn ask(
        &self,
        socket: &Handle,
        option: i32,
        ends_by_signals: bool,
        message: impl IntoMessage,
    ) -> Result<Conversation, Error> {
        let mut conversation = self.begin(socket, option, ends_by_signals)?;
        message.lend_once(|message| socket::send_at(conversation.socket(), message, Wait::None, false))?;
        conversation.is_open = true;
        Ok(conversation)
    }

    /// Takes a conversation that is not in use. `socket` is the socket that the conversations belong to, and `option` an
    /// option of its protocol that each of them must have.
    ///
    /// # Errors
    /// Those of opening a context.
    fn begin(&self, socket: &Handle, option: i32, ends_by_signals: bool) -> Result<Conversation, Error> {
        let pool = match self.0.get() {
            Some(pool) => pool,
            None => {
                // Not in a forked child, which would wait for a thread of its parent that has begun to make it.
                drop(socket.enter()?);
                self.0.get_or_init(|| Arc::new(Pool::new(socket.clone())))
            }
        };
        let conversation = |context| Conversation {
            call: None,
            ends_by_signals,
            pool: pool.clone(),
            context,
            is_open: false,
            watched: Watched::default(),
        };
        let idle = {
            let mut state = lock(pool.state.get().ok_or(Error::Closed)?);
            if !std::mem::replace(&mut state.is_own_in_use, true) {
                return Ok(conversation(None));
            }
            state.idle.pop()
        };
        let mut context = idle.map_or_else(|| OpenContext::new(socket), Ok)?;
        context.adopt(option, socket)?;
        Ok(conversation(Some(context)))
    }

    /// Closes the contexts: those in use when their conversations end.
    pub(super) fn close(&self) {
        let Some(state) = self.0.get().and_then(|pool| pool.state.get()) else { return };
        let idle = {
            let mut state = lock(state);
            state.is_closed = true;
            std::mem::take(&mut state.idle)
        };
        // Outside the lock.
        drop(idle);
    }
}

/// The conversations of a socket that are not in use.
struct Pool {
    socket: Handle,
    state: OfProcess<Mutex<Idle, rank::Conversations>>,
}

#[derive(Default)]
struct Idle {
    /// The socket's own conversation is in use.
    is_own_in_use: bool,
    /// The idle contexts. The last one was used last.
    idle: Vec<OpenContext>,
    /// The socket is closed.
    is_closed: bool,
}

impl Idle {
    /// Keeps a context for a later conversation. Returns those to be closed, without the lock: at most two, so that no
    /// conversation takes long to end.
    fn keep(&mut self, context: OpenContext) -> Vec<OpenContext> {
        self.idle.push(context);
        let surplus = self.idle.len().saturating_sub(MAX_IDLE).min(2);
        // There they would be closed in the background; the next conversation that ends elsewhere closes them.
        let closed = if reactor::is_io_thread() { 0 } else { surplus };
        self.idle.split_off(self.idle.len() - closed)
    }
}

impl Pool {
    fn new(socket: Handle) -> Pool {
        Pool { socket, state: OfProcess::new(Mutex::default()) }
    }
}

/// A context. Dropping it closes it.
struct OpenContext {
    handle: Handle,
    /// The value of the protocol's option, once it was set.
    option: Option<i32>,
}

impl OpenContext {
    fn new(socket: &Handle) -> Result<OpenContext, Error> {
        Ok(OpenContext { handle: socket.open_context()?, option: None })
    }

    /// Gives the context the value that its socket has.
    fn adopt(&mut self, option: i32, socket: &Handle) -> Result<(), Error> {
        let value = socket.enter()?.protocol_option(option)?;
        if self.option != Some(value) {
            self.handle.enter()?.set_protocol_option(option, Setting::Int(value))?;
            self.option = Some(value);
        }
        Ok(())
    }
}

impl Drop for OpenContext {
    fn drop(&mut self) {
        // An error means that `nn_term` has closed it.
        _ = self.handle.close();
    }
}

/// A conversation in use. Dropping it gives up what was asked, and returns the conversation to its socket.
pub(super) struct Conversation {
    /// Set while a task waits for what comes.
    call: Option<ReceivingCall<SocketRef>>,
    /// A signal ends a call that waits for what comes.
    ends_by_signals: bool,
    pool: Arc<Pool>,
    /// `None`: the conversation of the socket itself.
    context: Option<OpenContext>,
    /// Something was asked, and more may come.
    pub(super) is_open: bool,
    watched: Watched,
}

impl Conversation {
    /// The socket that the calls of this conversation are made at.
    #[inline]
    pub(super) fn socket(&self) -> &SocketRef {
        self.context.as_ref().map_or(&self.pool.socket, |context| &context.handle).socket()
    }

    /// The wait of a call that receives: at most the receive timeout of the socket.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(super) fn wait(&self) -> Result<Wait, Error> {
        if self.context.is_none() {
            return Ok(Wait::Option);
        }
        let timeout = self.pool.socket.enter()?.timeout(SocketOption::ReceiveTimeout);
        // A context has no timeout of its own.
        Ok(timeout.map_or(Wait::Option, after))
    }

    /// What pollers know of the conversation. `wait` is how long its value waits, if that has a time of its own.
    pub(super) fn watch(&self, wait: Option<Wait>) -> Arc<Watch> {
        self.watched.share(Some(if self.is_open { end_of(wait) } else { Some(Time::ZERO) }))
    }

    /// Tells pollers how long the value of the conversation waits from now on.
    pub(super) fn limit(&self, wait: Wait) {
        if self.is_open && self.watched.set_end(end_of(Some(wait))) {
            notify_polls(self.socket());
        }
    }

    /// Notes that nothing more comes.
    pub(super) fn end(&mut self) {
        self.is_open = false;
        if self.watched.set_end(Some(Time::ZERO)) {
            notify_polls(self.socket());
        }
    }

    /// Receives what comes. The errors inside are those of a message that has been received.
    ///
    /// # Errors
    /// Those of a call that receives.
    pub(super) fn receive(&mut self, wait: Wait) -> Result<Result<Message, Error>, Error> {
        self.call = None;
        let mut message = Message::new();
        let filled = socket::recv_at(self.socket(), wait, self.ends_by_signals, |received| {
            message.fill::<false>(received)
        })?;
        Ok(filled.map(|()| message))
    }

    /// As [`Conversation::receive`], in a task. `wait` may be another one at each poll for a message; `None` is that of the poll
    /// before, and [`Conversation::wait`] at the first.
    pub(super) fn poll(&mut self, wait: Option<Wait>, context: &Context<'_>) -> Poll<Result<Message, Error>> {
        if self.call.is_none() {
            let mut call = ReceivingCall::new(self.socket().clone(), false);
            call.set_wait(self.wait()?);
            self.call = Some(call);
        }
        let Some(call) = &mut self.call else { return Poll::Pending };
        wait.into_iter().for_each(|wait| call.set_wait(wait));
        let received = call.poll(context);
        if received.is_ready() {
            self.call = None;
        }
        received
    }

    /// Gives up what was asked, unless it is over.
    pub(super) fn give_up(&mut self) {
        if self.is_open {
            give_up_at(self.socket());
            self.end();
        }
    }
}

/// From when on a call with this wait does not block, whatever has come.
fn end_of(wait: Option<Wait>) -> Option<Time> {
    match wait {
        Some(Wait::Until(deadline)) => Some(deadline),
        _ => None,
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // Before the next conversation of the context begins.
        self.watched.leave();
        // The call is one of the conversation.
        self.call = None;
        self.give_up();
        let context = self.context.take();
        let Some(state) = self.pool.state.get() else { return };
        let mut state = lock(state);
        match context {
            None => state.is_own_in_use = false,
            Some(context) if !state.is_closed => {
                let surplus = state.keep(context);
                drop(state);
                drop(surplus);
            }
            Some(context) => {
                drop(state);
                drop(context);
            }
        }
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::Req;

    #[test]
    fn after_a_burst_a_bounded_number_of_contexts_is_kept() {
        let client = Req::new().unwrap();
        let burst = || (0..MAX_IDLE + 100).map(|_| client.request("unanswered").unwrap());
        let idle = || lock(client.conversations.0.get().unwrap().state.get().unwrap()).idle.len();
        for _ in 0..2 {
            let pending: Vec<_> = burst().collect();
            assert_eq!(idle(), 0);
            drop(pending);
            assert_eq!(idle(), MAX_IDLE);
        }
    }

    #[test]
    fn a_few_at_a_time_are_closed_of_too_many() {
        let client = Req::new().unwrap();
        let contexts = || OpenContext::new(&client.handle).unwrap();
        let mut state = Idle { idle: (0..MAX_IDLE + 8).map(|_| contexts()).collect(), ..Idle::default() };
        assert_eq!(state.keep(contexts()).len(), 2);
        assert_eq!((state.keep(contexts()).len(), state.idle.len()), (2, MAX_IDLE + 6));
    }
}
