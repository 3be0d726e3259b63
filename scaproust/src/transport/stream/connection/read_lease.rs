//! Reading that is lent to receivers.
//!
//! While it is lent, the I/O thread does not hear of bytes that come, so that none of them wakes
//! it. It stays lent between two calls of a receiver that comes again soon. One that stays away
//! for [`KEEP`] loses it: at any time that it is lent, somebody who has borrowed it is inside, or
//! a timer is set.

use std::sync::Arc;
use std::time::Duration;

use super::timers::Purpose;
use super::{Connection, nanoseconds, nanoseconds_of};
use crate::pipe::DirectRead;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Descriptor, Mutex, lock};
use crate::transport::stream::platform::descriptor;

/// How long reading stays lent when nobody borrows it again, in nanoseconds.
const KEEP: u64 = 2_000_000;

/// Who reads.
#[derive(Default)]
pub(super) struct ReadLease {
    /// Reading is lent. Changed under `switch`, with what the poller was told.
    is_lent: AtomicBool,
    switch: Mutex<()>,
    /// Receivers that have borrowed it and not given it back.
    inside: AtomicU32,
    /// When it was given back last, in nanoseconds of the monotonic clock.
    last: AtomicU64,
    /// The moment of the timer at which the lease may end; 0 when none is set.
    due: AtomicU64,
}

/// What is to be done about a lease whose timer has come.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: a timer is still to come, or who is inside will set one.
    Stays,
    /// The lease may end at this moment, and not before.
    Until(u64),
    /// Nobody was there lately.
    Ends,
}

impl ReadLease {
    fn is_lent(&self) -> bool {
        self.is_lent.load(Ordering::SeqCst)
    }

    /// Counts a borrower in, if the reading is lent or `lend` can lend it.
    fn enter(&self, lend: impl FnOnce() -> bool) -> bool {
        // Counted first, so that the lease does not end now.
        self.inside.fetch_add(1, Ordering::SeqCst);
        let is_borrowed = self.is_lent() || lend();
        if !is_borrowed {
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
        is_borrowed
    }

    /// Counts a borrower out at `now`. Answers for when a timer is to be set, if that is to be done.
    fn leave(&self, now: u64) -> Option<u64> {
        self.last.store(now, Ordering::Relaxed);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.claim_timer(now + KEEP)
    }

    /// The right to set a timer for `moment`; there is none when one is set already.
    fn claim_timer(&self, moment: u64) -> Option<u64> {
        let claimed = self.due.compare_exchange(0, moment, Ordering::SeqCst, Ordering::SeqCst);
        claimed.is_ok().then_some(moment)
    }

    /// Whether the lease ends, when a timer has come at `now`.
    fn judge(&self, now: u64) -> Verdict {
        let due = self.due.load(Ordering::SeqCst);
        if due == 0 || due > now {
            return Verdict::Stays;
        }
        // Before the look at who is inside: who leaves after that look sets a timer again.
        self.due.store(0, Ordering::SeqCst);
        if self.inside.load(Ordering::SeqCst) > 0 {
            return Verdict::Stays;
        }
        let end = self.last.load(Ordering::Relaxed) + KEEP;
        if end > now { Verdict::Until(end) } else { Verdict::Ends }
    }

    /// Lends, or takes back, if `tell` can tell the poller so. Answers whether that went well.
    fn switch(&self, is_lent: bool, tell: impl FnOnce() -> bool) -> bool {
        let _switch = lock(&self.switch);
        if self.is_lent() == is_lent {
            return true;
        }
        let is_told = tell();
        if is_told {
            self.is_lent.store(is_lent, Ordering::SeqCst);
        }
        is_told
    }
}

impl Connection {
    /// Whether reading is lent.
    pub(super) fn is_borrowed(&self) -> bool {
        self.lease.is_lent()
    }

    /// Ends the lease if its timer has come and nobody was there lately.
    pub(super) fn end_loan(self: &Arc<Self>, now: Duration) {
        match self.lease.judge(nanoseconds_of(now)) {
            Verdict::Stays => {}
            Verdict::Until(moment) => self.check_lease(self.lease.claim_timer(moment)),
            Verdict::Ends => {
                self.switch(false);
            }
        }
    }

    /// Has `end_loan` called at this moment.
    fn check_lease(self: &Arc<Self>, moment: Option<u64>) {
        if let Some(moment) = moment {
            self.set_timer(Purpose::ReadLease, Duration::from_nanos(moment));
        }
    }

    /// Lends the reading, or takes it back, and tells the poller so. Answers whether that went well.
    pub(super) fn switch(&self, is_lent: bool) -> bool {
        self.lease.switch(is_lent, || {
            // Fails when the connection has ended. What came meanwhile is reported at once.
            self.tell(|told| told.bytes = !is_lent)
        })
    }
}

impl DirectRead for Connection {
    fn acquire(self: Arc<Self>) -> Option<Descriptor> {
        let descriptor = descriptor(&self.stream)?;
        self.lease.enter(|| self.switch(true)).then_some(descriptor)
    }

    fn fetch(self: Arc<Self>) {
        self.receive();
    }

    fn fetch_if_acquired(self: Arc<Self>) -> bool {
        let is_borrowed = self.is_borrowed();
        if is_borrowed {
            self.lease.last.store(nanoseconds(), Ordering::Relaxed);
            self.receive();
        }
        is_borrowed
    }

    fn release(self: Arc<Self>) {
        self.check_lease(self.lease.leave(nanoseconds()));
    }

    fn revoke(self: Arc<Self>) {
        self.switch(false);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    /// A timer comes at `now`.
    fn timer(lease: &ReadLease, now: u64) {
        match lease.judge(now) {
            Verdict::Stays => {}
            Verdict::Until(moment) => {
                // Set by us, or by a borrower who has left meanwhile.
                lease.claim_timer(moment);
            }
            Verdict::Ends => assert!(lease.switch(false, || true)),
        }
    }

    fn visit(lease: &ReadLease, now: u64) {
        assert!(lease.enter(|| lease.switch(true, || true)));
        // Set by the caller, from the answer, or set already.
        lease.leave(now);
    }

    /// The last one who looks at it leaves a timer behind, or takes it back.
    #[test]
    fn loom_a_loan_outlives_neither_its_borrowers_nor_its_timer() {
        for now in [KEEP, 2 * KEEP] {
            loom::model(move || {
                let lease = loom::sync::Arc::new(ReadLease::default());
                visit(&lease, 0);
                let twin = lease.clone();
                let borrower = loom::thread::spawn(move || visit(&twin, KEEP));
                timer(&lease, now);
                borrower.join().unwrap();
                assert_eq!(lease.inside.load(Ordering::SeqCst), 0);
                assert!(!lease.is_lent() || lease.due.load(Ordering::SeqCst) != 0);
            });
        }
    }

    #[test]
    fn loom_two_borrowers_and_a_timer() {
        loom::model(|| {
            let lease = loom::sync::Arc::new(ReadLease::default());
            let borrowers = [0, 1].map(|now| {
                let twin = lease.clone();
                loom::thread::spawn(move || visit(&twin, now))
            });
            timer(&lease, KEEP);
            borrowers.into_iter().for_each(|borrower| borrower.join().unwrap());
            assert!(!lease.is_lent() || lease.due.load(Ordering::SeqCst) != 0);
        });
    }
}
