//! An event: blocked calls and tasks wait on it until some state may have changed. It is a condition variable
//! with a counter instead of a lock (an *event count*).
//!
//! ```text
//! thread: epoch = event.epoch(); check; sleeper = event.register(epoch); sleep; event.unregister(sleeper)
//! task:   epoch = event.epoch(); check; event.enlist(place, waker, epoch); Pending
//! other:  change the state; event.notify_one()
//! ```
//!
//! A change after the epoch was read ends the wait, so no wake-up is lost between the check and the
//! sleep. Notifying makes no system call while there are no waiters. Threads and tasks wait in one queue, and
//! are counted in one word.
//!
//! Each sleeping thread has a [`Notifier`], since only poll(2) and similar calls can wait for other descriptors
//! besides, and unblock signals while they wait. A thread for which the system has no descriptor checks
//! again every few milliseconds. A task has its waker, which the event does not call itself: see [`Wakers`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;

use super::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use super::{Descriptor, Mutex, Notifier, Sleep, Spin, Wake, Wakers, lock, rank};

/// The value of an event's counter before the state was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(u32);

/// A counter of changes, and the waiters to wake.
#[derive(Debug)]
pub(crate) struct Event {
    changes: AtomicU32,
    /// The number of waiters in the queue; written under its lock.
    waiter_count: AtomicU32,
    waiters: Mutex<Waiters, rank::Waiters>,
    /// A sleeper has claimed the descriptors: it may poll those of the connections as well.
    is_claimed: AtomicBool,
    pub(crate) spin: Spin,
    /// Takes the wakers of notified tasks. Called without a lock of the event, but perhaps with others.
    deliver: fn(Wakers),
}

#[derive(Debug, Default)]
struct Waiters {
    /// In the order of registration, and so of their numbers. Each is removed before it is notified.
    queue: VecDeque<Waiter>,
    /// Notifiers for the next sleepers.
    spare: Vec<Arc<Notifier>>,
    /// The number of the last waiter.
    last_number: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    target: Target,
}

/// What a notification wakes.
#[derive(Debug)]
enum Target {
    Thread(Arc<Notifier>),
    Task(Waker),
}

impl Waiters {
    /// Adds a waiter. Returns its number.
    fn push(&mut self, target: Target) -> u64 {
        self.last_number += 1;
        self.queue.push_back(Waiter { number: self.last_number, target });
        self.last_number
    }

    /// The index of a waiter in the queue; `None` if it was notified.
    fn find(&self, number: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&number, |waiter| waiter.number).ok()
    }
}

/// A registration of a thread with an event, to be returned with [`Event::unregister`]. `None` inside: the
/// system had no descriptor to spare.
#[derive(Debug)]
pub(crate) struct Sleeper(Option<(u64, Arc<Notifier>)>);

/// The place of a task in the queue of an event, to be given up with [`Event::delist`].
#[derive(Debug)]
pub(crate) struct TaskPlace(u64);

impl Event {
    /// An event that only threads wait on.
    pub(crate) fn new() -> Event {
        Event::for_tasks(Wakers::wake)
    }

    /// An event without waiters. `deliver` is called with the wakers of notified tasks.
    pub(crate) fn for_tasks(deliver: fn(Wakers)) -> Event {
        Event {
            changes: AtomicU32::new(0),
            waiter_count: AtomicU32::new(0),
            waiters: Mutex::default(),
            is_claimed: AtomicBool::new(false),
            spin: Spin::new(),
            deliver,
        }
    }

    /// The current epoch, to be read before the state is checked.
    #[inline]
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.changes.load(Ordering::Acquire))
    }

    /// Whether the event was notified since the epoch was read.
    pub(crate) fn has_changed(&self, epoch: Epoch) -> bool {
        self.epoch().0 != epoch.0
    }

    /// Sleeps until the event is notified, unless it was since the epoch was read. For waits that need not
    /// be interruptible: a signal may end the sleep, or be missed.
    pub(crate) fn wait(&self, epoch: Epoch, deadline: Option<Duration>) -> Wake {
        let Some(sleeper) = self.register(epoch) else { return Wake::Woken };
        let wake = sleeper.wait(deadline);
        self.unregister(sleeper);
        wake
    }

    /// Registers a sleeper, which the next notification wakes; `None` if the event was notified since the
    /// epoch was read.
    pub(crate) fn register(&self, epoch: Epoch) -> Option<Sleeper> {
        let spare = lock(&self.waiters).spare.pop();
        let notifier = spare.or_else(|| Notifier::new().ok().map(Arc::new));
        let registered = notifier.map(|notifier| {
            let mut waiters = lock(&self.waiters);
            let number = waiters.push(Target::Thread(notifier.clone()));
            self.update_count(&waiters);
            (number, notifier)
        });
        // Pairs with the fence in `notify`: either `notify` sees this sleeper, or this sees its change.
        fence(Ordering::SeqCst);
        let sleeper = Sleeper(registered);
        if self.has_changed(epoch) {
            self.unregister(sleeper);
            return None;
        }
        Some(sleeper)
    }

    /// Removes a sleeper. Returns whether a notification was spent on it: a caller that returns for another
    /// reason must pass it on to the next waiter.
    pub(crate) fn unregister(&self, Sleeper(registered): Sleeper) -> bool {
        let Some((number, notifier)) = registered else { return false };
        let mut waiters = lock(&self.waiters);
        let index = waiters.find(number);
        index.map(|index| waiters.queue.remove(index));
        self.update_count(&waiters);
        waiters.spare.push(notifier);
        index.is_none()
    }

    /// Enlists a task, whose `waker` the next notification delivers. A task that is still in the queue, at
    /// `place`, keeps its place and gets this waker. Returns `false` if the event was notified since the epoch
    /// was read: then the task must check again, and stays enlisted.
    pub(crate) fn enlist(&self, place: &mut Option<TaskPlace>, waker: &Waker, epoch: Epoch) -> bool {
        // Cloned and dropped outside the lock, since both are code of the executor.
        let target = Target::Task(waker.clone());
        let replaced = {
            let mut waiters = lock(&self.waiters);
            match place.as_ref().and_then(|place| waiters.find(place.0)) {
                Some(index) => Some(std::mem::replace(&mut waiters.queue[index].target, target)),
                None => {
                    *place = Some(TaskPlace(waiters.push(target)));
                    self.update_count(&waiters);
                    None
                }
            }
        };
        drop(replaced);
        // As in `register`.
        fence(Ordering::SeqCst);
        !self.has_changed(epoch)
    }

    /// Removes a task. Returns whether a notification was spent on it, as [`Event::unregister`].
    pub(crate) fn delist(&self, TaskPlace(number): TaskPlace) -> bool {
        let removed = {
            let mut waiters = lock(&self.waiters);
            let removed = waiters.find(number).and_then(|index| waiters.queue.remove(index));
            self.update_count(&waiters);
            removed
        };
        removed.is_none()
    }

    fn update_count(&self, waiters: &Waiters) {
        self.waiter_count.store(waiters.queue.len() as u32, Ordering::Relaxed);
    }

    /// Claims the descriptors: the right of one sleeper to poll the connections' descriptors as well. Returns
    /// `false` if another thread has it.
    pub(crate) fn claim_descriptors(&self) -> bool {
        !self.is_claimed.swap(true, Ordering::Acquire)
    }

    /// Releases the claim.
    pub(crate) fn release_descriptors(&self) {
        self.is_claimed.store(false, Ordering::Release);
        // A thread that sleeps, or is about to, because the descriptors were claimed, can claim them now.
        self.notify_one();
    }

    /// Whether threads or tasks wait.
    #[inline]
    pub(crate) fn has_waiters(&self) -> bool {
        self.waiter_count.load(Ordering::Relaxed) > 0
    }

    /// Counts a change and wakes the first waiter. Returns whether that is a task with other waiters behind it, which sleep
    /// on if the task is not polled.
    pub(crate) fn notify_one(&self) -> bool {
        self.notify(1)
    }

    /// As [`Event::notify_one`], for up to `count` waiters.
    pub(crate) fn notify_some(&self, count: usize) -> bool {
        self.notify(count)
    }

    /// Counts a change and wakes all waiters.
    pub(crate) fn notify_all(&self) {
        self.notify(usize::MAX);
    }

    fn notify(&self, count: usize) -> bool {
        self.changes.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        self.has_waiters() && self.wake(count)
    }

    #[cold]
    fn wake(&self, count: usize) -> bool {
        let has_others;
        let mut threads = SmallVec::<[_; 1]>::new();
        let mut wakers = Wakers::default();
        {
            let mut waiters = lock(&self.waiters);
            let count = count.min(waiters.queue.len());
            for waiter in waiters.queue.drain(..count) {
                match waiter.target {
                    Target::Thread(notifier) => threads.push(notifier),
                    Target::Task(waker) => wakers.push(waker),
                }
            }
            self.update_count(&waiters);
            has_others = !waiters.queue.is_empty();
        }
        threads.iter().for_each(|notifier| notifier.notify());
        if wakers.is_empty() {
            return false;
        }
        (self.deliver)(wakers);
        has_others
    }
}

impl Sleeper {
    /// The descriptor to wait for, if the system had one to spare.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        self.0.as_ref().map(|(_, notifier)| notifier.descriptor())
    }

    /// Clears the notifier, whose descriptor was ready, for the next sleep.
    pub(crate) fn clear(&self) {
        if let Some((_, notifier)) = &self.0 {
            notifier.clear();
        }
    }

    fn wait(&self, deadline: Option<Duration>) -> Wake {
        if let Some((_, notifier)) = &self.0 {
            return notifier.wait(deadline);
        }
        let mut sleep = Sleep::new();
        sleep.prepare(0, std::iter::empty(), deadline, None);
        sleep.run();
        sleep.wake()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_change_after_the_epoch_ends_the_wait_at_once() {
        let event = Event::new();
        let epoch = event.epoch();
        event.notify_one();
        assert_eq!(event.wait(epoch, None), Wake::Woken);
    }

    /// Counts how often a task was woken.
    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_task_keeps_its_place_and_is_woken_by_its_last_waker() {
        let event = Event::new();
        let [old, new, other] = std::array::from_fn(|_| Arc::new(Count::default()));
        let (mut place, mut other_place) = (None, None);
        let epoch = event.epoch();
        assert!(event.enlist(&mut place, &old.clone().into(), epoch));
        assert!(event.enlist(&mut other_place, &other.clone().into(), epoch));
        assert!(event.enlist(&mut place, &new.clone().into(), epoch));
        event.notify_one();
        assert_eq!((old.get(), new.get(), other.get()), (0, 1, 0));
        assert!(!event.enlist(&mut place, &new.clone().into(), epoch), "the event has changed");
        event.notify_one();
        assert_eq!((new.get(), other.get()), (1, 1), "the other task was the first");
        event.notify_all();
        assert_eq!((new.get(), other.get()), (2, 1));
        assert!(!event.has_waiters() && event.delist(place.unwrap()));
    }

    #[test]
    fn a_task_that_gives_up_its_place_takes_no_notification() {
        let event = Event::new();
        let [gone, left] = std::array::from_fn(|_| Arc::new(Count::default()));
        let (mut place, mut left_place) = (None, None);
        assert!(event.enlist(&mut place, &gone.clone().into(), event.epoch()));
        assert!(event.enlist(&mut left_place, &left.clone().into(), event.epoch()));
        assert!(!event.delist(place.unwrap()));
        event.notify_one();
        assert_eq!((gone.get(), left.get()), (0, 1));
        assert!(event.delist(left_place.unwrap()));
    }

    #[test]
    fn a_deadline_in_the_past_is_a_time_out() {
        let event = Event::new();
        let epoch = event.epoch();
        assert_eq!(event.wait(epoch, Some(Duration::ZERO)), Wake::TimedOut);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    /// Another thread changes the state and notifies; this one waits for the change with `wait`.
    fn await_change(wait: fn(&Event, Epoch)) {
        loom::model(move || {
            let shared = Arc::new((Event::new(), AtomicBool::new(false)));
            let other = shared.clone();
            let notifier = loom::thread::spawn(move || {
                other.1.store(true, Ordering::SeqCst);
                other.0.notify_one();
            });
            loop {
                let epoch = shared.0.epoch();
                if shared.1.load(Ordering::SeqCst) {
                    break;
                }
                wait(&shared.0, epoch);
            }
            notifier.join().unwrap();
        });
    }

    #[test]
    fn loom_a_registered_sleeper_is_woken() {
        await_change(|event, epoch| {
            if let Some(sleeper) = event.register(epoch) {
                sleeper.wait(None);
                event.unregister(sleeper);
            }
        });
    }

    #[test]
    fn loom_no_wake_up_is_lost() {
        await_change(|event, epoch| {
            event.wait(epoch, None);
        });
    }

    /// Wakes a thread of the model that waits as a task.
    struct Task {
        is_woken: loom::sync::Mutex<bool>,
        woken: loom::sync::Condvar,
    }

    impl std::task::Wake for Task {
        fn wake(self: std::sync::Arc<Self>) {
            *self.is_woken.lock().unwrap() = true;
            self.woken.notify_one();
        }
    }

    impl Task {
        fn new() -> std::sync::Arc<Task> {
            std::sync::Arc::new(Task {
                is_woken: loom::sync::Mutex::new(false),
                woken: loom::sync::Condvar::new(),
            })
        }

        fn wait(&self) {
            let mut is_woken = self.is_woken.lock().unwrap();
            while !*is_woken {
                is_woken = self.woken.wait(is_woken).unwrap();
            }
            *is_woken = false;
        }
    }

    #[test]
    fn loom_an_enlisted_task_is_woken() {
        await_change(|event, epoch| {
            let task = Task::new();
            let mut place = None;
            if event.enlist(&mut place, &task.clone().into(), epoch) {
                task.wait();
            }
            place.map(|place| event.delist(place));
        });
    }

    #[test]
    fn loom_a_task_that_is_dropped_passes_its_notification_on() {
        loom::model(|| {
            let shared = Arc::new((Event::new(), AtomicBool::new(false)));
            let (mut dropped, mut place) = (None, None);
            assert!(shared.0.enlist(&mut dropped, &Task::new().into(), shared.0.epoch()));
            let other = shared.clone();
            let notifier = loom::thread::spawn(move || {
                other.1.store(true, Ordering::SeqCst);
                other.0.notify_one();
            });
            // The notification wakes the task that was the first, which is dropped, or this one.
            let task = Task::new();
            let epoch = shared.0.epoch();
            let waits =
                !shared.1.load(Ordering::SeqCst) && shared.0.enlist(&mut place, &task.clone().into(), epoch);
            if dropped.is_some_and(|place| shared.0.delist(place)) {
                shared.0.notify_one();
            }
            if waits {
                task.wait();
                assert!(shared.1.load(Ordering::SeqCst));
            }
            place.map(|place| shared.0.delist(place));
            notifier.join().unwrap();
            assert!(!shared.0.has_waiters());
        });
    }

    #[test]
    fn loom_a_task_and_a_thread_are_both_woken() {
        loom::model(|| {
            let shared = Arc::new((Event::new(), AtomicBool::new(false)));
            let other = shared.clone();
            let (task, mut place) = (Task::new(), None);
            assert!(shared.0.enlist(&mut place, &task.clone().into(), shared.0.epoch()));
            let notifier = loom::thread::spawn(move || {
                other.1.store(true, Ordering::SeqCst);
                other.0.notify_all();
            });
            loop {
                let epoch = shared.0.epoch();
                if shared.1.load(Ordering::SeqCst) {
                    break;
                }
                shared.0.wait(epoch, None);
            }
            task.wait();
            assert!(place.is_some_and(|place| shared.0.delist(place)));
            notifier.join().unwrap();
        });
    }
}
