//! Contexts: sockets that use the pipes of another one, their *parent*, and have a conversation of their own.
//!
//! The state of a context is in the core of its parent, under the parent's lock. The context's own core is closed for
//! good: the first try of a call fails there as on a closed socket, and only then checks whether the socket is a context.
//! So a socket without contexts has nothing more to check. All later tries, and all other calls, begin with
//! [`Socket::lock`].

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Socket;
use super::core::Core;
use super::face::{Face, Faces, Seat};
use super::guarded::Guard;
use super::registry::enter;
use crate::error::Error;
use crate::option::SocketOption;
use crate::pipe::Edges;
use crate::protocol::{Changed, Contexts, OWN, PipeId, Place, Protocol};
use crate::sync::Event;

/// The place of a context at its parent.
pub(super) struct Membership {
    pub(super) parent: Arc<Socket>,
    place: Place,
}

/// The state that calls of a socket work with, locked. For a context it is that of its parent, which shows the context's
/// face.
pub(super) struct Locked<'a> {
    core: Guard<'a, Core>,
    /// The socket that the state belongs to.
    pub(super) owner: &'a Socket,
    pub(super) is_context: bool,
}

impl Deref for Locked<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Locked<'_> {
    /// Keeps the lock, which must be the socket's own.
    pub(super) fn keep_locked(self) {
        debug_assert!(!self.is_context);
        std::mem::forget(self);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if self.is_context {
            self.core.show(OWN);
        }
    }
}

impl Socket {
    /// Locks the state that calls of this socket work with.
    ///
    /// # Errors
    /// [`Error::Closed`] while the socket is being closed, or once the parent of a context is.
    pub(super) fn lock(&self) -> Result<Locked<'_>, Error> {
        self.lock_more(self.core.lock())
    }

    /// As [`Socket::lock`], with the socket's own state, which is locked.
    pub(super) fn lock_more<'a>(&'a self, own: Guard<'a, Core>) -> Result<Locked<'a>, Error> {
        if !own.is_closing {
            return Ok(Locked { core: own, owner: self, is_context: false });
        }
        drop(own);
        let Membership { parent, place } = self.membership.get().ok_or(Error::Closed)?;
        let mut core = parent.core.lock();
        if core.is_closing || core.seat(*place).is_none_or(|seat| seat.is_closing) {
            return Err(Error::Closed);
        }
        core.show(*place);
        Ok(Locked { core, owner: parent, is_context: true })
    }

    /// Whether the socket is a context. It stays one.
    pub(super) fn is_context(&self) -> bool {
        self.membership.get().is_some()
    }

    /// Does nothing, unless the socket is a context whose parent is closed. For calls that do not begin with
    /// [`Socket::lock`].
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn check_parent(&self) -> Result<(), Error> {
        if self.is_context() { self.lock().map(drop) } else { Ok(()) }
    }

    /// The parent, if the socket is a context.
    #[must_use]
    pub fn parent(&self) -> Option<&Socket> {
        self.membership.get().map(|membership| &*membership.parent)
    }

    /// The socket's number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.id
    }

    /// The socket to which an option belongs: the parent, unless each context has its own value.
    pub(super) fn owner_of(&self, option: SocketOption) -> &Socket {
        self.parent().filter(|_| !option.is_of_context()).unwrap_or(self)
    }

    /// The event after whose change a receiver may succeed, once the socket is a context.
    pub(super) fn receivers_of_context(&self) -> &Event {
        let parent = self.parent().filter(|_| self.info.contexts == Contexts::Pull);
        &parent.unwrap_or(self).receivers
    }

    /// Makes this socket a context of another one, or of that one's parent.
    ///
    /// # Errors
    /// [`Error::NotSupported`] if the protocol has no contexts, or the socket is raw. [`Error::InvalidArgument`] if the
    /// other one is not open, is this one, or has another protocol or domain. [`Error::WrongState`] if this one is a
    /// context or has contexts, or has ever had an endpoint. [`Error::OutOfMemory`], [`Error::Closed`].
    pub fn share(&self, other: i32) -> Result<(), Error> {
        if self.is_raw || self.info.contexts == Contexts::None {
            return Err(Error::NotSupported);
        }
        let other = enter(other).map_err(|_| Error::InvalidArgument)?;
        let parent = match other.membership.get() {
            Some(membership) => membership.parent.clone(),
            None => other.this.upgrade().ok_or(Error::InvalidArgument)?,
        };
        if parent.info != self.info || parent.is_raw || std::ptr::eq(&raw const *parent, self) {
            return Err(Error::InvalidArgument);
        }
        let mut edges = Edges::default();
        let monitoring = loop {
            let mut core = parent.core.lock();
            if core.is_closing {
                return Err(Error::InvalidArgument);
            }
            // The locks of sockets have no order, so this one must not be waited for while the other is held.
            if let Some(mut own) = self.core.try_lock() {
                self.join(&parent, &mut core, &mut own, &mut edges)?;
                // As the values of the other options that are the parent's.
                let monitoring = own.watch.monitoring.take();
                self.is_monitored.store(false, Ordering::Relaxed);
                drop(own);
                // From now on the I/O thread processes what comes, also if nothing has come so far.
                parent.update_all(&mut core, &mut edges);
                break monitoring;
            }
            drop(core);
            // Not a loop without sleep: the holder may have a lower priority.
            drop(self.core.lock());
        };
        edges.deliver();
        if let Some(monitoring) = monitoring {
            monitoring.end_with(std::iter::empty());
        }
        // Calls that are blocked go on as calls of a context.
        self.senders.notify_all();
        self.receivers.notify_all();
        Ok(())
    }

    /// Moves what this socket has, `own`, to the core of its parent.
    fn join(
        &self,
        parent: &Arc<Socket>,
        core: &mut Core,
        own: &mut Core,
        edges: &mut Edges,
    ) -> Result<(), Error> {
        if self.is_context() || own.faces.is_some() || own.endpoints.were_used() {
            return Err(Error::WrongState);
        }
        if own.is_closing {
            return Err(Error::Closed);
        }
        let this = self.this.upgrade().ok_or(Error::Closed)?;
        if core.faces.is_none() {
            let mailbox = core.add_mailbox()?;
            core.protocol.share((self.info.machine)(false, 0), mailbox);
            core.faces = Some(Box::new(Faces::new(mailbox)));
            core.revoke_direct_reads();
        }
        core.protocol.try_reserve().ok_or(Error::OutOfMemory)?;
        let mailbox = core.add_mailbox()?;
        let machine = std::mem::replace(&mut own.protocol, (self.info.machine)(false, 0));
        let place = core.protocol.add(machine, mailbox).ok_or(Error::InvalidArgument)?;
        let face = std::mem::replace(&mut own.face, Face::new());
        if let Some(faces) = &mut core.faces {
            faces.occupy(place, Seat { face, socket: Some(this), mailbox, is_closing: false });
        }
        own.is_closing = true;
        _ = self.membership.set(Membership { parent: parent.clone(), place });
        // What was true of the socket may be wrong for the context.
        core.update_face(place, edges);
        core.show(OWN);
        Ok(())
    }

    /// Ends the calls of a context that is being closed. Does nothing for other sockets.
    pub(super) fn interrupt_context(&self) {
        let Some(Membership { parent, place }) = self.membership.get() else { return };
        if let Some(seat) = parent.core.lock().seat(*place) {
            seat.is_closing = true;
            seat.face.close();
        }
        // All receivers, also those of other contexts: a call of this one may have taken a notification.
        self.receivers_of_context().notify_all();
    }

    /// Removes a context from its parent, when no call is inside. Does nothing for other sockets.
    pub(super) fn leave_parent(&self) {
        let Some(Membership { parent, place }) = self.membership.get() else { return };
        let removed = {
            let mut core = parent.core.lock();
            core.protocol.remove(*place);
            let seat = core.faces.as_mut().and_then(|faces| faces.vacate(*place));
            let mailbox = seat.as_ref().and_then(|seat| core.pipes.remove(seat.mailbox));
            (seat, mailbox)
        };
        // Outside the lock: the last reference to this socket may be in it.
        drop(removed);
    }

    /// Updates the faces of the conversations that may have got something to receive, and wakes their receivers. For
    /// a socket with contexts, whenever something has happened.
    pub(super) fn update_contexts(&self, core: &mut Core, edges: &mut Edges) {
        let Some(shown) = core.faces.as_ref().map(|faces| faces.shown) else { return };
        // The machine may have stopped before it had distributed all messages.
        core.call(edges, |protocol, context| protocol.can_recv(context));
        core.process_ready(&self.ready, edges);
        if self.info.contexts == Contexts::Pull {
            core.update_pulling_faces(edges);
        }
        while let Some(Changed { place, has_ended }) = core.protocol.next_changed() {
            core.update_face(place, edges);
            let context = core.seat(place).and_then(|seat| seat.socket.as_ref());
            let socket = context.map_or(self, |socket| socket);
            if has_ended {
                socket.receivers.notify_all()
            } else {
                socket.notify_receiver()
            }
            core.process_ready(&self.ready, edges);
        }
        core.show(shown);
        core.pipes.reset_moves();
    }
}

impl Core {
    /// Puts the face of a place, and its conversation, in the position that calls work with.
    pub(super) fn show(&mut self, place: Place) {
        if let Some(faces) = &mut self.faces
            && faces.shown != place
        {
            faces.show(place, &mut self.face);
            self.protocol.select(place);
        }
    }

    /// What belongs to a place of a socket with contexts.
    fn seat(&mut self, place: Place) -> Option<&mut Seat> {
        self.faces.as_mut()?.seat(place)
    }

    /// Wakes the next receiver of the context that is shown.
    pub(super) fn notify_receiver_of_context(&mut self) {
        let shown = self.faces.as_ref().map(|faces| faces.shown);
        if let Some(Seat { socket: Some(context), .. }) = shown.and_then(|place| self.seat(place)) {
            context.notify_receiver();
        }
    }

    /// Updates what the place shows, and shows it.
    fn update_face(&mut self, place: Place, edges: &mut Edges) {
        self.show(place);
        self.face.registrations.remove_stale();
        self.update_pollables(edges);
    }

    /// Updates all faces if there is a first message, or none any more. For messages that go to any context.
    fn update_pulling_faces(&mut self, edges: &mut Edges) {
        let can_recv = self.call(edges, |protocol, context| protocol.can_recv(context));
        let Some(faces) = &mut self.faces else { return };
        if std::mem::replace(&mut faces.could_recv, can_recv) != can_recv {
            faces.polled(&self.face).into_iter().for_each(|place| self.update_face(place, edges));
        }
    }

    /// Adds a mailbox, which has room for as much as the inbound queue of a pipe.
    fn add_mailbox(&mut self) -> Result<PipeId, Error> {
        let id = self.pipes.next_id().ok_or(Error::OutOfMemory)?;
        self.pipes.insert_mailbox(id, self.options.size(SocketOption::ReceiveBuffer));
        Ok(id)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::message::{Outgoing, Payload};
    use crate::option::Setting;
    use crate::protocol::{self, ProtocolInfo, SUBSCRIBE, SURVEY_DEADLINE};
    use crate::socket::{AF_SP, AF_SP_RAW, close, open, recv, send};

    fn socket(info: &ProtocolInfo) -> i32 {
        open(AF_SP, info.number.into()).unwrap()
    }

    fn share(id: i32, parent: i32) -> Result<(), Error> {
        enter(id).unwrap().share(parent)
    }

    fn context(info: &ProtocolInfo, parent: i32) -> i32 {
        let id = socket(info);
        share(id, parent).unwrap();
        id
    }

    /// Sockets of two protocols that are connected to each other, over inproc and over tcp.
    fn pairs(name: &str, bound: &ProtocolInfo, connected: &ProtocolInfo) -> [(i32, i32); 2] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        [format!("inproc://contexts/{name}"), format!("tcp://127.0.0.1:{port}")].map(|address| {
            let (bound, connected) = (socket(bound), socket(connected));
            enter(bound).unwrap().bind(address.as_bytes()).unwrap();
            enter(connected).unwrap().connect(address.as_bytes()).unwrap();
            (bound, connected)
        })
    }

    fn say(id: i32, text: &str) -> Result<(), Error> {
        send(id, &mut Outgoing::new(Payload::Borrowed(text.as_bytes())), false)
    }

    fn hear_at(id: i32, dont_wait: bool) -> Result<String, Error> {
        recv(id, dont_wait, |received| {
            let (first, second) = received.body();
            String::from_utf8([first, second].concat()).unwrap()
        })
    }

    fn hear(id: i32) -> Result<String, Error> {
        hear_at(id, false)
    }

    fn close_all(ids: impl IntoIterator<Item = i32>) {
        ids.into_iter().for_each(|id| close(id).unwrap());
    }

    #[test]
    fn the_io_thread_processes_what_comes_after_the_first_context() {
        let parent = socket(&protocol::SUB);
        let is_prompt =
            || enter(parent).unwrap().needs_prompt_processing.load(std::sync::atomic::Ordering::Relaxed);
        assert!(!is_prompt());
        let context = context(&protocol::SUB, parent);
        assert!(is_prompt());
        close_all([context, parent]);
    }

    #[test]
    fn each_context_gets_the_replies_to_its_requests() {
        const CONTEXTS: usize = 8;
        const REQUESTS: usize = 100;
        for (server, client) in pairs("each", &protocol::REP, &protocol::REQ) {
            let servers: Vec<_> =
                (1..CONTEXTS).map(|_| context(&protocol::REP, server)).chain([server]).collect();
            let clients: Vec<_> =
                (1..CONTEXTS).map(|_| context(&protocol::REQ, client)).chain([client]).collect();
            let answered = AtomicUsize::new(0);
            thread::scope(|scope| {
                for id in &servers {
                    scope.spawn(|| {
                        while let Ok(request) = hear(*id) {
                            say(*id, &format!("re {request}")).unwrap();
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                let asking: Vec<_> = clients
                    .iter()
                    .map(|id| {
                        scope.spawn(move || {
                            for number in 0..REQUESTS {
                                // Some are large, and travel as chunks.
                                let text = format!("{id} {number} {}", "x".repeat(number % 4 * 1500));
                                say(*id, &text).unwrap();
                                assert_eq!(hear(*id), Ok(format!("re {text}")));
                            }
                        })
                    })
                    .collect();
                let outcomes: Vec<_> = asking.into_iter().map(|thread| thread.join()).collect();
                // Ends the contexts' calls as well.
                close(server).unwrap();
                outcomes.into_iter().for_each(|outcome| outcome.unwrap());
            });
            assert_eq!(answered.into_inner(), CONTEXTS * REQUESTS);
            close_all(clients.into_iter().chain(servers.into_iter().filter(|id| *id != server)));
        }
    }

    #[test]
    fn requests_are_answered_in_any_order_and_a_cancelled_one_is_not() {
        for (server, client) in pairs("order", &protocol::REP, &protocol::REQ) {
            let (server2, client2) = (context(&protocol::REP, server), context(&protocol::REQ, client));
            say(client, "a").unwrap();
            assert_eq!(hear(server), Ok("a".into()));
            say(client2, "b").unwrap();
            assert_eq!(hear(server2), Ok("b".into()));
            say(server2, "to b").unwrap();
            assert_eq!(hear(client2), Ok("to b".into()));
            assert_eq!(hear(client2), Err(Error::WrongState));
            assert_eq!(say(server2, "again"), Err(Error::WrongState));

            say(client, "c").unwrap();
            say(server, "to a").unwrap();
            assert_eq!(hear(server2), Ok("c".into()));
            say(server2, "to c").unwrap();
            assert_eq!(hear(client), Ok("to c".into()));
            close_all([client, server, server2, client2]);
        }
    }

    #[test]
    fn closing_a_context_leaves_the_others_alone() {
        for (server, client) in pairs("leave", &protocol::REP, &protocol::REQ) {
            let (server2, client2) = (context(&protocol::REP, server), context(&protocol::REQ, client));
            say(client2, "nobody waits").unwrap();
            assert_eq!(hear(server2), Ok("nobody waits".into()));
            say(client, "a").unwrap();
            close(client2).unwrap();
            say(server2, "too late").unwrap();
            close(server2).unwrap();
            assert_eq!(hear(server), Ok("a".into()));
            say(server, "to a").unwrap();
            assert_eq!(hear(client), Ok("to a".into()));
            // The places are used again.
            let client3 = context(&protocol::REQ, client);
            assert_eq!(hear(client3), Err(Error::WrongState));
            say(client3, "b").unwrap();
            assert_eq!(hear(server), Ok("b".into()));
            close_all([client, client3, server]);
        }
    }

    #[test]
    fn closing_the_parent_ends_the_calls_of_its_contexts() {
        for info in [&protocol::REP, &protocol::REQ, &protocol::SUB, &protocol::SURVEYOR] {
            let parent = socket(info);
            let contexts = [(); 2].map(|()| context(info, parent));
            thread::scope(|scope| {
                for id in contexts {
                    if info.acts_between_calls {
                        say(id, "no one hears this").unwrap();
                    }
                    scope.spawn(move || assert_eq!(hear(id), Err(Error::Closed)));
                }
                close(parent).unwrap();
            });
            for id in contexts {
                let call = enter(id).unwrap();
                assert_eq!((hear(id), call.can_recv()), (Err(Error::Closed), Err(Error::Closed)));
                assert_eq!(call.receive_descriptor(), Err(Error::Closed));
                drop(call);
                close(id).unwrap();
            }
        }
    }

    #[test]
    fn a_blocked_receiver_goes_on_as_one_of_a_context() {
        for (server, client) in pairs("blocked", &protocol::REP, &protocol::REQ) {
            let late = socket(&protocol::REP);
            thread::scope(|scope| {
                let receiver = scope.spawn(|| hear(late));
                while !enter(late).unwrap().receivers.has_waiters() {
                    thread::yield_now();
                }
                share(late, server).unwrap();
                say(client, "for the late one").unwrap();
                assert_eq!(receiver.join().unwrap(), Ok("for the late one".into()));
            });
            close_all([client, late, server]);
        }
    }

    #[test]
    fn a_pending_request_is_sent_by_the_parent() {
        for (server, client) in pairs("pending", &protocol::REP, &protocol::REQ) {
            let other = socket(&protocol::REQ);
            say(other, "early").unwrap();
            share(other, client).unwrap();
            assert_eq!(hear(server), Ok("early".into()));
            say(server, "in time").unwrap();
            assert_eq!(hear(other), Ok("in time".into()));
            close_all([client, other, server]);
        }
    }

    #[test]
    fn surveys_of_contexts_are_apart() {
        for (surveyor, respondent) in pairs("survey", &protocol::SURVEYOR, &protocol::RESPONDENT) {
            while enter(surveyor).unwrap().statistic(super::super::Statistic::Connections) != Ok(1) {
                thread::yield_now();
            }
            let surveyor2 = context(&protocol::SURVEYOR, surveyor);
            let respondent2 = context(&protocol::RESPONDENT, respondent);
            let deadline =
                |id, time| enter(id).unwrap().set_protocol_option(SURVEY_DEADLINE, Setting::Int(time));
            deadline(surveyor, -1).unwrap();
            deadline(surveyor2, 100).unwrap();
            say(surveyor, "a").unwrap();
            say(surveyor2, "b").unwrap();
            assert_eq!((hear(respondent), hear(respondent2)), (Ok("a".into()), Ok("b".into())));
            say(respondent2, "to b").unwrap();
            say(respondent, "to a").unwrap();
            assert_eq!((hear(surveyor), hear(surveyor2)), (Ok("to a".into()), Ok("to b".into())));
            assert_eq!((hear(surveyor2), hear(surveyor2)), (Err(Error::TimedOut), Err(Error::WrongState)));
            assert_eq!(hear_at(surveyor, true), Err(Error::WouldBlock));
            close_all([surveyor2, respondent2, surveyor, respondent]);
        }
    }

    #[test]
    fn all_receivers_of_a_context_are_woken_at_the_deadline() {
        let surveyor = socket(&protocol::SURVEYOR);
        let id = context(&protocol::SURVEYOR, surveyor);
        enter(id).unwrap().set_protocol_option(SURVEY_DEADLINE, Setting::Int(50)).unwrap();
        for _ in 0..10 {
            say(id, "no one hears this").unwrap();
            let mut outcomes = thread::scope(|scope| {
                let receivers = [(); 3].map(|()| scope.spawn(|| hear(id).unwrap_err()));
                receivers.map(|receiver| receiver.join().unwrap())
            });
            outcomes.sort_by_key(|error| *error != Error::TimedOut);
            assert_eq!(outcomes, [Error::TimedOut, Error::WrongState, Error::WrongState]);
        }
        close_all([id, surveyor]);
    }

    #[test]
    fn each_context_receives_what_it_has_subscribed_to() {
        for (publisher, subscriber) in pairs("sub", &protocol::PUB, &protocol::SUB) {
            let subscribe = |id, text: &str| {
                enter(id).unwrap().set_protocol_option(SUBSCRIBE, Setting::Bytes(text.as_bytes()))
            };
            let (both, early) = (context(&protocol::SUB, subscriber), socket(&protocol::SUB));
            subscribe(subscriber, "a").unwrap();
            subscribe(both, "").unwrap();
            subscribe(early, "b").unwrap();
            share(early, both).unwrap();
            let large = format!("b{}", "x".repeat(5000));
            while enter(publisher).unwrap().statistic(super::super::Statistic::Connections) != Ok(1) {
                thread::yield_now();
            }
            for text in ["a1", &large, "c1", "a2"] {
                say(publisher, text).unwrap();
            }
            assert_eq!([hear(subscriber), hear(subscriber)], [Ok("a1".into()), Ok("a2".into())]);
            assert_eq!(hear(early), Ok(large.clone()));
            let all = [(); 4].map(|()| hear(both).unwrap());
            assert_eq!(all, ["a1", &large, "c1", "a2"]);
            assert_eq!(hear_at(early, true), Err(Error::WouldBlock));
            close_all([publisher, early, both, subscriber]);
        }
    }

    #[test]
    fn a_subscriber_that_does_not_receive_holds_no_other_one_back() {
        let [(publisher, subscriber), _tcp] = pairs("slow", &protocol::PUB, &protocol::SUB);
        close_all([_tcp.0, _tcp.1]);
        let lazy = context(&protocol::SUB, subscriber);
        for id in [subscriber, lazy] {
            enter(id).unwrap().set_protocol_option(SUBSCRIBE, Setting::Bytes(b"")).unwrap();
        }
        let text = "x".repeat(1000);
        for number in 0..1000 {
            say(publisher, &format!("{number} {text}")).unwrap();
            assert_eq!(hear(subscriber), Ok(format!("{number} {text}")));
        }
        // The first ones are kept, as far as there is room.
        assert_eq!(hear(lazy), Ok(format!("0 {text}")));
        let kept = std::iter::from_fn(|| hear_at(lazy, true).ok()).count();
        assert!((100..200).contains(&kept), "{kept}");
        close_all([publisher, subscriber, lazy]);
    }

    #[test]
    fn descriptors_of_contexts_follow_their_conversations() {
        for (server, client) in pairs("descriptors", &protocol::REP, &protocol::REQ) {
            let (server2, client2) = (context(&protocol::REP, server), context(&protocol::REQ, client));
            let is_ready = |id| {
                let descriptor = enter(id).unwrap().receive_descriptor().unwrap();
                let mut entry = [crate::sync::Polled::new(descriptor)];
                crate::sync::poll(&mut entry, Some(Duration::ZERO)).unwrap() == 1
            };
            let until_ready = |id| {
                while !is_ready(id) {
                    thread::yield_now();
                }
            };
            assert_eq!([server, server2, client, client2].map(is_ready), [false; 4]);
            say(client2, "a").unwrap();
            until_ready(server);
            until_ready(server2);
            assert_eq!(hear(server2), Ok("a".into()));
            assert_eq!([server, server2].map(is_ready), [false; 2]);
            say(server2, "to a").unwrap();
            until_ready(client2);
            assert!(!is_ready(client));
            assert_eq!(hear(client2), Ok("to a".into()));
            assert!(!is_ready(client2));
            close_all([server2, client2, client, server]);
        }
    }

    #[test]
    fn timeouts_are_those_of_the_context_and_other_options_those_of_the_parent() {
        let parent = socket(&protocol::REP);
        let id = context(&protocol::REP, parent);
        let set = |id, option, value| enter(id).unwrap().set_option(option, Setting::Int(value));
        let get = |id, option| enter(id).unwrap().option(option);
        set(id, SocketOption::ReceiveTimeout, 1).unwrap();
        assert_eq!(hear(id), Err(Error::TimedOut));
        assert_eq!(get(parent, SocketOption::ReceiveTimeout), crate::option::Value::Int(-1));
        set(id, SocketOption::Linger, 7).unwrap();
        assert_eq!(get(parent, SocketOption::Linger), crate::option::Value::Int(7));
        close_all([parent, id]);
    }

    #[test]
    fn only_a_fresh_socket_of_the_same_protocol_becomes_a_context() {
        let parent = socket(&protocol::REP);
        let (other, raw) = (socket(&protocol::REQ), open(AF_SP_RAW, protocol::REP.number.into()).unwrap());
        let push = socket(&protocol::PUSH);
        let id = socket(&protocol::REP);
        assert_eq!([share(raw, parent), share(push, push)], [Err(Error::NotSupported); 2]);
        for wrong in [-1, i32::MAX, other, raw, id] {
            assert_eq!(share(id, wrong), Err(Error::InvalidArgument), "{wrong}");
        }
        let bound = socket(&protocol::REP);
        let endpoint = enter(bound).unwrap().bind(b"inproc://contexts/bound").unwrap();
        enter(bound).unwrap().shutdown(endpoint).unwrap();
        assert_eq!(share(bound, parent), Err(Error::WrongState));
        share(id, parent).unwrap();
        assert_eq!([share(id, parent), share(id, bound)], [Err(Error::WrongState); 2]);
        assert_eq!(
            [share(parent, id), share(parent, bound)],
            [Err(Error::InvalidArgument), Err(Error::WrongState)]
        );
        let call = enter(id).unwrap();
        assert_eq!(call.bind(b"inproc://contexts/own"), Err(Error::NotSupported));
        assert_eq!(call.connect(b"inproc://contexts/own"), Err(Error::NotSupported));
        assert_eq!(call.shutdown(1), Err(Error::InvalidArgument));
        assert_eq!(call.parent().map(Socket::number), Some(parent));
        drop(call);
        close_all([id, bound, push, raw, other, parent]);
    }
}
