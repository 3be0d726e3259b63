use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::*;
use crate::transport::stream::test_support::{Plain, connected_pair};

const RING: usize = 4096;
const GREETING: [u8; 8] = *b"greeting";

/// One side of a connection.
struct End {
    raw: platform::Stream,
    shared: Shared,
}

impl End {
    fn new(raw: Plain, side: Side, memory: &SharedMemory) -> End {
        raw.set_nonblocking(true).unwrap();
        End { raw: raw.into(), shared: Shared::new(side, memory).unwrap() }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.shared.write(&self.raw, &[IoSlice::new(bytes)])
    }

    /// Reads at most `most` bytes, at once.
    fn read(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut room = vec![MaybeUninit::uninit(); most];
        let (direct, spill) = room.split_at_mut(most / 3);
        let direct = Some(direct).filter(|_| self.shared.decision.get().is_some());
        let (direct, spill) = if direct.is_some() { (direct, spill) } else { (None, &mut room[..]) };
        let count = self.shared.read(&self.raw, direct, spill)?;
        // SAFETY: so many bytes were read.
        Ok(room[..count].iter().map(|byte| unsafe { byte.assume_init() }).collect())
    }

    /// Whether polling the descriptor says that there is something to read.
    fn is_readable(&self) -> bool {
        let peeked = self.raw.peek(&mut [MaybeUninit::uninit()]);
        !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

fn memory() -> SharedMemory {
    SharedMemory::new(RING as u32, &Arc::default())
}

fn is_empty(outcome: io::Result<Vec<u8>>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Two sides, before the first byte.
fn ends(theirs: &SharedMemory) -> (End, End) {
    let (near, far) = connected_pair();
    (End::new(near, Side::Connected, &memory()), End::new(far, Side::Accepted, theirs))
}

/// Two sides that have exchanged their greetings.
fn greeted(theirs: &SharedMemory) -> (End, End) {
    let (dialer, listener) = ends(theirs);
    assert_eq!(dialer.write(&GREETING).unwrap(), 8);
    assert_eq!(listener.read(100).unwrap(), GREETING);
    assert_eq!(listener.write(&GREETING).unwrap(), 8);
    assert_eq!(dialer.read(100).unwrap(), GREETING);
    (dialer, listener)
}

#[test]
fn bytes_travel_through_rings_if_both_sides_want_that() {
    let (dialer, listener) = greeted(&memory());
    for (from, to) in [(&dialer, &listener), (&listener, &dialer)] {
        assert!(from.shared.is_in_use() && is_empty(to.read(10)) && !to.is_readable());
        assert_eq!(from.write(b"hello").unwrap(), 5);
        assert!(to.is_readable());
        assert_eq!((to.read(3).unwrap(), to.shared.tells_of_input()), (b"hel".to_vec(), false));
        assert_eq!((to.read(3).unwrap(), to.shared.tells_of_input()), (b"lo".to_vec(), true));
        assert!(is_empty(to.read(3)) && !to.is_readable());
    }
}

#[test]
fn a_side_that_is_awake_is_not_woken() {
    let (dialer, listener) = greeted(&memory());
    for _ in 0..2 {
        assert_eq!(dialer.write(b"ab").unwrap(), 2);
    }
    assert_eq!(listener.read(1).unwrap(), b"a");
    assert_eq!(dialer.write(b"c").unwrap(), 1);
    assert!(!listener.is_readable());
    assert_eq!(listener.read(9).unwrap(), b"babc");
}

#[test]
fn a_full_ring_takes_no_more_and_says_when_half_of_it_is_free() {
    let (dialer, listener) = greeted(&memory());
    assert_eq!(dialer.write(&[1; RING + 1]).unwrap(), RING);
    assert_eq!(dialer.write(&[1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(listener.read(RING / 2 - 1).unwrap().len(), RING / 2 - 1);
    assert!(!dialer.is_readable() && dialer.shared.has_unread() == Some(true));
    assert_eq!(listener.read(1).unwrap().len(), 1);
    assert!(dialer.is_readable() && is_empty(dialer.read(1)));
    assert!(dialer.shared.wants_flush() && !dialer.shared.wants_flush());
    assert_eq!(dialer.write(&[2; RING]).unwrap(), RING / 2);
    assert_eq!(listener.read(2 * RING).unwrap().len(), RING);
    assert_eq!(dialer.shared.has_unread(), Some(false));
}

#[test]
fn the_smaller_ring_counts() {
    let (dialer, _listener) = greeted(&SharedMemory::new(2 * RING as u32, &Arc::default()));
    assert_eq!(dialer.write(&[1; 3 * RING]).unwrap(), RING);
    let (near, far) = connected_pair();
    let dialer = End::new(near, Side::Connected, &SharedMemory::new(2 * RING as u32, &Arc::default()));
    let listener = End::new(far, Side::Accepted, &memory());
    dialer.write(&GREETING).unwrap();
    listener.read(100).unwrap();
    assert_eq!(listener.write(&[1; 3 * RING]).unwrap(), RING);
}

#[test]
fn what_was_written_before_the_end_is_read() {
    let (dialer, listener) = greeted(&memory());
    dialer.write(b"last").unwrap();
    drop(dialer);
    assert_eq!(listener.read(2).unwrap(), b"la");
    assert_eq!(listener.read(100).unwrap(), b"st");
    assert_eq!(listener.read(100).unwrap(), b"");
    assert_eq!(listener.write(b"x").map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
}

#[test]
fn a_peer_without_shared_memory_does_not_notice_the_offer() {
    let (near, mut far) = connected_pair();
    let memory = memory();
    let dialer = End::new(near, Side::Connected, &memory);
    dialer.write(&GREETING).unwrap();
    let mut read = [0; 8];
    far.read_exact(&mut read).unwrap();
    assert_eq!(read, GREETING);
    far.write_all(b"its own greeting").unwrap();
    assert_eq!(dialer.read(100).unwrap(), b"its own greeting");
    assert!(!dialer.shared.is_in_use() && lock(&dialer.shared.offer).is_none());
    dialer.write(b"more").unwrap();
    far.read_exact(&mut read[..4]).unwrap();
    assert_eq!(&read[..4], b"more");
}

#[test]
fn a_peer_that_offers_nothing_is_served_by_the_socket() {
    let (mut near, far) = connected_pair();
    let listener = End::new(far, Side::Accepted, &memory());
    near.write_all(&GREETING).unwrap();
    assert_eq!(listener.read(100).unwrap(), GREETING);
    listener.write(&GREETING).unwrap();
    let mut read = [0; 8];
    near.read_exact(&mut read).unwrap();
    assert_eq!((read, listener.shared.is_in_use()), (GREETING, false));
}

#[test]
fn an_offer_that_comes_after_the_answer_is_not_accepted() {
    let (dialer, listener) = ends(&memory());
    listener.write(&GREETING).unwrap();
    dialer.write(&GREETING).unwrap();
    assert_eq!(
        (listener.read(100).unwrap(), dialer.read(100).unwrap()),
        (GREETING.to_vec(), GREETING.to_vec())
    );
    assert!(!dialer.shared.is_in_use() && !listener.shared.is_in_use());
}

#[test]
fn a_connection_beyond_the_bound_is_served_by_the_socket() {
    let theirs = memory();
    let places: Vec<_> = std::iter::from_fn(|| theirs.take_place()).collect();
    let (dialer, listener) = greeted(&theirs);
    assert!(!dialer.shared.is_in_use() && !listener.shared.is_in_use());
    assert!(Shared::new(Side::Connected, &theirs).is_none());
    drop(places);
    let (dialer, listener) = greeted(&theirs);
    assert!(dialer.shared.is_in_use());
    drop(listener);
    assert_eq!(std::iter::from_fn(|| theirs.take_place().map(std::mem::forget)).count(), 64);
}

#[test]
fn a_descriptor_that_is_not_such_memory_is_closed() {
    let (near, far) = connected_pair();
    let listener = End::new(far, Side::Accepted, &memory());
    let (mut reading, writing) = std::io::pipe().unwrap();
    let pipe = OwnedFd::from(writing);
    let near = platform::Stream::from(near);
    assert_eq!(send_with_descriptor(&near, &[IoSlice::new(&GREETING)], &pipe).unwrap(), 8);
    assert_eq!(listener.read(100).unwrap(), GREETING);
    assert!(!listener.shared.is_in_use());
    // The pipe ends when each copy of its other end is closed.
    drop(pipe);
    assert_eq!(reading.read(&mut [0]).unwrap(), 0);
}
