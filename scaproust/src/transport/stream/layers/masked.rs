//! A layer for the tests of the driver. It does all that a layer may do: it answers the peer's first byte before it sends
//! anything, changes each byte, holds back what is written, and reads ahead.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

use crate::sync::{Mutex, lock, rank};
use crate::transport::stream::platform::{self, NO_SIGNAL};

/// The first byte in each direction.
pub(in crate::transport::stream) const HELLO: u8 = b'!';
/// Each byte after it differs from the connection's in these bits.
pub(in crate::transport::stream) const MASK: u8 = 0x5a;
/// The most bytes that are held back.
const HELD_BACK: usize = 64;
/// The most bytes that a read returns.
const READ_SIZE: usize = 7;

/// The state of a stream's layer.
#[derive(Default)]
pub(super) struct Masked(Mutex<State, rank::StreamLayer>);

#[derive(Default)]
struct State {
    /// The peer's first byte has arrived, and was answered.
    has_greeted: bool,
    /// Bytes that were read ahead.
    input: VecDeque<u8>,
    /// Bytes that are held back.
    output: Vec<u8>,
}

impl Masked {
    pub(super) fn read(&self, raw: &platform::Stream, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let state = &mut *lock(&self.0);
        while state.input.is_empty() {
            let mut bytes = [MaybeUninit::uninit(); 4096];
            let count = raw.recv(&mut bytes)?;
            if count == 0 {
                return Ok(0);
            }
            // SAFETY: the kernel has written so many bytes.
            let read = bytes[..count].iter().map(|byte| unsafe { byte.assume_init() });
            let skipped = usize::from(!std::mem::replace(&mut state.has_greeted, true));
            if skipped > 0 {
                state.output.insert(0, HELLO);
            }
            state.input.extend(read.skip(skipped).map(|byte| byte ^ MASK));
        }
        let count = READ_SIZE.min(room.len()).min(state.input.len());
        for (place, byte) in room.iter_mut().zip(state.input.drain(..count)) {
            place.write(byte);
        }
        Ok(count)
    }

    pub(super) fn write(&self, raw: &platform::Stream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if lock(&self.0).output.len() >= HELD_BACK {
            self.flush(raw)?;
        }
        let state = &mut *lock(&self.0);
        let before = state.output.len();
        let room = HELD_BACK - before;
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.output.extend(pieces.iter().flat_map(|piece| piece.iter()).take(room).map(|byte| byte ^ MASK));
        Ok(state.output.len() - before)
    }

    pub(super) fn flush(&self, raw: &platform::Stream) -> io::Result<()> {
        let state = &mut *lock(&self.0);
        while state.has_greeted && !state.output.is_empty() {
            let count = raw.send_with_flags(&state.output, NO_SIGNAL)?;
            state.output.drain(..count);
        }
        Ok(())
    }

    pub(super) fn wants_flush(&self) -> bool {
        let state = lock(&self.0);
        state.has_greeted && !state.output.is_empty()
    }
}
