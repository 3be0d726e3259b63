//! Whether a call may block, for how long, and how it looks for a change before it sleeps.

use std::cell::Cell;
use std::time::Duration;

use super::core::Core;
use crate::error::Error;
use crate::option::SocketOption;
use crate::sync::{Wait, now};

/// How long a call that does not wait may take to drop messages that nobody wants.
pub(super) const DROPPING: Duration = Duration::from_millis(5);

/// So many waits after a message was sent to an idle peer may be for its answers.
const MOST_ANSWERS: u8 = 8;

/// How long a call may block.
#[derive(Clone, Copy)]
pub(crate) struct WaitPolicy {
    pub(super) dont_wait: bool,
    /// The option that says how long.
    option: SocketOption,
    /// Once the call has found that it would block.
    pub(super) deadline: Option<Duration>,
    /// The call has found once that it would block.
    pub(super) is_blocked: bool,
    /// What a call that does not wait may fetch was fetched.
    has_fetched: bool,
    /// A wait gathers unless an answer may be awaited, by this thread or by a peer, and is paced unless the thread has sent
    /// something to an idle peer lately, by any socket.
    pub(super) wait: Wait,
}

thread_local! {
    /// So many more waits of the thread may be for answers to what it has sent to idle peers.
    static ANSWERS: Cell<u8> = const { Cell::new(0) };
}

impl WaitPolicy {
    pub(super) fn new(dont_wait: bool, option: SocketOption) -> WaitPolicy {
        let wait = Wait { gathers: true, is_paced: false };
        WaitPolicy { dont_wait, option, deadline: None, is_blocked: false, has_fetched: false, wait }
    }

    /// What to do about a try that was not enough: it is final, or the call blocks for as long as the
    /// options say. One that does not wait may try once more if it can fetch something, or if the
    /// protocol was cut short.
    pub(super) fn consider(&mut self, is_cut_short: bool, core: &Core, can_fetch: bool) -> Result<(), Error> {
        if self.dont_wait && !is_cut_short && (self.has_fetched || !can_fetch) {
            return Err(Error::WouldBlock);
        }
        if !self.is_blocked {
            self.is_blocked = true;
            let time = if self.dont_wait { Some(DROPPING) } else { core.options.timeout(self.option) };
            self.deadline = time.map(|time| now() + time);
        }
        self.has_fetched |= self.dont_wait && !is_cut_short;
        Ok(())
    }
}

/// The thread has sent something to an idle peer: waits may be for its answers.
#[inline]
pub(super) fn expect_answers() {
    _ = ANSWERS.try_with(|left| left.set(MOST_ANSWERS));
}

/// Whether a wait of the thread that begins now may be for such an answer.
pub(super) fn takes_expected_answer() -> bool {
    ANSWERS.try_with(|left| left.replace(left.get().saturating_sub(1))).unwrap_or(MOST_ANSWERS) > 0
}
