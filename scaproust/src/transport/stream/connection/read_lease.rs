//! The read lease: the right of receivers to read from a connection in place of the I/O thread.
//!
//! While it is held, the poller does not report bytes that come, so that they do not wake the I/O thread. It outlasts the
//! call of a receiver by [`LEASE_TIME`], so that the next call of a busy receiver finds it; then a timer ends it. A receiver
//! that seldom uses it ends it itself. A task holds no lease while it waits, since it may never be polled again: it reads from
//! connections that are *lent* to it, until it has not done so for that time. Invariant: while reading is leased, a receiver is counted in `holders`, or the timer is
//! set.

use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use super::timers::Purpose;
use crate::pipe::DirectRead;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crate::sync::{Descriptor, Mutex, lock, nanoseconds, now, rank};

/// How long reading stays leased after its last use, in nanoseconds.
const LEASE_TIME: u64 = 3_000_000;
/// A receiver whose uses are further apart than this, in nanoseconds, ends the lease each time: two changes of the poller's
/// interest cost less than waking the I/O thread twice, for a timer and by it. At twice this rate both cost the same.
const RARE_USE: u64 = LEASE_TIME / 2;

/// The state of a connection's read lease.
#[derive(Default)]
pub(super) struct ReadLease {
    /// Reading is leased, and the poller does not report bytes that come. Changed under `change`: set after the poller's
    /// interest has been removed, and cleared before it is restored, see [`ReadLease::set_leased`].
    is_leased: AtomicBool,
    change: Mutex<(), rank::ReadLease>,
    /// The number of receivers that have acquired the lease and not released it.
    holders: AtomicU32,
    /// When the lease was last used, in nanoseconds of the monotonic clock.
    last_use: AtomicU64,
    /// The moment of the timer, in the same unit; 0 if none is set.
    timer: AtomicU64,
}

/// What becomes of a lease when a timer has fired, or a holder has released it.
#[derive(Debug, PartialEq, Eq)]
enum LeaseCheck {
    /// It stays: another timer is set, or a holder will set one when it releases the lease.
    Stays,
    /// It stays until this moment at least, for which a timer is to be set.
    Until(u64),
    /// It has not been used for [`LEASE_TIME`].
    Ends,
}

impl ReadLease {
    fn is_leased(&self) -> bool {
        self.is_leased.load(Ordering::SeqCst)
    }

    /// Notes a use at `now`.
    fn note_use(&self, now: u64) {
        self.last_use.store(now, Ordering::Relaxed);
    }

    /// Counts a holder, if reading is leased or `begin` can begin the lease. Returns whether that is so.
    fn acquire(&self, begin: impl FnOnce() -> bool) -> bool {
        // Counted first, so that the lease does not end now.
        self.holders.fetch_add(1, Ordering::SeqCst);
        let is_acquired = self.is_leased() || begin();
        if !is_acquired {
            self.holders.fetch_sub(1, Ordering::SeqCst);
        }
        is_acquired
    }

    /// Ends the count of a holder at `now`.
    fn release(&self, now: u64) -> LeaseCheck {
        let last_use = self.last_use.swap(now, Ordering::Relaxed);
        self.holders.fetch_sub(1, Ordering::SeqCst);
        let is_rare = last_use + RARE_USE <= now;
        if is_rare && self.timer.load(Ordering::SeqCst) == 0 {
            LeaseCheck::Ends
        } else {
            LeaseCheck::Until(now + LEASE_TIME)
        }
    }

    /// Reserves the timer for `moment`, which the caller must set then. `None` if a timer is set already.
    fn claim_timer(&self, moment: u64) -> Option<u64> {
        let claimed = self.timer.compare_exchange(0, moment, Ordering::SeqCst, Ordering::SeqCst);
        claimed.is_ok().then_some(moment)
    }

    /// Whether the lease ends, when a timer of the connection has fired at `now`.
    fn check(&self, now: u64) -> LeaseCheck {
        let timer = self.timer.load(Ordering::SeqCst);
        if timer == 0 || timer > now {
            return LeaseCheck::Stays;
        }
        // Before `holders` is read: a holder that releases the lease after that read sets a timer again.
        self.timer.store(0, Ordering::SeqCst);
        if self.holders.load(Ordering::SeqCst) > 0 {
            return LeaseCheck::Stays;
        }
        let end = self.last_use.load(Ordering::Relaxed) + LEASE_TIME;
        if end > now { LeaseCheck::Until(end) } else { LeaseCheck::Ends }
    }

    /// Begins or ends the lease, if `change_interest` succeeds. Returns whether the lease is as wanted.
    ///
    /// The lease ends before the poller reports again: the I/O thread may read at once, fill the lane and stop. The receiver
    /// that then makes room must not leave reading to a holder of the lease.
    fn set_leased(&self, is_leased: bool, change_interest: impl FnOnce() -> bool) -> bool {
        let _change = lock(&self.change);
        let was_leased = self.is_leased();
        if was_leased == is_leased {
            return true;
        }
        self.is_leased.store(false, Ordering::SeqCst);
        let is_changed = change_interest();
        self.is_leased.store(if is_changed { is_leased } else { was_leased }, Ordering::SeqCst);
        is_changed
    }
}

impl Connection {
    /// Whether reading is leased.
    pub(super) fn is_reading_leased(&self) -> bool {
        self.lease.is_leased()
    }

    /// Ends the lease if its timer has fired and it was not used since.
    pub(super) fn check_lease(self: &Arc<Self>, now: Duration) {
        self.act_on_lease(self.lease.check(nanoseconds(now)));
    }

    fn act_on_lease(self: &Arc<Self>, check: LeaseCheck) {
        match check {
            LeaseCheck::Stays => {}
            LeaseCheck::Until(moment) => {
                if let Some(moment) = self.lease.claim_timer(moment) {
                    self.set_timer(Purpose::ReadLease, Duration::from_nanos(moment));
                }
            }
            LeaseCheck::Ends => {
                self.set_leased(false);
            }
        }
    }

    /// Begins or ends the lease, and changes the poller's interest. Returns whether the lease is as wanted.
    pub(super) fn set_leased(&self, is_leased: bool) -> bool {
        self.lease.set_leased(is_leased, || {
            // Fails when the connection has ended. Bytes that came meanwhile are reported at once.
            self.change_interest(|interest| interest.read = !is_leased)
        })
    }
}

impl DirectRead for Connection {
    fn acquire(self: Arc<Self>) -> Option<Descriptor> {
        let descriptor = self.stream.descriptor()?;
        self.lease.acquire(|| self.set_leased(true)).then_some(descriptor)
    }

    fn fetch(self: Arc<Self>) {
        self.receive();
    }

    fn fetch_if_leased(self: Arc<Self>) -> bool {
        let is_leased = self.is_reading_leased();
        if is_leased {
            self.lease.note_use(nanoseconds(now()));
            self.receive();
        }
        is_leased
    }

    fn release(self: Arc<Self>) {
        self.act_on_lease(self.lease.release(nanoseconds(now())));
    }

    fn lend(self: Arc<Self>) -> bool {
        // Not rare, so that the release does not end the lease.
        self.lease.note_use(nanoseconds(now()));
        let is_acquired = self.clone().acquire().is_some();
        if is_acquired {
            self.release();
        }
        is_acquired
    }

    fn revoke(self: Arc<Self>) {
        self.set_leased(false);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn reading_is_not_leased_while_the_poller_may_report() {
        let lease = ReadLease::default();
        for is_leased in [true, false] {
            assert!(lease.set_leased(is_leased, || !lease.is_leased()));
            assert_eq!(lease.is_leased(), is_leased);
        }
    }

    #[test]
    fn a_lease_stays_as_it_was_if_the_interest_cannot_be_changed() {
        let lease = ReadLease::default();
        assert!(!lease.set_leased(true, || false));
        assert!(!lease.is_leased());
        assert!(lease.set_leased(true, || true));
        assert!(!lease.set_leased(false, || false));
        assert!(lease.is_leased());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    fn act_on(lease: &ReadLease, check: LeaseCheck) {
        match check {
            LeaseCheck::Stays => {}
            LeaseCheck::Until(moment) => {
                // Claimed here, or by another holder or timer meanwhile. A connection sets the timer.
                lease.claim_timer(moment);
            }
            LeaseCheck::Ends => assert!(lease.set_leased(false, || true)),
        }
    }

    /// A timer fires at `now`.
    fn fire(lease: &ReadLease, now: u64) {
        act_on(lease, lease.check(now));
    }

    fn acquire_and_release(lease: &ReadLease, now: u64) {
        assert!(lease.acquire(|| lease.set_leased(true, || true)));
        act_on(lease, lease.release(now));
    }

    /// A lease without a holder has a timer, or has ended.
    #[test]
    fn loom_a_lease_without_holder_or_timer_ends() {
        for now in [LEASE_TIME, 2 * LEASE_TIME] {
            loom::model(move || {
                let lease = loom::sync::Arc::new(ReadLease::default());
                acquire_and_release(&lease, 0);
                let twin = lease.clone();
                let holder = loom::thread::spawn(move || acquire_and_release(&twin, LEASE_TIME));
                fire(&lease, now);
                holder.join().unwrap();
                assert_eq!(lease.holders.load(Ordering::SeqCst), 0);
                assert!(!lease.is_leased() || lease.timer.load(Ordering::SeqCst) != 0);
            });
        }
    }

    /// A task reads for a while, and a timer fires: whatever comes first, the lease ends, or a timer will end it.
    #[test]
    fn loom_a_lease_that_was_lent_ends() {
        for now in [LEASE_TIME, 2 * LEASE_TIME] {
            loom::model(move || {
                let lease = loom::sync::Arc::new(ReadLease::default());
                acquire_and_release(&lease, 0);
                let twin = lease.clone();
                let task = loom::thread::spawn(move || {
                    twin.note_use(LEASE_TIME);
                    acquire_and_release(&twin, LEASE_TIME);
                    twin.note_use(LEASE_TIME + 1);
                });
                fire(&lease, now);
                task.join().unwrap();
                assert!(!lease.is_leased() || lease.timer.load(Ordering::SeqCst) != 0);
            });
        }
    }

    #[test]
    fn loom_two_holders_and_a_timer() {
        loom::model(|| {
            let lease = loom::sync::Arc::new(ReadLease::default());
            let holders = [0, 1].map(|now| {
                let twin = lease.clone();
                loom::thread::spawn(move || acquire_and_release(&twin, now))
            });
            fire(&lease, LEASE_TIME);
            holders.into_iter().for_each(|holder| holder.join().unwrap());
            assert!(!lease.is_leased() || lease.timer.load(Ordering::SeqCst) != 0);
        });
    }
}
