//! Waiting in a task until an endpoint has a connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::transfer::{after, until};
use crate::error::Error;
use crate::socket::{Connecting, SocketRef, TaskCall};

impl Endpoint {
    /// As [`Endpoint::wait_connected`], in a task: waits without blocking the thread, and without a limit unless the future is
    /// given one.
    ///
    /// ```
    /// # use scaproust::{Error, Pub, Sub};
    /// # use std::time::Duration;
    /// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
    /// subscriber.subscribe("")?;
    /// let listener = publisher.bind("tcp://127.0.0.1:0")?;
    /// subscriber.connect(listener.address()?)?;
    /// smol::block_on(async {
    ///     listener.wait_connected_async().timeout(Duration::from_secs(10)).await?;
    ///     publisher.send_async("the first message has a receiver").await?;
    ///     assert_eq!(subscriber.recv_async().await?, "the first message has a receiver");
    ///     Ok::<(), Error>(())
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait_connected_async(&self) -> ConnectedFuture<'_> {
        let socket = self.handle().socket();
        let connecting = self.handle().enter().and_then(|call| Connecting::of(&call, self.id().get(), true));
        let call = connecting.map(|connecting| Some(TaskCall::new(socket, connecting, after(Duration::MAX))));
        ConnectedFuture { call }
    }
}

/// Waits until an endpoint has a connection; from [`Endpoint::wait_connected_async`]. It may be dropped at any time.
///
/// # Errors
/// Those of [`Endpoint::wait_connected`], and as [`RecvFuture`](crate::RecvFuture).
#[must_use = "a future does nothing unless it is polled"]
pub struct ConnectedFuture<'a> {
    /// `Ok(None)` after it was ready.
    call: Result<Option<TaskCall<&'a SocketRef, Connecting>>, Error>,
}

impl ConnectedFuture<'_> {
    /// Sets the moment at which it fails with [`Error::TimedOut`].
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.wait = until(deadline));
        self
    }

    /// Sets the time after which it fails with [`Error::TimedOut`], from now on.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.call.iter_mut().flatten().for_each(|call| call.wait = after(time));
        self
    }
}

impl Future for ConnectedFuture<'_> {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let outcome = match &mut self.call {
            Ok(Some(call)) => call.poll(context.waker()),
            Ok(None) => Poll::Ready(Err(Error::WrongState)),
            Err(error) => Poll::Ready(Err(*error)),
        };
        if outcome.is_ready() {
            self.call = Ok(None);
        }
        outcome
    }
}

impl fmt::Debug for ConnectedFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_over = matches!(self.call, Ok(None));
        f.debug_struct("ConnectedFuture").field("is_over", &is_over).finish_non_exhaustive()
    }
}
