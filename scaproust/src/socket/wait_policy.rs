//! Whether a call may block, for how long, and how it waits.

use std::cell::Cell;
use std::time::Duration;

use super::core::Core;
use crate::error::Error;
use crate::option::SocketOption;
use crate::sync::{WaitKind, now};

/// How long a call that does not wait may take to drop unwanted messages.
pub(super) const DROP_TIME: Duration = Duration::from_millis(5);

/// After a thread has sent a message to an idle peer, this many of its waits count as waits for a reply.
const MAX_EXPECTED_REPLIES: u8 = 8;

/// How long a call may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// Not at all.
    None,
    /// For the timeout in the socket's option.
    Option,
    /// Until this moment.
    Until(Duration),
}

impl Wait {
    /// As the flag `NN_DONTWAIT` says.
    #[inline]
    pub(super) fn unless(dont_wait: bool) -> Wait {
        if dont_wait { Wait::None } else { Wait::Option }
    }

    /// Whether the call does not wait.
    #[inline]
    pub(super) fn is_none(self) -> bool {
        matches!(self, Wait::None)
    }
}

/// Whether and how long a call may block.
#[derive(Clone, Copy)]
pub(crate) struct WaitPolicy {
    pub(super) dont_wait: bool,
    /// The moment until which the call waits, if that is not the timeout of the option.
    until: Option<Duration>,
    /// The option that holds the timeout.
    option: SocketOption,
    /// The value of that option, if the call is one of a context.
    timeout_of_context: Option<Option<Duration>>,
    /// Set when the first try fails, unless there is no timeout.
    pub(super) deadline: Option<Duration>,
    /// Whether a try has failed.
    pub(super) is_blocked: bool,
    /// A call that does not wait has already tried to read from the connections directly.
    has_fetched: bool,
    /// `prefers_batches`, unless this thread or a peer may be waiting for a reply. `expects_no_reply`, if this
    /// is a wait for a message and the thread has not lately sent something to an idle peer through any
    /// socket.
    pub(super) wait: WaitKind,
}

thread_local! {
    /// How many more waits of the thread count as waits for replies of idle peers.
    static EXPECTED_REPLIES: Cell<u8> = const { Cell::new(0) };
}

impl WaitPolicy {
    pub(super) fn new(wait: Wait, option: SocketOption) -> WaitPolicy {
        WaitPolicy {
            dont_wait: wait.is_none(),
            until: if let Wait::Until(moment) = wait { Some(moment) } else { None },
            option,
            timeout_of_context: None,
            deadline: None,
            is_blocked: false,
            has_fetched: false,
            wait: WaitKind { prefers_batches: true, expects_no_reply: false },
        }
    }

    /// The policy of a call of a context. `timeout` is the context's value of the option.
    pub(super) fn of_context(wait: Wait, option: SocketOption, timeout: Option<Duration>) -> WaitPolicy {
        WaitPolicy { timeout_of_context: Some(timeout), ..WaitPolicy::new(wait, option) }
    }

    /// Decides whether the call goes on after a failed try. A call that waits does so until the timeout of
    /// its option. One that does not wait tries again if the protocol has hit the drop limit, or once if it
    /// can read from connections directly, or messages of the thread may gather.
    pub(super) fn after_failed_try(
        &mut self,
        hit_drop_limit: bool,
        core: &Core,
        can_fetch: bool,
    ) -> Result<(), Error> {
        if self.dont_wait && !hit_drop_limit && (self.has_fetched || !can_fetch) {
            return Err(Error::WouldBlock);
        }
        if !self.is_blocked {
            self.is_blocked = true;
            let timeout = || self.timeout_of_context.unwrap_or_else(|| core.options.timeout(self.option));
            let time = if self.dont_wait { Some(DROP_TIME) } else { timeout() };
            self.deadline = self.until.or_else(|| time.map(|time| now().saturating_add(time)));
        }
        self.has_fetched |= self.dont_wait && !hit_drop_limit;
        Ok(())
    }
}

/// Notes that the thread has sent something to an idle peer.
#[inline]
pub(super) fn expect_replies() {
    _ = EXPECTED_REPLIES.try_with(|left| left.set(MAX_EXPECTED_REPLIES));
}

/// Counts a wait of the thread. Returns whether it may be for a reply of an idle peer.
pub(super) fn count_expected_reply() -> bool {
    let left = EXPECTED_REPLIES.try_with(|left| left.replace(left.get().saturating_sub(1)));
    left.unwrap_or(MAX_EXPECTED_REPLIES) > 0
}
