//! An executor within the simulated machine: a thread that polls the tasks of a step.
//!
//! It polls a task only when a waker says so, so a lost wake-up leaves the task, and its world, at a standstill. Of the wakers that it
//! has given to a task it obeys the latest one only. It does what an executor may do: several wakers one after the other,
//! and polls that nothing has asked for. These are few, since each hides a lost wake-up.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::machine::{self, Key};
use crate::sync::now;

/// The most polls of an executor that nothing has asked for.
const MAX_EXTRA_POLLS: u64 = 5;
/// The most futures that a task drops, or leaves alone for a time.
const MAX_WHIMS: u64 = 8;
/// How long a task leaves its future alone: longer than the library waits before it wakes another task.
const LONGEST_PAUSE: u64 = 30;
/// How long a task leaves its futures alone in all.
pub(super) const LONGEST_WHIMS: Duration = Duration::from_millis(MAX_WHIMS * LONGEST_PAUSE);

/// The executors of a world.
#[derive(Default)]
struct Executors {
    /// How many there were: the number of the next one.
    count: u64,
    running: BTreeMap<u64, Rc<Executor>>,
}

thread_local! {
    static EXECUTORS: RefCell<Executors> = RefCell::default();
}

/// Calls `access` with the executors, if the thread of the operating system does not end.
fn executors<R>(access: impl FnOnce(&mut Executors) -> R) -> Option<R> {
    EXECUTORS.try_with(|all| access(&mut all.borrow_mut())).ok()
}

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// The executor of a simulated thread. It holds no borrow of its tasks where another thread may run.
pub(super) struct Executor {
    number: u64,
    /// Wakers poll their tasks themselves, in the thread that calls them.
    is_inline: bool,
    tasks: RefCell<Vec<Task>>,
}

#[derive(Default)]
struct Task {
    /// `None` while the task is polled, and when it has ended.
    future: Option<Boxed>,
    has_ended: bool,
    is_woken: bool,
    /// The number of its latest waker.
    waker: u64,
    /// When it wants to be polled.
    alarm: Option<Duration>,
}

/// A task, as its own future sees it.
#[derive(Clone)]
pub(super) struct Own {
    executor: Rc<Executor>,
    number: usize,
    whims: Rc<Cell<u64>>,
}

/// Runs so many tasks until all have ended. `make` makes the future of each from its number.
pub(super) fn run<F: Future<Output = ()> + 'static>(
    count: usize,
    is_inline: bool,
    make: impl Fn(usize, Own) -> F,
) {
    let number = executors(|all| {
        all.count += 1;
        all.count
    });
    let number = number.unwrap_or_default();
    let executor = Rc::new(Executor { number, is_inline, tasks: RefCell::default() });
    let tasks = (0..count).map(|number| {
        let whims = Rc::new(Cell::new(machine::below(MAX_WHIMS + 1)));
        let own = Own { executor: executor.clone(), number, whims };
        let future: Boxed = Box::pin(make(number, own));
        Task { future: Some(future), is_woken: true, ..Task::default() }
    });
    let tasks = tasks.collect();
    *executor.tasks.borrow_mut() = tasks;
    executors(|all| all.running.insert(number, executor.clone()));
    executor.work();
    executors(|all| all.running.remove(&number));
}

impl Executor {
    fn work(self: &Rc<Self>) {
        let mut extra_polls = machine::below(MAX_EXTRA_POLLS + 1);
        loop {
            self.pass_time();
            if let Some(number) = self.choose(|task| task.is_woken) {
                self.poll(number);
                continue;
            }
            let extra = (extra_polls > 0).then(|| now() + Duration::from_micros(machine::below(5000)));
            // Nothing may happen from here on until the thread is blocked.
            let alarm = {
                let tasks = self.tasks.borrow();
                if tasks.iter().all(|task| task.has_ended) {
                    return;
                }
                if tasks.iter().any(|task| task.is_woken && task.future.is_some()) {
                    continue;
                }
                tasks.iter().filter_map(|task| task.alarm).min()
            };
            let deadline = alarm.into_iter().chain(extra).min();
            if !machine::block(&[self.key()], deadline) && extra.is_some() {
                extra_polls -= 1;
                self.choose(|_| true).into_iter().for_each(|number| self.poll(number));
            }
        }
    }

    /// Where the thread waits for woken tasks.
    fn key(self: &Rc<Self>) -> Key {
        Key::Address(Rc::as_ptr(self) as usize)
    }

    /// Wakes the tasks whose alarms are due.
    fn pass_time(&self) {
        let now = now();
        for task in self.tasks.borrow_mut().iter_mut() {
            if task.alarm.take_if(|alarm| *alarm <= now).is_some() {
                task.is_woken = true;
            }
        }
    }

    /// One of the tasks that `can` be polled, and are not being polled.
    fn choose(&self, can: impl Fn(&Task) -> bool) -> Option<usize> {
        let able: Vec<_> = {
            let tasks = self.tasks.borrow();
            let is_able = |number: &usize| tasks[*number].future.is_some() && can(&tasks[*number]);
            (0..tasks.len()).filter(is_able).collect()
        };
        (!able.is_empty()).then(|| able[machine::below(able.len() as u64) as usize])
    }

    /// Polls a task, again if it was woken meanwhile.
    fn poll(self: &Rc<Self>, number: usize) {
        loop {
            let has_new_waker = machine::below(2) == 0;
            let Some((mut future, waker)) = self.begin_poll(number, has_new_waker) else { return };
            let is_over = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            let future = Some(future).filter(|_| !is_over);
            let is_woken = {
                let task = &mut self.tasks.borrow_mut()[number];
                task.has_ended = is_over;
                task.future = future;
                task.is_woken
            };
            if is_over || !is_woken {
                // The thread may have to end, or to obey an earlier alarm.
                return machine::wake(self.key(), usize::MAX);
            }
        }
    }

    /// Takes the future of a task, unless it is being polled, and makes a waker.
    fn begin_poll(&self, number: usize, has_new_waker: bool) -> Option<(Boxed, Waker)> {
        let task = &mut self.tasks.borrow_mut()[number];
        let future = task.future.take()?;
        task.is_woken = false;
        task.waker += u64::from(has_new_waker || task.waker == 0);
        let waker = TaskWaker { executor: self.number, task: number, number: task.waker };
        Some((future, Arc::new(waker).into()))
    }
}

/// A waker. Its task obeys only the one that it was polled with last.
struct TaskWaker {
    executor: u64,
    task: usize,
    number: u64,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let executor = executors(|all| all.running.get(&self.executor).cloned()).flatten();
        let Some(executor) = executor else { return };
        {
            let task = &mut executor.tasks.borrow_mut()[self.task];
            if task.waker != self.number {
                return;
            }
            task.is_woken = true;
        }
        if executor.is_inline {
            executor.poll(self.task);
        } else {
            machine::wake(executor.key(), usize::MAX);
        }
    }
}

impl Own {
    /// Whether the task does something unusual now, which it does a few times only.
    fn has_whim(&self) -> bool {
        let left = self.whims.get();
        let has = left > 0 && machine::below(3) == 0;
        self.whims.set(left - u64::from(has));
        has
    }

    /// A time after which a call gives up; mostly none.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.has_whim().then(|| Duration::from_millis(machine::below(20)))
    }

    /// Waits for some milliseconds, whatever wakes the task.
    pub(super) async fn pause(&self) {
        let end = now() + Duration::from_millis(machine::below(LONGEST_PAUSE));
        poll_fn(|_| {
            if now() >= end {
                return Poll::Ready(());
            }
            self.executor.tasks.borrow_mut()[self.number].alarm = Some(end);
            Poll::Pending
        })
        .await;
    }

    /// Awaits a future, or drops it: before its first poll, when it was just polled, or when it was woken. Between its polls it may
    /// be left alone for a time. `None` if it was dropped.
    pub(super) async fn await_or_drop<F: Future + Unpin>(&self, mut future: F) -> Option<F::Output> {
        loop {
            if self.has_whim() {
                return None;
            }
            let polled = poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await;
            if let Poll::Ready(output) = polled {
                return Some(output);
            }
            if self.has_whim() {
                self.pause().await;
                continue;
            }
            if self.has_whim() {
                return None;
            }
            self.wait().await;
        }
    }

    /// Waits until the task is polled again.
    async fn wait(&self) {
        let mut has_waited = false;
        poll_fn(|_| if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }
}
