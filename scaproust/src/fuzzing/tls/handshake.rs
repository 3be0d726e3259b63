//! The target `tls_handshake`: what a peer sends before its handshake is done.
//!
//! The peer has either no TLS, and sends any bytes, or a session of its own, whose stream is changed in places.

use std::io::IoSlice;
use std::mem::MaybeUninit;

use super::Sides;
use crate::tls::{Failure, Plaintext, RECORD, Session};

/// The most bytes that are sent to a peer whose handshake is not done: the own greeting with its certificate, and an alert.
const ANSWER_MAX: usize = 4096;
/// The most turns of a conversation. A handshake of TLS 1.2 has four.
const TURNS: usize = 8;
/// What the peer sends to its session before the handshake is done.
const SENT: &[u8] = b"a message";

/// The first byte chooses the side, the version and who shows a certificate, the second one the length of the segments. Then
/// come the peer's bytes, or [`Edit`]s of what its session sends.
pub fn tls_handshake(input: &[u8]) {
    let Some((&[flags, part], rest)) = input.split_first_chunk() else { return };
    let sides = Sides::of(usize::from(flags >> 1 & 1), flags & 4 != 0);
    let (own, peer) = sides.around(flags & 1 != 0);
    let part = usize::from(part) * usize::from(part) + 1;
    let begin = || Side::new(own.session().expect("the system has random numbers"));
    if flags & 8 == 0 {
        let (mut whole, mut cut) = (begin(), begin());
        whole.receive(rest, usize::MAX);
        cut.receive(rest, part);
        assert_eq!(whole.end(), cut.end(), "cut in parts of {part}");
        for side in [whole, cut] {
            assert!(side.session.is_handshaking(), "the peer has no keys");
            assert_eq!(side.plaintext, b"");
        }
    } else {
        converse(begin(), Side::new(peer.session().expect("the system has random numbers")), rest, part);
    }
}

/// Lets the two sides talk, with the edits in what the peer sends.
fn converse(mut own: Side, mut peer: Side, edits: &[u8], part: usize) {
    let is_unchanged = edits.is_empty();
    let mut edits = Edits { rest: edits, next: None, position: 0 };
    assert_eq!(peer.session.seal(&[IoSlice::new(SENT)]), SENT.len());
    for _ in 0..TURNS {
        own.receive(&edits.apply(&peer.answer()), part);
        peer.receive(&own.answer(), usize::MAX);
    }
    assert!(SENT.starts_with(&own.plaintext), "nothing can be put into what the peer has sealed");
    assert!(own.plaintext.is_empty() || !own.session.is_handshaking());
    if is_unchanged {
        assert_eq!((own.session.failure(), peer.session.failure()), (None, None));
        assert_eq!(own.plaintext, SENT);
    }
    own.end();
}

/// A session, and what has come of it.
struct Side {
    session: Session,
    plaintext: Vec<u8>,
    /// The number of bytes that were to be sent before the handshake was done.
    answered: usize,
}

impl Side {
    fn new(session: Session) -> Side {
        Side { session, plaintext: Vec::new(), answered: 0 }
    }

    /// Takes bytes of the peer, as the layer of a stream does: in segments, and none after a failure.
    fn receive(&mut self, stream: &[u8], part: usize) {
        for mut part in stream.chunks(part) {
            while !part.is_empty() && self.session.failure().is_none() {
                let before = part.len();
                let fed = self.session.feed(&mut part);
                assert!(part.len() < before || fed.is_err(), "each call takes something");
                assert_eq!(fed.err().as_ref(), self.session.failure());
                self.take();
            }
        }
    }

    /// Takes the plaintext. Returns whether the stream has ended, and how.
    fn take(&mut self) -> Plaintext {
        let mut room = [MaybeUninit::uninit(); RECORD];
        loop {
            match self.session.take(&mut room) {
                Plaintext::Bytes(count) => {
                    // SAFETY: so many bytes were written.
                    self.plaintext.extend(room[..count].iter().map(|byte| unsafe { byte.assume_init() }));
                }
                end => return end,
            }
        }
    }

    /// The records to send.
    fn answer(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        self.session.send(&mut records);
        assert!(!self.session.has_records());
        if self.session.is_handshaking() {
            self.answered += records.len();
            assert!(self.answered <= ANSWER_MAX, "a peer gets {} bytes for its handshake", self.answered);
        }
        records
    }

    /// Ends the stream. Returns why there is no connection.
    fn end(&mut self) -> Failure {
        self.answer();
        self.session.end();
        let end = self.take();
        assert!(self.session.failure().is_some() || end != Plaintext::Empty, "the end is seen");
        self.session.close();
        self.answer();
        self.session.reason()
    }
}

/// A change of a stream of bytes: from `position` on, counted in the stream without changes, so many bytes are left out, and
/// others come instead.
struct Edit<'a> {
    position: usize,
    left_out: usize,
    instead: &'a [u8],
}

/// Changes of a stream, and where in it they have come to. Each is the distance from the one before, in two bytes, how many
/// bytes are left out, how many come instead, and those.
struct Edits<'a> {
    rest: &'a [u8],
    next: Option<Edit<'a>>,
    position: usize,
}

impl<'a> Edits<'a> {
    fn read(&mut self) -> Option<Edit<'a>> {
        let (&[high, low, left_out, count], rest) = self.rest.split_first_chunk()?;
        let (instead, rest) = rest.split_at_checked(count.into())?;
        self.rest = rest;
        let distance = usize::from(u16::from_be_bytes([high, low]));
        Some(Edit { position: self.position + distance, left_out: left_out.into(), instead })
    }

    /// The next part of the stream, with its changes. A change is within one part.
    fn apply(&mut self, part: &[u8]) -> Vec<u8> {
        let (start, end) = (self.position, self.position + part.len());
        let mut changed = Vec::new();
        while let Some(edit) = self.next.take().or_else(|| self.read()) {
            if edit.position >= end {
                self.next = Some(edit);
                break;
            }
            changed.extend_from_slice(&part[self.position - start..edit.position - start]);
            changed.extend_from_slice(edit.instead);
            self.position = end.min(edit.position + edit.left_out);
        }
        changed.extend_from_slice(&part[self.position - start..]);
        self.position = end;
        changed
    }
}
