//! The events of a socket, as an iterator.

use std::fmt;
#[cfg(feature = "futures")]
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

#[cfg(feature = "futures")]
use futures_core::Stream;

use super::Sub;
#[cfg(feature = "futures")]
use super::futures::MessageStream;
use super::pattern::Pattern;
use super::socket::Socket;
use crate::error::Error;
use crate::protocol::Time;
use crate::socket::poll::{Watched, notify_polls};
use crate::socket::{EventKind, SocketEvent};
use crate::sync::random_number;

/// The events of a socket, from the call of [`Socket::events`] on. The iterator blocks until there is an event, and ends
/// when the socket is closed.
///
/// Events that are not received wait here. If there are too many, some are lost; then one of the kind
/// [`EventKind::Lost`] says how many. The socket never waits.
///
/// ```
/// # use scaproust::{EventKind, Pull, Push};
/// let (worker, source) = (Pull::new()?, Push::new()?);
/// let events = worker.events()?;
/// worker.bind("inproc://doc/events")?;
/// source.connect("inproc://doc/events")?;
/// source.send(b"a task")?;
/// worker.recv()?;
/// drop((source, worker));
///
/// let kinds: Vec<EventKind> = events.map(|event| event.kind).collect();
/// assert_eq!(kinds, [EventKind::Listening, EventKind::Accepted, EventKind::Disconnected, EventKind::Closed]);
/// # Ok::<(), scaproust::Error>(())
/// ```
pub struct Events {
    subscriber: Sub,
    has_ended: bool,
    watched: Watched,
}

impl Events {
    /// The events that are published at an address; see [`Socket::set_monitor`].
    ///
    /// # Errors
    /// Those of [`Socket::new`] and [`Socket::connect`].
    pub fn at(address: impl AsRef<[u8]>) -> Result<Events, Error> {
        let subscriber = Sub::new()?;
        subscriber.subscribe(b"")?;
        subscriber.connect(address)?;
        Ok(Events { subscriber, has_ended: false, watched: Watched::default() })
    }

    /// The next event; `None` if there is none at present, or the socket is closed.
    pub fn try_next(&mut self) -> Option<SocketEvent> {
        self.next_with(Sub::try_recv)
    }

    /// The socket that receives them.
    pub(super) fn subscriber(&self) -> &Sub {
        &self.subscriber
    }

    /// Whether the last event was received.
    pub(super) fn are_over(&self) -> bool {
        self.has_ended
    }

    pub(super) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// The next event that `receive` receives; `None` if it fails.
    pub(super) fn next_with(
        &mut self,
        receive: impl Fn(&Sub) -> Result<crate::Message, Error>,
    ) -> Option<SocketEvent> {
        while !self.has_ended {
            let message = match receive(&self.subscriber) {
                Err(Error::Interrupted) => continue,
                received => received.ok()?,
            };
            // A message of another kind is one of a later version.
            if let Some(event) = SocketEvent::decode(&message) {
                self.has_ended = is_last(&event);
                if self.has_ended && self.watched.set_end(Some(Time::ZERO)) {
                    notify_polls(self.subscriber.handle.socket());
                }
                return Some(event);
            }
        }
        None
    }

    /// The events as a stream.
    #[cfg(feature = "futures")]
    pub fn into_stream(self) -> EventStream {
        EventStream { messages: Arc::new(self.subscriber).into_stream(), has_ended: self.has_ended }
    }
}

impl Iterator for Events {
    type Item = SocketEvent;

    fn next(&mut self) -> Option<SocketEvent> {
        self.next_with(Sub::recv)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Events { subscriber, has_ended, .. } = self;
        f.debug_struct("Events")
            .field("subscriber", subscriber)
            .field("are_over", has_ended)
            .finish_non_exhaustive()
    }
}

/// The events of a socket, as a stream; from [`Events::into_stream`]. It ends when the socket is closed.
///
/// ```
/// # use scaproust::{EventKind, Pull};
/// use futures_util::StreamExt;
/// let worker = Pull::new()?;
/// let mut events = worker.events()?.into_stream();
/// worker.bind("inproc://doc/event_stream")?;
/// smol::block_on(async {
///     assert_eq!(events.next().await.unwrap().kind, EventKind::Listening);
///     worker.close()?;
///     assert_eq!(events.collect::<Vec<_>>().await.len(), 1);
///     Ok::<(), scaproust::Error>(())
/// })?;
/// # Ok::<(), scaproust::Error>(())
/// ```
#[cfg(feature = "futures")]
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventStream {
    messages: MessageStream<Arc<Sub>>,
    has_ended: bool,
}

#[cfg(feature = "futures")]
impl Stream for EventStream {
    type Item = SocketEvent;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<SocketEvent>> {
        while !self.has_ended {
            let Some(Ok(message)) = ready!(Pin::new(&mut self.messages).poll_next(context)) else { break };
            if let Some(event) = SocketEvent::decode(&message) {
                self.has_ended = is_last(&event);
                return Poll::Ready(Some(event));
            }
        }
        Poll::Ready(None)
    }
}

/// Whether the monitor ends with this event.
fn is_last(event: &SocketEvent) -> bool {
    event.kind == EventKind::Closed && event.endpoint.is_none()
}

impl<P: Pattern> Socket<P> {
    /// The events of this socket from now on. If it has no monitor yet, it gets one at an address of its own.
    ///
    /// # Errors
    /// [`Error::TooManySockets`], since the events are received by a socket; [`Error::Closed`].
    pub fn events(&self) -> Result<Events, Error> {
        let address = match self.monitor()? {
            address if !address.is_empty() => address,
            _ => {
                let address = format!("inproc://scaproust/events/{:016x}", random_number());
                self.set_monitor(&address)?;
                address.into_bytes()
            }
        };
        Events::at(address)
    }
}
