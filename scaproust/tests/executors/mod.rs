//! The executors on which the tests run their tasks: one that polls inside the waker, tokio and smol. And addresses.

#[path = "../ports/mod.rs"]
mod ports;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};

use ports::free_port;

pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task of an executor that has no threads: its waker polls it at once, in the thread that wakes it.
struct Inline {
    this: Weak<Inline>,
    /// `None` while it is polled, and when it is over.
    future: Mutex<Option<Boxed>>,
    /// It was woken, perhaps while it was polled.
    is_woken: AtomicBool,
    tasks: Arc<Tasks>,
}

/// Counts the tasks that are not over.
#[derive(Default)]
pub(crate) struct Tasks {
    left: Mutex<usize>,
    over: Condvar,
    has_panicked: AtomicBool,
}

impl Tasks {
    /// Waits until all are over.
    ///
    /// # Panics
    /// If a task has panicked: the library has contained that in the thread that woke the task.
    pub(crate) fn wait(&self) {
        let has_panicked = || self.has_panicked.load(Ordering::SeqCst);
        let goes_on = |left: &mut usize| *left > 0 && !has_panicked();
        drop(self.over.wait_while(self.left.lock().unwrap(), goes_on).unwrap());
        assert!(!has_panicked(), "a task has panicked");
    }

    /// Starts a task in this thread.
    pub(crate) fn spawn(self: &Arc<Self>, future: impl Future<Output = ()> + Send + 'static) {
        *self.left.lock().unwrap() += 1;
        let task = Arc::new_cyclic(|this| Inline {
            this: this.clone(),
            future: Mutex::new(Some(Box::pin(future))),
            is_woken: AtomicBool::new(false),
            tasks: self.clone(),
        });
        // It stays alive as long as a waker does, or it is polled.
        task.wake();
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        while self.is_woken.load(Ordering::SeqCst) {
            let taken = self.future.lock().unwrap().take();
            let Some(mut future) = taken else { return };
            self.is_woken.store(false, Ordering::SeqCst);
            let waker = Waker::from(self.this.upgrade().unwrap());
            let polled =
                catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
            if polled.as_ref().is_ok_and(Poll::is_pending) {
                *self.future.lock().unwrap() = Some(future);
                continue;
            }
            drop(future);
            self.tasks.has_panicked.fetch_or(polled.is_err(), Ordering::SeqCst);
            *self.tasks.left.lock().unwrap() -= 1;
            self.tasks.over.notify_all();
            return;
        }
    }
}

/// Runs tasks until all are over.
pub(crate) type Run = fn(Vec<Boxed>);

/// The executors, with their names.
pub(crate) const ALL: [(&str, Run); 3] = [("inline", inline), ("tokio", tokio), ("smol", smol)];

fn inline(futures: Vec<Boxed>) {
    let tasks = Arc::new(Tasks::default());
    futures.into_iter().for_each(|future| tasks.spawn(future));
    tasks.wait();
}

fn tokio(futures: Vec<Boxed>) {
    let runtime = ::tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = futures.into_iter().map(|future| runtime.spawn(future)).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn smol(futures: Vec<Boxed>) {
    let executor = ::smol::Executor::new();
    let tasks: Vec<_> = futures.into_iter().map(|future| executor.spawn(future)).collect();
    ::smol::block_on(executor.run(async {
        for task in tasks {
            task.await;
        }
    }));
}

/// An address for one test, over this transport.
pub(crate) fn address(transport: &str, test: &str) -> String {
    match transport {
        "tcp" => format!("tcp://127.0.0.1:{}", free_port("127.0.0.1")),
        "ipc" => format!("ipc:///tmp/scaproust-tasks-{test}-{}", std::process::id()),
        _ => format!("inproc://tasks/{test}"),
    }
}

/// The transports that every system has, and ipc.
pub(crate) fn transports() -> impl Iterator<Item = &'static str> {
    let all = if cfg!(unix) { ["inproc", "ipc", "tcp"].as_slice() } else { &["inproc", "tcp"] };
    all.iter().copied()
}
