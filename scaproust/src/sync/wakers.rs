//! The wakers of tasks, from the event that was notified to the place where they may run.
//!
//! A waker is code of an executor: it may poll its task before it returns, and the task may call any socket,
//! or close one. So it runs where the thread holds no lock and is inside no socket: at the end of
//! [`run_then_wake`], or in the I/O thread between two turns.

use std::task::Waker;

use smallvec::SmallVec;

use super::contained;

/// The wakers of tasks that were notified. They must be woken, or passed on.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Wakers(SmallVec<[Waker; 1]>);

impl Wakers {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a waker.
    pub(super) fn push(&mut self, waker: Waker) {
        self.0.push(waker);
    }

    /// Adds others.
    pub(crate) fn append(&mut self, mut others: Wakers) {
        self.0.append(&mut others.0);
    }

    /// Wakes all tasks. A waker that panics does not affect the others. The caller must hold no lock and be
    /// inside no socket.
    pub(crate) fn wake(self) {
        for waker in self.0 {
            contained(|| waker.wake());
        }
    }
}

impl From<Waker> for Wakers {
    fn from(waker: Waker) -> Wakers {
        Wakers(SmallVec::from([waker]))
    }
}

#[cfg(not(loom))]
pub(crate) use collecting::{pass_up, run_then_wake};

#[cfg(not(loom))]
mod collecting {
    use std::cell::RefCell;
    use std::ptr;

    use super::Wakers;

    /// The wakers that a thread has collected.
    type Collected = RefCell<Wakers>;

    /// The place of the thread for what its outermost `run_then_wake` collects.
    #[cfg(not(simulated))]
    mod place {
        use std::cell::Cell;
        use std::ptr;

        use super::Collected;

        thread_local! {
            /// It has no destructor.
            static COLLECTED: Cell<*const Collected> = const { Cell::new(ptr::null()) };
        }

        /// `None` if the thread ends and has no such place any more.
        #[inline]
        pub(super) fn get() -> Option<*const Collected> {
            COLLECTED.try_with(Cell::get).ok()
        }

        #[inline]
        pub(super) fn set(collected: *const Collected) {
            _ = COLLECTED.try_with(|place| place.set(collected));
        }
    }

    /// The same for a simulated thread. Several share one of the operating system.
    #[cfg(simulated)]
    mod place {
        use super::Collected;
        use crate::machine;

        pub(super) fn get() -> Option<*const Collected> {
            Some(machine::thread_place().cast())
        }

        pub(super) fn set(collected: *const Collected) {
            machine::set_thread_place(collected.cast());
        }
    }

    /// Runs `step`, and then the wakers of the tasks that it has notified, in this thread. The caller holds no
    /// lock, and is inside no socket when `step` has returned. In a `step` or a waker of another call of this
    /// function the wakers are left to that one, so wakers never run inside each other.
    #[inline]
    pub(crate) fn run_then_wake<R>(step: impl FnOnce() -> R) -> R {
        if place::get().is_none_or(|collected| !collected.is_null()) {
            return step();
        }
        let collected = Collected::default();
        let _scope = Scope::begin(&collected);
        step()
    }

    /// Leaves the wakers to the `run_then_wake` that this thread is in. Returns them if there is none.
    pub(crate) fn pass_up(wakers: Wakers) -> Wakers {
        let collected = place::get().unwrap_or(ptr::null());
        // SAFETY: a `Scope` of this thread has set the pointer, and resets it before the value goes.
        match unsafe { collected.as_ref() } {
            None => wakers,
            Some(collected) => {
                collected.borrow_mut().append(wakers);
                Wakers::default()
            }
        }
    }

    /// While it lives, the thread collects wakers. Dropping it wakes them, also after a panic.
    struct Scope<'a>(&'a Collected);

    impl<'a> Scope<'a> {
        fn begin(collected: &'a Collected) -> Scope<'a> {
            place::set(collected);
            Scope(collected)
        }
    }

    impl Drop for Scope<'_> {
        #[inline]
        fn drop(&mut self) {
            // The wakers may notify further tasks, whose wakers are collected too.
            while !self.0.borrow().is_empty() {
                self.0.take().wake();
            }
            place::set(ptr::null());
        }
    }
}

/// Runs `step`. Several threads of a model share one thread of the system, so nothing is collected.
#[cfg(loom)]
pub(crate) fn run_then_wake<R>(step: impl FnOnce() -> R) -> R {
    step()
}

/// Returns the wakers: nothing is collected.
#[cfg(loom)]
pub(crate) fn pass_up(wakers: Wakers) -> Wakers {
    wakers
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Weak};
    use std::task::Wake;

    /// A waker that collects itself again until it was woken `left` times, and notes how deep it runs.
    struct Chain {
        this: Weak<Chain>,
        left: AtomicU32,
        depth: AtomicU32,
        deepest: AtomicU32,
    }

    fn chain(left: u32) -> Arc<Chain> {
        Arc::new_cyclic(|this| Chain {
            this: this.clone(),
            left: AtomicU32::new(left),
            depth: AtomicU32::new(0),
            deepest: AtomicU32::new(0),
        })
    }

    fn wakers_of(chain: &Arc<Chain>) -> Wakers {
        Wakers::from(Waker::from(chain.clone()))
    }

    impl Wake for Chain {
        fn wake(self: Arc<Self>) {
            self.deepest.fetch_max(self.depth.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            if self.left.fetch_sub(1, Ordering::Relaxed) > 1 {
                let this = self.this.upgrade().unwrap();
                run_then_wake(|| assert!(pass_up(wakers_of(&this)).is_empty()));
            }
            self.depth.fetch_sub(1, Ordering::Relaxed);
            panic!("asked for by the test");
        }
    }

    #[test]
    fn wakers_run_after_the_step_and_not_inside_each_other() {
        let chain = chain(3);
        run_then_wake(|| {
            assert!(pass_up(wakers_of(&chain)).is_empty());
            assert_eq!(chain.left.load(Ordering::Relaxed), 3);
        });
        assert_eq!((chain.left.load(Ordering::Relaxed), chain.deepest.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn without_a_scope_wakers_are_returned() {
        assert!(!pass_up(wakers_of(&chain(1))).is_empty());
    }

    #[test]
    fn a_panic_in_the_step_does_not_lose_wakers() {
        let chain = chain(1);
        let outcome = contained(|| {
            run_then_wake(|| {
                assert!(pass_up(wakers_of(&chain)).is_empty());
                panic!("asked for by the test");
            })
        });
        assert!(outcome.is_none() && chain.left.load(Ordering::Relaxed) == 0);
        assert!(!pass_up(wakers_of(&chain)).is_empty());
    }
}
