//! What a poller can wait for.

pub(super) use sealed::{Direction, Knowledge, Polled, Target};

use std::rc::Rc;
use std::sync::Arc;

use super::asking::Pending;
use super::events::Events;
use super::pattern::{Incoming, Pattern, Sends};
use super::socket::Socket;
use super::surveying::Answers;
use crate::error::Error;
use crate::protocol::Time;

mod sealed {
    use std::sync::Arc;

    use crate::error::Error;
    use crate::socket::SocketRef;
    use crate::socket::poll::Watch;

    /// What is waited for at a socket.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Direction {
        In,
        Out,
    }

    /// The socket or context at which a poller waits.
    pub struct Target<'a>(pub(in crate::api) &'a SocketRef);

    impl std::fmt::Debug for Target<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("Target").field(&self.0.id).finish()
        }
    }

    /// What pollers know of a value besides its socket.
    pub struct Knowledge(pub(in crate::api) Arc<Watch>);

    impl std::fmt::Debug for Knowledge {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("Knowledge").finish_non_exhaustive()
        }
    }

    /// What belongs to a socket or context.
    pub trait Polled {
        fn target(&self) -> Target<'_>;

        /// Refuses a direction that a protocol which is known only at run time does not have.
        fn check(&self, _direction: Direction) -> Result<(), Error> {
            Ok(())
        }

        /// What pollers must know of it besides its socket.
        fn watch(&self) -> Knowledge;
    }
}

/// What a [`Poller`](crate::Poller) can wait for a message from: a socket that receives or accepts, a request that is
/// [`Pending`], [`Answers`] or [`Events`], and a reference to one. Other types cannot implement it.
///
/// A request, answers or events that are over are ready at once, and requests and answers are so at their deadlines too, also if
/// these are set during the wait: what takes the next message does not block, and says what has happened.
pub trait Readable: Polled {}

/// What a [`Poller`](crate::Poller) can wait for to send a message: a socket that sends, and a reference to one. Other types cannot
/// implement it.
pub trait Writable: Polled {}

impl<P: Incoming> Readable for Socket<P> {}
impl Readable for Pending {}
impl Readable for Answers {}
impl Readable for Events {}
impl<P: Sends> Writable for Socket<P> {}

/// `references!(&T, …)`: what refers to a `T`.
macro_rules! references {
    ($($reference:ty),+) => { $(
        impl<T: Polled + ?Sized> Polled for $reference {
            fn target(&self) -> Target<'_> {
                (**self).target()
            }

            fn check(&self, direction: Direction) -> Result<(), Error> {
                (**self).check(direction)
            }

            fn watch(&self) -> Knowledge {
                (**self).watch()
            }
        }

        impl<T: Readable + ?Sized> Readable for $reference {}
        impl<T: Writable + ?Sized> Writable for $reference {}
    )+ };
}

references!(&T, Box<T>, Rc<T>, Arc<T>);

impl<P: Pattern> Polled for Socket<P> {
    fn target(&self) -> Target<'_> {
        Target(self.handle.socket())
    }

    fn watch(&self) -> Knowledge {
        Knowledge(self.watched.share(None))
    }

    fn check(&self, direction: Direction) -> Result<(), Error> {
        let has_direction = match direction {
            Direction::In => self.protocol.can_recv,
            Direction::Out => self.protocol.can_send,
        };
        match direction {
            _ if !has_direction => Err(Error::NotSupported),
            Direction::In => {
                self.check_protocol(|protocol| protocol.accepts() || !protocol.has_conversations())
            }
            Direction::Out => self.check_plain(),
        }
    }
}

impl Polled for Pending {
    fn target(&self) -> Target<'_> {
        Target(self.conversation().socket())
    }

    fn watch(&self) -> Knowledge {
        Knowledge(self.conversation().watch(self.own_wait()))
    }
}

impl Polled for Answers {
    fn target(&self) -> Target<'_> {
        Target(self.conversation().socket())
    }

    fn watch(&self) -> Knowledge {
        Knowledge(self.conversation().watch(self.own_wait()))
    }
}

impl Polled for Events {
    fn target(&self) -> Target<'_> {
        self.subscriber().target()
    }

    fn watch(&self) -> Knowledge {
        Knowledge(self.watched().share(Some(self.are_over().then_some(Time::ZERO))))
    }
}
