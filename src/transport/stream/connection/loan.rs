//! Reading that is lent to receivers.
//!
//! While it is lent, the I/O thread does not hear of bytes that come, so that none of them wakes
//! it. It stays lent between two calls of a receiver that comes again soon. One that stays away
//! for [`KEEP`] loses it: at any time that it is lent, somebody who has borrowed it is inside, or
//! a timer is set.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use mio::Interest;

use super::{Connection, nanoseconds, nanoseconds_of};
use crate::pipe::Remote;
use crate::sync::{Mutex, lock};

/// How long reading stays lent when nobody borrows it again, in nanoseconds.
const KEEP: u64 = 2_000_000;

/// Who reads.
#[derive(Default)]
pub(super) struct Loan {
    /// Reading is lent. Changed under `switch`, with what the poller was told.
    is_lent: AtomicBool,
    switch: Mutex<()>,
    /// Receivers that have borrowed it and not given it back.
    inside: AtomicU32,
    /// When it was given back last, in nanoseconds of the monotonic clock.
    last: AtomicU64,
    /// The moment of the timer at which the loan may end; 0 when none is set.
    due: AtomicU64,
}

impl Connection {
    /// Whether reading is lent.
    pub(super) fn is_borrowed(&self) -> bool {
        self.loan.is_lent.load(Ordering::SeqCst)
    }

    /// Ends the loan if its timer has come and nobody was there lately.
    pub(super) fn end_loan(self: &Arc<Self>, now: Duration) {
        let now = nanoseconds_of(now);
        let due = self.loan.due.load(Ordering::SeqCst);
        if due == 0 || due > now {
            return;
        }
        // Before the look at who is inside: who gives back after that look sets a timer again.
        self.loan.due.store(0, Ordering::SeqCst);
        if self.loan.inside.load(Ordering::SeqCst) > 0 {
            return;
        }
        let end = self.loan.last.load(Ordering::Relaxed) + KEEP;
        if end > now {
            self.look_at_loan(end)
        } else {
            self.switch(false);
        }
    }

    /// Has `end_loan` called at `moment`, or at the moment for which that is set already.
    fn look_at_loan(self: &Arc<Self>, moment: u64) {
        if self.loan.due.compare_exchange(0, moment, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.call_at(Duration::from_nanos(moment));
        }
    }

    /// Lends the reading, or takes it back, and tells the poller so. Answers whether that went well.
    pub(super) fn switch(&self, is_lent: bool) -> bool {
        let _switch = lock(&self.loan.switch);
        if self.loan.is_lent.load(Ordering::SeqCst) == is_lent {
            return true;
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = if is_lent { Interest::WRITABLE } else { both };
        let Some(token) = self.token.get() else { return false };
        // Fails when the connection has ended. What came meanwhile is reported at once.
        let is_told = self.reactor.change(self.stream.as_raw_fd(), *token, interest).is_ok();
        if is_told {
            self.loan.is_lent.store(is_lent, Ordering::SeqCst);
        }
        is_told
    }
}

impl Remote for Connection {
    fn borrow(self: Arc<Self>) -> Option<RawFd> {
        // Counted first, so that the loan does not end now.
        self.loan.inside.fetch_add(1, Ordering::SeqCst);
        if self.is_borrowed() || self.switch(true) {
            return Some(self.stream.as_raw_fd());
        }
        self.loan.inside.fetch_sub(1, Ordering::SeqCst);
        None
    }

    fn fetch(self: Arc<Self>) {
        self.receive();
    }

    fn fetch_if_borrowed(self: Arc<Self>) -> bool {
        let is_borrowed = self.is_borrowed();
        if is_borrowed {
            self.loan.last.store(nanoseconds(), Ordering::Relaxed);
            self.receive();
        }
        is_borrowed
    }

    fn give_back(self: Arc<Self>) {
        let now = nanoseconds();
        self.loan.last.store(now, Ordering::Relaxed);
        self.loan.inside.fetch_sub(1, Ordering::SeqCst);
        self.look_at_loan(now + KEEP);
    }

    fn recall(self: Arc<Self>) {
        self.switch(false);
    }
}
