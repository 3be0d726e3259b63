//! Receivers within the process that are told of messages later.
//!
//! To wake a thread for each message of a flood takes the sender longer than to send it, and the thread longer than to receive
//! it. So in a flood to several receivers, of a publisher or of a PUSH, the edges of their empty lanes are *held*, as messages to
//! connections gather: a receiver is told when its lane holds some kilobytes, before the sending thread blocks, or by the I/O
//! thread. [`Batching`] decides when that begins and ends.
//!
//! [`Batching`]: crate::transport::Batching

use std::sync::Arc;

use super::Socket;
use crate::pipe::{Batch, Edges, Peer};
use crate::sync::{Uncancellable, lock, try_lock};
use crate::transport::{Gathers, OtherTeller};

/// So many receivers are woken in less time than they would wait.
const FEW: usize = 4;
/// So many checks in a row may leave the receivers to the sender, which tells those alone that get much.
const MAX_CHECKS: u32 = 40;

/// What a thread needs to tell the receivers.
#[derive(Default)]
pub(super) struct Telling {
    /// The number of checks in a row that have left them to the sender.
    checks: u32,
}

/// Whether edges are held. It is kept small: it lies among what each message uses.
#[derive(Default)]
pub(super) struct Held {
    state: State,
    /// The sender has told a receiver since the I/O thread has looked: a lane held enough. Not of a small one, which holds enough
    /// long before the others do.
    is_told_by_sender: bool,
    /// Something may be left to do after a message: always after a publisher's; after that of a PUSH which has told a receiver, or
    /// while edges are held.
    pub(super) may_matter: bool,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    None,
    /// No edge is held, and the messages of a PUSH are a flood, or were when the last one told a receiver.
    Flood,
    /// The first edge is held. The batching must be told.
    Begins,
    /// The batching will have the receivers told.
    Holds,
}

impl Held {
    /// Whether this edge of the lane to `peer`, one of so many `receivers`, is held. `is_flood`: the message may be held; `None` if
    /// that depends on those that a PUSH has sent before. `is_held` is set while an edge of the pipe is.
    pub(super) fn holds(
        &mut self,
        is_flood: Option<bool>,
        is_held: &mut bool,
        batch: &mut Batch<'_>,
        peer: &Arc<dyn Peer>,
        receivers: usize,
    ) -> bool {
        if std::mem::take(is_held) {
            // The lane holds enough, or the receiver has looked for itself.
            self.is_told_by_sender |= !batch.is_small();
            return false;
        }
        // A connection decides for itself.
        if is_flood == Some(false) || receivers <= FEW || peer.clone().direct_read().is_some() {
            return false;
        }
        self.may_matter = true;
        if is_flood.is_none() && self.state == State::None || !batch.hold_back() {
            return false;
        }
        *is_held = true;
        if !self.is_any() {
            self.state = State::Begins;
        }
        true
    }

    /// To be called after a message of a PUSH that may matter, with the number of receivers it has told. Returns whether it has told
    /// one while no edges are held; then `is_flood` says whether the messages are a flood.
    pub(super) fn has_told(&mut self, count: usize, is_flood: impl FnOnce() -> bool) -> bool {
        self.may_matter = self.is_any();
        let has_told = count > 0 && !self.may_matter;
        if has_told {
            self.state = if is_flood() { State::Flood } else { State::None };
        }
        has_told
    }

    /// No edges are held any more.
    fn end(&mut self) {
        *self = Held { may_matter: self.may_matter, ..Held::default() };
    }

    /// Whether edges may be held.
    pub(super) fn is_any(&self) -> bool {
        matches!(self.state, State::Begins | State::Holds)
    }

    /// Whether the first edge was held by the last message.
    pub(super) fn begins(&mut self) -> bool {
        let begins = self.state == State::Begins;
        if begins {
            self.state = State::Holds;
        }
        begins
    }
}

impl Socket {
    /// Has the batching tell the receivers. To be called without the lock, after the first message with a held edge.
    #[cold]
    pub(super) fn begin_holding(&self) {
        let _uncancellable = Uncancellable::begin();
        let Some(this) = self.this.upgrade() else { return };
        let Ok(reactor) = self.reactor() else { return self.tell_all(OtherTeller::IsAwaited) };
        match self.batching.add_receivers(this, &reactor) {
            Some(true) => reactor.wake(self.batching.clone()),
            Some(false) => {}
            None => self.tell_all(OtherTeller::IsAwaited),
        }
    }

    /// Ends the holding of edges, and tells the receivers.
    pub(super) fn tell_all(&self, other: OtherTeller) {
        let _telling = match other {
            OtherTeller::IsAwaited => Some(lock(&self.telling)),
            OtherTeller::IsNotAwaited => try_lock(&self.telling),
        };
        let mut edges = Edges::default();
        {
            let pipes = &mut self.core.lock().pipes;
            pipes.held.end();
            pipes.take_held(&mut edges);
        }
        edges.deliver();
    }
}

impl Gathers for Socket {
    fn write_gathered(self: Arc<Self>) -> Option<(usize, u32)> {
        let mut telling = lock(&self.telling);
        let mut edges = Edges::default();
        let written = {
            let pipes = &mut self.core.lock().pipes;
            if std::mem::take(&mut pipes.held.is_told_by_sender) && telling.checks < MAX_CHECKS {
                telling.checks += 1;
                return None;
            }
            telling.checks = 0;
            pipes.take_held(&mut edges)
        };
        edges.deliver();
        Some(written)
    }

    fn stop_gathering(self: Arc<Self>, other: OtherTeller) {
        self.tell_all(other);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::message::{Outgoing, Payload};
    use crate::option::{Setting, SocketOption};
    use crate::protocol;
    use crate::socket::pending::Try;
    use crate::socket::view::ReceiverCheck;
    use crate::socket::{AF_SP, close, enter, open, recv, send};

    const RECEIVERS: usize = 2 * FEW;

    /// A receiver of the publisher of this name, with an option.
    fn receiver(name: &str, option: SocketOption, value: i32) -> i32 {
        let id = open(AF_SP, protocol::SUB.number.into()).unwrap();
        let socket = enter(id).unwrap();
        socket.set_option(option, Setting::Int(value)).unwrap();
        socket.set_protocol_option(protocol::SUBSCRIBE, Setting::Bytes(b"")).unwrap();
        socket.connect(format!("inproc://held/{name}").as_bytes()).unwrap();
        id
    }

    /// A publisher and its receivers.
    fn publisher(name: &str) -> (i32, [i32; RECEIVERS]) {
        let publisher = open(AF_SP, protocol::PUB.number.into()).unwrap();
        enter(publisher).unwrap().bind(format!("inproc://held/{name}").as_bytes()).unwrap();
        (publisher, [(); RECEIVERS].map(|()| receiver(name, SocketOption::ReceiveTimeout, -1)))
    }

    /// A PUSH and its receivers, in the order in which they get messages.
    fn pusher(name: &str) -> (i32, [i32; RECEIVERS]) {
        let pusher = open(AF_SP, protocol::PUSH.number.into()).unwrap();
        enter(pusher).unwrap().bind(format!("inproc://held/{name}").as_bytes()).unwrap();
        let receivers = [(); RECEIVERS].map(|()| {
            let id = open(AF_SP, protocol::PULL.number.into()).unwrap();
            enter(id).unwrap().connect(format!("inproc://held/{name}").as_bytes()).unwrap();
            id
        });
        (pusher, receivers)
    }

    /// The next messages of a PUSH are a flood.
    fn begin_flood(id: i32) {
        enter(id).unwrap().core.lock().pipes.held.state = State::Flood;
    }

    fn publish(id: i32, bytes: &[u8]) {
        send(id, &mut Outgoing::new(Payload::Borrowed(bytes)), false).unwrap();
    }

    /// As [`publish`], by a thread that is stopped before it has the receivers told.
    fn hold(id: i32, bytes: &[u8]) {
        let socket = enter(id).unwrap();
        let message = &mut Outgoing::new(Payload::Borrowed(bytes));
        let mut edges = Edges::default();
        let check = ReceiverCheck::Lag { holds: true };
        let sent = socket.try_send(&mut socket.core.lock(), message, check, &mut edges);
        assert!(matches!(sent, Ok(Try::Done(..))));
        edges.deliver();
    }

    /// The length of the next message, if there is one.
    fn next(id: i32) -> Result<usize, Error> {
        recv(id, true, |received| received.length())
    }

    #[test]
    fn a_thread_receives_at_once_what_it_has_sent_in_a_flood() {
        let (publisher, receivers) = publisher("own");
        for round in 0..1000 {
            let batch = round % 4 + 1;
            for length in 0..batch {
                enter(publisher).unwrap().batching.expect_flood();
                publish(publisher, &[0; 4][..length]);
            }
            for id in receivers {
                (0..batch).for_each(|length| assert_eq!(next(id), Ok(length)));
                assert_eq!(next(id), Err(Error::WouldBlock));
            }
        }
        receivers.into_iter().chain([publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_thread_receives_at_once_what_it_has_pushed_in_a_flood() {
        let (pusher, receivers) = pusher("pushed");
        for round in 0..1000 {
            let turns = round % 4 + 1;
            begin_flood(pusher);
            for length in 0..turns * RECEIVERS {
                publish(pusher, &[0; 4 * RECEIVERS][..length]);
            }
            for (place, id) in receivers.into_iter().enumerate() {
                (0..turns).for_each(|turn| assert_eq!(next(id), Ok(turn * RECEIVERS + place)));
                assert_eq!(next(id), Err(Error::WouldBlock));
            }
        }
        receivers.into_iter().chain([pusher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_thread_receives_at_once_what_it_has_pushed_in_the_flood_of_another() {
        let (pusher, receivers) = pusher("pushed by another");
        let push_to_all = move |bytes: &[u8]| receivers.iter().for_each(|_| publish(pusher, bytes));
        for _ in 0..100 {
            begin_flood(pusher);
            std::thread::spawn(move || push_to_all(b"of the other")).join().unwrap();
            push_to_all(b"own");
            for id in receivers {
                assert_eq!([next(id), next(id), next(id)], [Ok(12), Ok(3), Err(Error::WouldBlock)]);
            }
        }
        receivers.into_iter().chain([pusher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn each_receiver_of_a_push_is_told_of_the_last_message_of_a_flood() {
        let (pusher, receivers) = pusher("last of a push");
        for round in 0..100 {
            let threads = receivers.map(|id| {
                std::thread::spawn(move || {
                    (0..=round)
                        .for_each(|turn| assert_eq!(recv(id, false, |received| received.length()), Ok(turn)));
                })
            });
            for turn in 0..=round {
                begin_flood(pusher);
                receivers.iter().for_each(|_| publish(pusher, &[0; 100][..turn]));
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        receivers.into_iter().chain([pusher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_thread_receives_at_once_what_it_has_sent_in_the_flood_of_another() {
        let (publisher, receivers) = publisher("other");
        for _ in 0..100 {
            enter(publisher).unwrap().batching.expect_flood();
            std::thread::spawn(move || publish(publisher, b"of the other")).join().unwrap();
            publish(publisher, b"own");
            for id in receivers {
                assert_eq!([next(id), next(id), next(id)], [Ok(12), Ok(3), Err(Error::WouldBlock)]);
            }
        }
        receivers.into_iter().chain([publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_thread_receives_the_last_message_it_has_sent_in_a_flood() {
        let (publisher, receivers) = publisher("last");
        let last = receiver("last", SocketOption::Conflate, 1);
        for round in 0..1000 {
            for length in 0..=round % 4 {
                enter(publisher).unwrap().batching.expect_flood();
                publish(publisher, &[0; 4][..length]);
            }
            assert_eq!((next(last), next(last)), (Ok(round % 4), Err(Error::WouldBlock)));
        }
        receivers.into_iter().chain([last, publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_receiver_is_told_when_enough_is_held_or_by_the_io_thread() {
        // Fewer bytes than a lane has room for: nothing is dropped.
        let lengths = || (0..200).chain([0]);
        let (publisher, receivers) = publisher("told");
        let threads = receivers.map(|id| {
            std::thread::spawn(move || {
                for length in lengths() {
                    assert_eq!(recv(id, false, |received| received.length()), Ok(5 * length));
                }
            })
        });
        for length in lengths() {
            enter(publisher).unwrap().batching.expect_flood();
            publish(publisher, &[0; 1000][..5 * length]);
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        receivers.into_iter().chain([publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn a_receiver_that_gets_little_is_told_in_the_flood_of_others() {
        let (publisher, receivers) = publisher("little");
        hold(publisher, b"little");
        let socket = enter(publisher).unwrap().this.upgrade().unwrap();
        let check = || {
            socket.core.lock().pipes.held.is_told_by_sender = true;
            _ = socket.clone().write_gathered();
            next(receivers[0])
        };
        let last = (0..MAX_CHECKS).filter(|_| check() == Err(Error::WouldBlock)).count();
        assert_eq!((last, check()), (40, Ok(6)));
        receivers.into_iter().chain([publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn what_is_held_is_received_after_the_publisher_is_closed() {
        let (publisher, receivers) = publisher("closed");
        for length in 0..100 {
            enter(publisher).unwrap().batching.expect_flood();
            publish(publisher, &[0; 100][..length]);
        }
        close(publisher).unwrap();
        for id in receivers {
            (0..100).for_each(|length| assert_eq!(next(id), Ok(length)));
            close(id).unwrap();
        }
    }

    #[test]
    fn receivers_are_told_when_a_side_ends_their_connection() {
        type End = fn(i32, &[i32]);
        fn shut_down(id: i32) {
            enter(id).unwrap().shutdown(1).unwrap();
        }
        let ends: [End; 3] = [
            |publisher, _| close(publisher).unwrap(),
            |publisher, _| shut_down(publisher),
            |_, receivers| receivers.iter().copied().for_each(shut_down),
        ];
        for (index, end) in ends.iter().enumerate() {
            let (publisher, receivers) = publisher("ended");
            hold(publisher, b"message");
            end(publisher, &receivers);
            for id in receivers {
                assert_eq!((next(id), next(id)), (Ok(7), Err(Error::WouldBlock)), "end {index}");
                close(id).unwrap();
            }
            assert_eq!(close(publisher).is_ok(), index > 0);
        }
    }

    /// As when its thread delivers edges: those of this socket, or others on which a thread waits that tells the receivers.
    #[test]
    fn a_sender_that_ends_gathering_does_not_wait_for_another_teller() {
        let (publisher, receivers) = publisher("nested");
        let socket = enter(publisher).unwrap();
        let telling = lock(&socket.telling);
        hold(publisher, b"message");
        socket.begin_holding();
        // More than enough in vain.
        (0..100).for_each(|_| socket.batching.note_write_by_sender(false));
        assert_eq!(receivers.map(next), [Ok(7); RECEIVERS]);
        drop(telling);
        drop(socket);
        receivers.into_iter().chain([publisher]).for_each(|id| close(id).unwrap());
    }

    #[test]
    fn the_io_thread_tells_a_receiver_while_the_sender_tells_another_one() {
        let (publisher, receivers) = publisher("small lane");
        let small = receiver("small lane", SocketOption::ReceiveBuffer, 1024);
        let mut received = 0;
        while next(receivers[0]).is_err() {
            // Enough for the small lane.
            (0..10).for_each(|_| hold(publisher, &[0; 50]));
            while next(small).is_ok() {
                received += 1;
            }
            _ = enter(publisher).unwrap().this.upgrade().unwrap().write_gathered();
            assert!(received < 100);
        }
        assert!(received > 0, "the sender has told no receiver");
        receivers.into_iter().chain([small, publisher]).for_each(|id| close(id).unwrap());
    }
}
