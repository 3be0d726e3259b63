//! The events of a socket as events of the crate `tracing`, with the feature of that name.
//!
//! An event happens under the socket's lock. A subscriber is code of the program, which may call any socket, so it gets
//! the event with the edges, when the lock is released.

#[cfg(not(feature = "tracing"))]
pub(super) use disabled::{is_enabled, record};
#[cfg(feature = "tracing")]
pub(super) use enabled::{is_enabled, record};

#[cfg(not(feature = "tracing"))]
mod disabled {
    use crate::pipe::Edges;
    use crate::socket::event::SocketEvent;

    /// Never.
    #[inline]
    pub(in crate::socket) fn is_enabled() -> bool {
        false
    }

    /// Does nothing.
    #[inline]
    pub(in crate::socket) fn record(_socket: i32, _event: &SocketEvent, _edges: &mut Edges) {}
}

#[cfg(feature = "tracing")]
mod enabled {
    use std::borrow::Cow;
    use std::sync::Arc;

    use tracing::Level;

    use crate::pipe::{Edges, Peer};
    use crate::socket::EndpointId;
    use crate::socket::event::{EventKind, SocketEvent};
    use crate::sync::contained;

    /// The target of all events.
    const TARGET: &str = "scaproust";

    /// Whether a subscriber wants events of any level.
    pub(in crate::socket) fn is_enabled() -> bool {
        tracing::enabled!(target: TARGET, Level::WARN)
    }

    /// Gives an event of the socket with this number to the subscriber, when the edges are delivered.
    pub(in crate::socket) fn record(socket: i32, event: &SocketEvent, edges: &mut Edges) {
        if is_enabled() {
            let record: Arc<dyn Peer> = Arc::new(Record(SocketEvent { socket, ..event.clone() }));
            edges.add_readable(&record, 0);
        }
    }

    /// An event on its way to the subscriber.
    struct Record(SocketEvent);

    impl Peer for Record {
        /// A subscriber that panics does no harm.
        fn readable(self: Arc<Self>, _size: usize) {
            _ = contained(|| self.emit());
        }

        fn writable(self: Arc<Self>) {}
    }

    impl Record {
        fn emit(&self) {
            let event = &self.0;
            let text = |bytes: &'_ Option<Vec<u8>>| {
                bytes.as_deref().map(String::from_utf8_lossy).map(Cow::into_owned)
            };
            let (peer, local) = (text(&event.peer), text(&event.local));
            let reason = event.reason.map(|reason| reason.name());
            // The level of an event is a constant.
            macro_rules! emit {
                ($level:ident) => {
                    tracing::event!(
                        target: TARGET,
                        Level::$level,
                        socket = event.socket,
                        endpoint = event.endpoint.map(EndpointId::get),
                        pipe = event.pipe,
                        peer = peer.as_deref(),
                        local = local.as_deref(),
                        reason,
                        error = event.error.map(tracing::field::display),
                        explanation = event.explanation.as_deref(),
                        value = (event.value != 0).then_some(event.value),
                        "{}",
                        event.kind.name()
                    )
                };
            }
            match event.kind {
                EventKind::Refused
                | EventKind::HandshakeFailed
                | EventKind::BindFailed
                | EventKind::AcceptFailed => emit!(WARN),
                EventKind::Connecting | EventKind::Retry => emit!(TRACE),
                _ => emit!(DEBUG),
            }
        }
    }
}
