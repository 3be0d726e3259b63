//! A simulated [`Context`] for the tests of the machines: pipes are plain queues, and tests set the clock.
//!
//! It checks that a machine keeps the contract of the module `protocol`. Each test runs twice: with a
//! *strict* context, which calls `readable` and `writable` as rarely and as late as the contract allows,
//! and stops the machine after each dropped message; and with a *lavish* one, which calls both after
//! every event, and repeatedly.

mod world;

use std::collections::VecDeque;
use std::time::Duration;

pub(super) use self::world::{FIRST_MAILBOX, Memory};
use self::world::{Pipe, ROOM, World};
use super::{Delivery, Machine, PipeId, PipeOptions, PipeRefused, Place, Protocol, ProtocolInfo, Refusal};
use crate::error::Error;
use crate::message::{Chunk, Front, Metadata, Outgoing, Payload, ProtocolHeader};
use crate::option::Setting;

/// The seed of the machines under test: the first question has the number that follows.
pub(super) const SEED: u32 = 6;

/// Runs a test with both contexts, the strict and the lavish one.
pub(super) fn simulate(info: &ProtocolInfo, raw: bool, test: impl Fn(Simulation)) {
    for lavish in [false, true] {
        test(Simulation::new(info, raw, lavish));
    }
}

/// A message as it is on the wire: words, followed by a text.
pub(super) fn wire(words: &[u32], text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A machine and its context.
pub(super) struct Simulation {
    pub machine: Machine,
    pub world: World,
    /// Whether the context is the lavish one.
    lavish: bool,
    /// Whether the machine has contexts. Then edges are reported at once.
    is_shared: bool,
    /// Whether pipes that are attached are filtering.
    pub is_filtering: bool,
    /// Whether `can_recv` must be true when `recv` fails with another error than `WouldBlock`.
    final_refusal_is_readable: bool,
}

/// A received message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub pipe: u32,
    pub header: Vec<u8>,
    pub body: String,
}

impl Simulation {
    /// A machine without pipes.
    pub(super) fn new(info: &ProtocolInfo, raw: bool, lavish: bool) -> Simulation {
        let world =
            World { cut: if lavish { 3 } else { 0 }, max_hops: 8, is_strict: !lavish, ..World::default() };
        let final_refusal_is_readable = *info == super::SURVEYOR && !raw;
        Simulation {
            machine: (info.machine)(raw, SEED),
            world,
            lavish,
            is_shared: false,
            is_filtering: false,
            final_refusal_is_readable,
        }
    }

    pub(super) fn attach(&mut self, pipe: u32) {
        assert_eq!(self.attach_with(pipe, 8, ROOM), Ok(()));
    }

    pub(super) fn attach_with(&mut self, pipe: u32, priority: u8, room: usize) -> Result<(), PipeRefused> {
        let id = PipeId(pipe);
        let is_filtering = self.is_filtering;
        let options = PipeOptions { send_priority: priority, receive_priority: priority, is_filtering };
        self.machine.attach(id, options)?;
        let (inbound, outbound) = (VecDeque::new(), VecDeque::new());
        let (closed, looped) = (false, false);
        let pipe = Pipe {
            inbound,
            outbound,
            room,
            closed,
            looped,
            seen_empty: true,
            looked_at: 0,
            seen_end: false,
            was_writable: false,
            seen_full: true,
        };
        self.world.pipes.insert(id, pipe);
        self.after_event();
        Ok(())
    }

    /// Makes the machine one with contexts.
    pub(super) fn share(&mut self, info: &ProtocolInfo) {
        let mailbox = self.world.add_mailbox();
        assert!(self.machine.share((info.machine)(false, SEED), mailbox));
        self.is_shared = true;
        self.after_event();
    }

    /// Adds the conversation of a machine without pipes. Returns its place.
    pub(super) fn add(&mut self, machine: Machine) -> Place {
        self.machine.try_reserve().expect("there is memory");
        let mailbox = self.world.add_mailbox();
        let place = self.machine.add(machine, mailbox).expect("the machine has the same protocol");
        self.after_event();
        place
    }

    /// Makes sent messages go to the inbound lane of the same pipe.
    pub(super) fn join_lanes(&mut self, pipe: u32) {
        self.world.pipe(pipe).looped = true;
    }

    /// The peer closes the pipe.
    pub(super) fn close(&mut self, pipe: u32) {
        self.world.past_misses += self.machine.missed_by(PipeId(pipe));
        self.world.pipe(pipe).closed = true;
        self.machine.closing(PipeId(pipe), &mut self.world);
        self.after_event();
    }

    /// The pipe is removed.
    pub(super) fn detach(&mut self, pipe: u32) {
        self.world.past_misses += self.machine.missed_by(PipeId(pipe));
        self.world.pipes.remove(&PipeId(pipe));
        self.machine.detach(PipeId(pipe), &mut self.world);
        self.after_event();
    }

    /// How many messages the pipes have missed, as the machine counts them for each.
    pub(super) fn misses(&self) -> u64 {
        let pipes = self.world.pipes.keys().map(|pipe| self.machine.missed_by(*pipe));
        self.world.past_misses + pipes.sum::<u64>()
    }

    /// The peer sends a message.
    pub(super) fn arrive(&mut self, pipe: u32, message: impl AsRef<[u8]>) {
        self.world.pipe(pipe).inbound.push_back(message.as_ref().to_vec());
        self.after_event();
    }

    /// The peer sends a message and closes the pipe, without a call to the machine in between.
    pub(super) fn arrive_and_close(&mut self, pipe: u32, message: impl AsRef<[u8]>) {
        self.world.pipe(pipe).inbound.push_back(message.as_ref().to_vec());
        self.close(pipe);
    }

    /// The peer reads all messages that were sent to it.
    pub(super) fn sent(&mut self, pipe: u32) -> Vec<Vec<u8>> {
        let sent = self.world.pipe(pipe).outbound.drain(..).map(|(bytes, _)| bytes).collect();
        self.after_event();
        sent
    }

    /// The peer reads the first message that was sent to it.
    #[cfg(feature = "testing")]
    pub(super) fn take_sent(&mut self, pipe: u32) -> Option<Vec<u8>> {
        let (bytes, _) = self.world.pipe(pipe).outbound.pop_front()?;
        self.after_event();
        Some(bytes)
    }

    /// The number of messages that the peer has not read.
    #[cfg(feature = "testing")]
    pub(super) fn unsent(&self, pipe: u32) -> usize {
        self.world.pipes[&PipeId(pipe)].outbound.len()
    }

    /// The memory of the last message that the peer has not read.
    pub(super) fn memory(&mut self, pipe: u32) -> Option<Memory> {
        self.world.pipe(pipe).outbound.back()?.1
    }

    /// The number of messages in the inbound lane.
    pub(super) fn unread(&self, pipe: u32) -> usize {
        self.world.pipes[&PipeId(pipe)].inbound.len()
    }

    pub(super) fn is_attached(&self, pipe: u32) -> bool {
        self.world.pipes.contains_key(&PipeId(pipe))
    }

    pub(super) fn is_open(&self, pipe: u32) -> bool {
        self.world.pipes.get(&PipeId(pipe)).is_some_and(|pipe| !pipe.closed)
    }

    /// Time passes, without a call to `timeout`.
    pub(super) fn drift(&mut self, milliseconds: u64) {
        self.world.now += Duration::from_millis(milliseconds);
    }

    /// Time passes.
    pub(super) fn elapse(&mut self, milliseconds: u64) {
        self.drift(milliseconds);
        let due = self.machine.deadline().is_some_and(|deadline| deadline <= self.world.now);
        if due || self.lavish {
            self.machine.timeout(&mut self.world);
        }
        self.after_event();
    }

    /// In how many milliseconds `timeout` is to be called, if ever.
    #[cfg(feature = "testing")]
    pub(super) fn due_in(&self) -> Option<u64> {
        let left = self.machine.deadline()?.saturating_sub(self.world.now);
        u64::try_from(left.as_nanos().div_ceil(1_000_000)).ok()
    }

    /// The program sends a message.
    pub(super) fn send(&mut self, body: &str) -> Result<(), Refusal> {
        self.send_message(&[], Payload::Borrowed(body.as_bytes()))
    }

    /// The program sends a message with a protocol header.
    pub(super) fn send_raw(&mut self, header: &[u8], body: &str) -> Result<(), Refusal> {
        self.send_message(header, Payload::Borrowed(body.as_bytes()))
    }

    /// The program sends a chunk. Returns the address of its data.
    pub(super) fn send_chunk(&mut self, header: &[u8], body: &str) -> *const u8 {
        let chunk = Chunk::copy_of(body.as_bytes()).unwrap();
        let address = chunk.as_ptr();
        assert_eq!(self.send_message(header, Payload::Owned(chunk)), Ok(()));
        address
    }

    pub(super) fn send_message(&mut self, header: &[u8], body: Payload<'_>) -> Result<(), Refusal> {
        self.before_call();
        let header = ProtocolHeader::from_slice(header);
        let mut message = Outgoing { header, body, metadata: self.world.metadata };
        let before = (message.header.clone(), message.body.bytes().to_vec());
        let can_send = self.lavish.then(|| self.machine.can_send(&mut self.world));
        let result = self.machine.send(&mut message, &mut self.world);
        if let Err(refusal) = result {
            assert_eq!((message.header, message.body.bytes()), (before.0, &*before.1));
            let not_now = refusal != Refusal::InvalidArgument;
            assert!(!not_now || can_send != Some(true), "can_send is wrong: {refusal:?}");
        } else {
            assert_ne!(can_send, Some(false), "can_send is wrong");
        }
        if result == Err(Refusal::WouldBlock) {
            self.assert_writable_edges_are_due();
        }
        self.after_event();
        result
    }

    /// See [`Protocol::send_priority`].
    pub(super) fn send_priority(&mut self) -> Option<u8> {
        self.before_call();
        self.machine.send_priority(&mut self.world)
    }

    /// The program receives a message.
    pub(super) fn recv(&mut self) -> Result<Received, Refusal> {
        let (delivery, message) = self.take()?;
        let front = Front { head: &[], body: &message, metadata: Metadata::default() };
        let header = delivery.protocol_header(front).to_vec();
        let body = String::from_utf8_lossy(&message[delivery.skip..]).into_owned();
        Ok(Received { pipe: delivery.pipe.0, header, body })
    }

    /// The same, as it came.
    pub(super) fn take(&mut self) -> Result<(Delivery, Vec<u8>), Refusal> {
        self.before_call();
        let can_recv = self.lavish.then(|| self.machine.can_recv(&mut self.world));
        let mut result = self.machine.recv(&mut self.world);
        while result == Err(Refusal::WouldBlock) && std::mem::take(&mut self.world.hit_drop_limit) {
            result = self.machine.recv(&mut self.world);
        }
        let readable = match result {
            Ok(_) => true,
            Err(Refusal::WouldBlock) => false,
            Err(_) => self.final_refusal_is_readable,
        };
        assert!(can_recv.is_none_or(|can_recv| can_recv == readable), "can_recv is wrong: {result:?}");
        if result == Err(Refusal::WouldBlock) {
            self.assert_readable_edges_are_due();
        }
        let delivery = result?;
        let message = self.world.pipe(delivery.pipe.0).pop().expect("a delivery is a message");
        self.after_event();
        Ok((delivery, message))
    }

    /// The program receives a message. Returns its body.
    pub(super) fn body(&mut self) -> Result<String, Refusal> {
        self.recv().map(|received| received.body)
    }

    /// The program receives all messages. Returns their bodies.
    pub(super) fn bodies(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.body().ok()).collect()
    }

    /// The program gives up its request or survey.
    pub(super) fn give_up(&mut self) {
        self.before_call();
        self.machine.give_up(&mut self.world);
        self.after_event();
    }

    pub(super) fn set_option(&mut self, name: i32, setting: Setting<'_>) -> Result<(), Error> {
        let outcome = self.machine.set_option(name, setting, &mut self.world);
        self.after_event();
        outcome
    }

    /// Checks that `writable` will be called for every pipe that gets room.
    pub(super) fn assert_writable_edges_are_due(&self) {
        for (id, pipe) in self.world.pipes.range(..PipeId(FIRST_MAILBOX)) {
            assert!(pipe.closed || pipe.seen_full, "no edge of {id:?} is due");
        }
    }

    /// Checks that `readable` will be called for every pipe that gets a message.
    pub(super) fn assert_readable_edges_are_due(&self) {
        for (id, pipe) in self.world.pipes.range(..PipeId(FIRST_MAILBOX)) {
            assert!(pipe.seen_empty, "no edge of {id:?} is due");
        }
    }

    /// Checks that a machine which forwards has looked at all messages, if there is another pipe to send them on.
    pub(super) fn assert_all_are_forwarded(&self) {
        let open: Vec<_> = self.world.pipes.iter().filter(|(_, pipe)| !pipe.closed).collect();
        let has_one_receiver = open.iter().filter(|(_, pipe)| pipe.was_writable).count() < 2;
        for (id, pipe) in &open {
            let is_done = pipe.looked_at == pipe.inbound.len() || has_one_receiver;
            assert!(is_done, "messages of {id:?} are not forwarded");
        }
    }

    /// Calls `readable` and `writable` where the contract requires it before the program's call.
    fn before_call(&mut self) {
        for id in self.world.ids() {
            let pipe = self.world.pipe(id.0);
            if pipe.is_readable_edge_due() {
                (pipe.seen_empty, pipe.seen_end) = (false, false);
                self.machine.readable(id, &mut self.world);
            }
            let pipe = self.world.pipe(id.0);
            if pipe.seen_full && pipe.has_room() {
                (pipe.seen_full, pipe.was_writable) = (false, true);
                self.machine.writable(id, &mut self.world);
            }
        }
    }

    fn after_event(&mut self) {
        if self.machine.is_busy() || self.is_shared || self.lavish {
            self.before_call();
        }
        while std::mem::take(&mut self.world.hit_drop_limit) {
            self.machine.timeout(&mut self.world);
        }
        if self.lavish {
            for id in self.world.ids() {
                self.machine.readable(id, &mut self.world);
                self.machine.writable(id, &mut self.world);
            }
            self.before_call();
        }
    }
}
