//! The layer of an ipc connection that may use shared memory.
//!
//! What it does is decided once, by the first bytes that come: it reads and writes the rings, or the socket as without this
//! layer. The side that accepts decides; the side that has connected finds out. Before it is decided, both read and write the
//! socket.
//!
//! A side that sleeps is woken by a byte on the socket, so the poller, and a receiver that polls the descriptor itself, learn
//! of it. Bytes that wake are taken from the socket before this side marks that it sleeps; those that are taken after that
//! are followed by another look. So there is never something to read without a mark or a byte that tells of it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::MaybeUninitSlice;

use super::Side;
use super::memory::{Memory, is_memory};
use super::passing::{receive_with_descriptor, send_with_descriptor};
use super::ring::{Corrupt, RingReader, RingWriter};
use crate::sync::{Mutex, lock, rank, start_detached, try_lock};
use crate::transport::SharedMemory;
use crate::transport::shared_memory::Place;
use crate::transport::stream::platform::{self, NO_SIGNAL, is_scarce};

/// The most bytes that are taken from the socket at once. A valid peer sends few.
const WAKE_UPS: usize = 64;
/// How often a read looks again before it returns: a peer could send bytes that wake for ever.
const LOOKS: usize = 4;

/// The shared memory of a stream.
pub(in crate::transport::stream) struct Shared {
    side: Side,
    memory: SharedMemory,
    /// The rings; `None` in it if the connection has none.
    decision: OnceLock<Option<Rings>>,
    /// What this side offers, until that is decided.
    offer: Mutex<Option<Offer>, rank::StreamLayer>,
}

/// Memory that the peer may accept.
struct Offer {
    memory: Memory,
    /// Its descriptor, until that is passed.
    descriptor: Option<OwnedFd>,
    place: Place,
}

impl Shared {
    /// Whether this system has it.
    pub(in crate::transport::stream) const EXISTS: bool = true;

    /// The layer of a connection that was just made; `None` if it cannot have rings.
    pub(in crate::transport::stream) fn new(side: Side, memory: &SharedMemory) -> Option<Shared> {
        let offer = match side {
            Side::Connected => {
                let place = memory.take_place()?;
                let (memory, descriptor) = Memory::create(memory.ring()).ok()?;
                Some(Offer { memory, descriptor: Some(descriptor), place })
            }
            Side::Accepted => None,
        };
        let memory = memory.clone();
        Some(Shared { side, memory, decision: OnceLock::new(), offer: Mutex::new(offer) })
    }

    /// As [`Stream::read`](crate::transport::stream::layers::Stream::read).
    pub(in crate::transport::stream) fn read(
        &self,
        raw: &platform::Stream,
        direct: Option<&mut [MaybeUninit<u8>]>,
        spill: &mut [MaybeUninit<u8>],
    ) -> io::Result<usize> {
        match self.decision.get() {
            Some(Some(rings)) => rings.read(raw, direct, spill),
            Some(None) => read_socket(raw, direct, spill),
            None => match self.side {
                Side::Connected => self.read_answer(raw, spill),
                Side::Accepted => self.read_offer(raw, spill),
            },
        }
    }

    /// Reads the first bytes of the peer, of the side that has connected, and decides.
    fn read_offer(&self, raw: &platform::Stream, spill: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let Some(place) = self.memory.take_place() else {
            // The kernel closes a descriptor that is passed.
            self.decide(None);
            return raw.recv(spill);
        };
        let (count, descriptor) = receive_with_descriptor(raw, spill)?;
        if count > 0 {
            self.decide(descriptor.and_then(|descriptor| self.accept(descriptor, place)));
        }
        Ok(count)
    }

    /// Accepts memory that the peer offers, if it is such as it must be.
    fn accept(&self, descriptor: OwnedFd, place: Place) -> Option<Rings> {
        if !is_memory(&descriptor) {
            // To close a file of any kind may take as long as the peer likes. If no thread can be started, the descriptor is
            // closed here after all.
            _ = start_detached("nn-close", move || drop((descriptor, place)));
            return None;
        }
        let (memory, used) = Memory::open(&descriptor, self.memory.ring()).ok()?;
        Some(Rings::new(memory, used, Side::Accepted, place))
    }

    /// Reads the first bytes of the peer, of the side that has accepted the connection, and finds out what it has decided.
    fn read_answer(&self, raw: &platform::Stream, spill: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let count = raw.recv(spill)?;
        if count == 0 {
            return Ok(0);
        }
        // The peer accepts before it sends its first byte, or not at all.
        let offer = lock(&self.offer).take();
        let rings = offer.and_then(|Offer { memory, place, .. }| {
            let used = memory.accepted()?;
            Some(Rings::new(memory, used, Side::Connected, place))
        });
        match self.decide(rings) {
            // The bytes were sent to wake.
            Some(rings) => rings.read(raw, None, spill),
            None => Ok(count),
        }
    }

    /// Decides, unless that was done before. Returns what is decided.
    fn decide(&self, rings: Option<Rings>) -> Option<&Rings> {
        self.decision.get_or_init(|| rings).as_ref()
    }

    /// As [`Stream::write`](crate::transport::stream::layers::Stream::write).
    pub(in crate::transport::stream) fn write(
        &self,
        raw: &platform::Stream,
        pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let decision = match (self.decision.get(), self.side) {
            (Some(decision), _) => decision.as_ref(),
            (None, Side::Connected) => return self.write_offer(raw, pieces),
            // The peer's first bytes have not come, and what is written now tells it that there are no rings.
            (None, Side::Accepted) => self.decide(None),
        };
        match decision {
            Some(rings) => rings.write(raw, pieces),
            None => write_socket(raw, pieces),
        }
    }

    /// Writes the first bytes of the side that has connected, with the offer.
    fn write_offer(&self, raw: &platform::Stream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut offer = lock(&self.offer);
        let Some(Offer { descriptor: unsent @ Some(_), .. }) = &mut *offer else {
            return write_socket(raw, pieces);
        };
        let sent = unsent.as_ref().map_or(Ok(0), |file| send_with_descriptor(raw, pieces, file));
        match &sent {
            Ok(_) => *unsent = None,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // The system passes no more descriptors, or the stream has failed.
            Err(_) => {
                *offer = None;
                return write_socket(raw, pieces);
            }
        }
        sent
    }

    /// Wakes the peer, if there was no memory for that before.
    ///
    /// # Errors
    /// The operating system's.
    pub(in crate::transport::stream) fn flush(&self, raw: &platform::Stream) -> io::Result<()> {
        self.rings().map_or(Ok(()), |rings| rings.pay(raw))
    }

    /// Whether a read has found room that a writer waits for, or there was no memory to wake the peer.
    pub(in crate::transport::stream) fn wants_flush(&self) -> bool {
        self.rings().is_some_and(|rings| {
            // Looked at here too: no read follows the byte that wakes while messages wait to be received.
            let has_room = rings.has_room.swap(false, Ordering::Relaxed) | rings.writer.has_been_woken();
            has_room || rings.owes.load(Ordering::Relaxed)
        })
    }

    /// Whether a write by this thread would wait for no lock that it holds, when it was interrupted while it read.
    pub(in crate::transport::stream) fn is_free(&self) -> bool {
        self.decision.get().is_some() || try_lock(&self.offer).is_some()
    }

    /// Whether the bytes of the connection travel through rings.
    pub(in crate::transport::stream) fn is_in_use(&self) -> bool {
        self.rings().is_some()
    }

    /// Whether the descriptor is readable, or will be, when there is something to read. Not so while a read has left bytes in a
    /// ring.
    pub(in crate::transport::stream) fn tells_of_input(&self) -> bool {
        self.rings().is_none_or(|rings| rings.reader.is_armed())
    }

    /// Whether the peer has not read everything; `None` if the bytes are in the socket.
    pub(in crate::transport::stream) fn has_unread(&self) -> Option<bool> {
        self.rings().map(|rings| rings.writer.is_read() == Ok(false))
    }

    fn rings(&self) -> Option<&Rings> {
        self.decision.get()?.as_ref()
    }
}

/// The rings of a connection.
struct Rings {
    reader: RingReader,
    writer: RingWriter,
    /// What the two halves refer to.
    memory: Memory,
    /// The bytes of each ring, for the peer.
    used: u32,
    side: Side,
    /// The peer is to be woken, but there was no memory for that.
    owes: AtomicBool,
    /// A read has found that there is room for a writer that waits.
    has_room: AtomicBool,
    _place: Place,
}

impl Rings {
    fn new(memory: Memory, used: u32, side: Side, place: Place) -> Rings {
        let (reader, writer) = memory.rings(side, used);
        let (owes, has_room) = (AtomicBool::new(false), AtomicBool::new(false));
        Rings { reader, writer, memory, used, side, owes, has_room, _place: place }
    }

    fn read(
        &self,
        raw: &platform::Stream,
        direct: Option<&mut [MaybeUninit<u8>]>,
        spill: &mut [MaybeUninit<u8>],
    ) -> io::Result<usize> {
        let mut rooms = [direct.unwrap_or_default(), spill];
        let wanted = rooms.iter().map(|room| room.len()).sum::<usize>();
        let mut count = 0;
        for _ in 0..LOOKS {
            let has_room = self.writer.has_been_woken();
            self.has_room.fetch_or(has_room, Ordering::Relaxed);
            if self.reader.disarm() || has_room {
                // The end of the stream is met again.
                _ = take_wake_ups(raw);
            }
            count += self.reader.take(&mut rooms)?;
            if count > 0 && self.reader.owes_wake_up()? {
                // If the peer has gone, its end is read.
                _ = self.wake(raw);
            }
            if count == wanted {
                return Ok(count);
            }
            self.reader.arm();
            if !self.reader.is_empty()? {
                continue;
            }
            if count > 0 {
                return Ok(count);
            }
            let end =
                match take_wake_ups(raw) {
                    Ok(0) => Ok(0),
                    Ok(_) => continue,
                    // The peer has not taken all bytes that woke it. Of the connection's bytes it may have.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        if self.writer.is_read()? { Ok(0) } else { Err(error) }
                    }
                    Err(error) => return Err(error),
                };
            // What the peer has written before its end comes first.
            if self.reader.is_empty()? {
                return end;
            }
        }
        // There is more, which nothing will tell of: without the mark, the caller knows that it has to look again.
        self.reader.disarm();
        if count > 0 { Ok(count) } else { Err(io::ErrorKind::Interrupted.into()) }
    }

    fn write(&self, raw: &platform::Stream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.pay(raw)?;
        let put = || self.writer.put(pieces.iter().map(|piece| &**piece));
        let mut count = put()?;
        if count == 0 && self.writer.await_room()? {
            count = put()?;
        }
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.writer.owes_wake_up() {
            self.wake(raw)?;
        }
        Ok(count)
    }

    /// Wakes the peer, or notes that it is to be woken if that is not possible now.
    fn wake(&self, raw: &platform::Stream) -> io::Result<()> {
        self.owes.store(true, Ordering::Relaxed);
        match self.pay(raw) {
            Err(_) if self.owes.load(Ordering::Relaxed) => Ok(()),
            done => done,
        }
    }

    /// Wakes the peer if it is to be woken.
    ///
    /// # Errors
    /// The operating system's; if there is no memory, the peer is still to be woken.
    fn pay(&self, raw: &platform::Stream) -> io::Result<()> {
        if !self.owes.load(Ordering::Relaxed) || !self.owes.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        if self.side == Side::Accepted {
            self.memory.accept(self.used);
        }
        match raw.send_with_flags(&[1], NO_SIGNAL) {
            // The peer has not taken many such bytes, and looks again after it has.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                let may_succeed = is_scarce(&error) || error.kind() == io::ErrorKind::Interrupted;
                self.owes.fetch_or(may_succeed, Ordering::Relaxed);
                Err(error)
            }
            Ok(_) => Ok(()),
        }
    }
}

impl From<Corrupt> for io::Error {
    fn from(_: Corrupt) -> io::Error {
        io::Error::from_raw_os_error(libc::EPROTO)
    }
}

/// Takes bytes that wake from the socket. Returns their number; zero is the end of the stream.
fn take_wake_ups(raw: &platform::Stream) -> io::Result<usize> {
    raw.recv(&mut [MaybeUninit::uninit(); WAKE_UPS])
}

/// Reads from the socket, as a stream without this layer does.
fn read_socket(
    raw: &platform::Stream,
    direct: Option<&mut [MaybeUninit<u8>]>,
    spill: &mut [MaybeUninit<u8>],
) -> io::Result<usize> {
    match direct {
        None => raw.recv(spill),
        Some(direct) => {
            let mut both = [MaybeUninitSlice::new(direct), MaybeUninitSlice::new(spill)];
            raw.recv_vectored(&mut both).map(|(count, _)| count)
        }
    }
}

fn write_socket(raw: &platform::Stream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    match pieces {
        [only] => raw.send_with_flags(only, NO_SIGNAL),
        pieces => raw.send_vectored_with_flags(pieces, NO_SIGNAL),
    }
}

#[cfg(test)]
mod tests;
