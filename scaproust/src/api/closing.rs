//! Closing in a task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use super::pattern::Pattern;
use super::socket::Socket;
use crate::error::Error;
use crate::socket::close_in_background;
use crate::sync::{Mutex, OfProcess, lock, rank};

impl<P: Pattern> Socket<P> {
    /// Closes the socket, as [`Socket::close`], in a task: waits without blocking the thread until what was sent is delivered,
    /// within [`Socket::linger`]. The closing itself runs in a thread, one for all
    /// sockets that are closed in this way at the same time.
    ///
    /// The first poll begins it. From then on it goes on, also if the future is dropped, and other calls on the socket fail as
    /// soon as the thread runs.
    ///
    /// # Errors
    /// [`Error::Closed`] if it is closed already, and an error of the operating system if there is no thread to spare: then the
    /// socket stays open.
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// let endpoint = worker.bind("tcp://127.0.0.1:0")?;
    /// source.connect(endpoint.address()?)?;
    /// smol::block_on(async {
    ///     source.send_async("the last task").await?;
    ///     source.close_async().await?;
    ///     assert_eq!(worker.recv_async().await?, "the last task");
    ///     assert_eq!(source.close(), Err(Error::Closed));
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn close_async(&self) -> CloseFuture<'_, P> {
        CloseFuture { socket: self, closing: None }
    }

    /// Begins to close the socket in the background.
    fn begin_closing(&self) -> Result<Arc<Closing>, Error> {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        let closing = Arc::new(Closing(OfProcess::new(Mutex::default())));
        let shared = closing.clone();
        let begun = close_in_background(self.handle.socket().clone(), move |outcome| shared.end(outcome));
        if let Err(error) = begun {
            self.is_closed.store(false, Ordering::Relaxed);
            return Err(error);
        }
        self.conversations.close();
        Ok(closing)
    }
}

/// The closing of a socket, which the thread and its future share. A forked child does not have the thread.
struct Closing(OfProcess<Mutex<Progress, rank::Closing>>);

#[derive(Default)]
struct Progress {
    /// The outcome, when it is over.
    outcome: Option<Result<(), Error>>,
    /// The task that waits for it.
    waker: Option<Waker>,
}

impl Closing {
    /// Notes the outcome, in the thread, and wakes the task.
    fn end(&self, outcome: Result<(), Error>) {
        let Some(progress) = self.0.get() else { return };
        let waker = {
            let mut progress = lock(progress);
            progress.outcome = Some(outcome);
            progress.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<(), Error>> {
        let Some(progress) = self.0.get() else { return Poll::Ready(Err(Error::Closed)) };
        // Cloned and dropped outside the lock, since both are code of the executor.
        let mut waker = Some(waker.clone());
        let mut progress = lock(progress);
        if let Some(outcome) = progress.outcome {
            drop(progress);
            return Poll::Ready(outcome);
        }
        std::mem::swap(&mut progress.waker, &mut waker);
        drop(progress);
        Poll::Pending
    }
}

/// Closes a socket; from [`Socket::close_async`].
///
/// Dropping it before its first poll leaves the socket as it is. Later, the socket is closed in the background.
#[must_use = "a future does nothing unless it is polled"]
pub struct CloseFuture<'a, P: Pattern> {
    socket: &'a Socket<P>,
    /// Set when the closing has begun.
    closing: Option<Arc<Closing>>,
}

impl<P: Pattern> Future for CloseFuture<'_, P> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let closing = match &self.closing {
            Some(closing) => closing,
            None => {
                let closing = self.socket.begin_closing()?;
                self.closing.insert(closing)
            }
        };
        closing.poll(context.waker())
    }
}

impl<P: Pattern> fmt::Debug for CloseFuture<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseFuture").field("has_begun", &self.closing.is_some()).finish_non_exhaustive()
    }
}
