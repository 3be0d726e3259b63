//! Frames that come in: they become messages again, whole and without their mask.
//!
//! What is not as RFC 6455 wants it ends the stream. As with tcp, no memory is taken for a length
//! that is not allowed, and for an allowed one only as the bytes come; the limit holds for all
//! fragments of a message together.

use std::io::Cursor;
use std::mem::MaybeUninit;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::{Mask, Side};
use crate::message::{Chunk, INLINE_MAX, MessageType};
use crate::wire::framing::{BadFrame, Frame, grown, split_front};

/// The longest header of a frame.
const HEADER_MAX: usize = 14;
/// The longest payload of a control frame.
const CONTROL_MAX: u64 = 125;

/// Turns frames of the other side into messages.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Which side this is.
    side: Side,
    /// What has come of a header that is not whole.
    header: Vec<u8>,
    /// The frame whose payload is coming.
    payload: Option<Payload>,
    /// The message whose frames are coming.
    message: Option<Message>,
    /// A small message in one frame; or one that was masked.
    small: Vec<u8>,
    /// What has come of a control frame's payload.
    control: Vec<u8>,
    /// What the last ping said that was not answered yet.
    ping: Option<Vec<u8>>,
}

/// A frame's payload on its way in.
#[derive(Clone, Copy, Debug)]
struct Payload {
    is_control: Option<Control>,
    is_final: bool,
    mask: Option<Mask>,
    length: usize,
    /// So many bytes of it have come.
    done: usize,
}

/// A message on its way in.
#[derive(Debug)]
struct Message {
    message_type: MessageType,
    /// The most that memory is taken for at present: the length, if that is known.
    bound: usize,
    /// The payloads of all frames so far, with what is announced of the last.
    announced: usize,
    /// What has come, unless the message is small and in one frame.
    chunk: Option<Chunk>,
}

impl Payload {
    /// Takes the mask off bytes that come next.
    fn unmask(&mut self, bytes: &mut [u8]) {
        if let Some(mask) = self.mask {
            mask.apply(self.done, bytes);
        }
        self.done += bytes.len();
    }
}

impl Decoder {
    /// A decoder at the start of what the peer of this side sends.
    pub(crate) fn new(side: Side) -> Decoder {
        Decoder {
            side,
            header: Vec::new(),
            payload: None,
            message: None,
            small: Vec::new(),
            control: Vec::new(),
            ping: None,
        }
    }

    /// Whether part of a message or of a control frame has come, and the rest has not.
    pub(crate) fn is_mid_frame(&self) -> bool {
        !self.header.is_empty() || self.payload.is_some() || self.message.is_some()
    }

    /// What the last ping said, if one came since this was last asked.
    pub(crate) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Takes all of `input`, and calls `each` for every message that it completes. `max` is the
    /// longest message allowed.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder is of no further use then.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Frame<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        loop {
            if self.payload.is_none() {
                let Some((header, length)) = self.header(&mut input)? else { return Ok(()) };
                self.begin(&header, length, max, input.len())?;
            }
            self.take(&mut input, &mut each)?;
            if self.payload.is_some() {
                return Ok(());
            }
        }
    }

    /// Takes a header from the front of `input`; all of `input`, if it ends before the header
    /// does. Answers with the length of the payload.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, u64)>, BadFrame> {
        let before = self.header.len();
        let (parsed, size) = if before == 0 {
            parse(input)?
        } else {
            self.header.extend_from_slice(&input[..input.len().min(HEADER_MAX - before)]);
            parse(&self.header)?
        };
        let Some((header, length)) = parsed else {
            if before == 0 {
                self.header.extend_from_slice(input);
            }
            *input = &[];
            return Ok(None);
        };
        self.header.clear();
        *input = &input[size - before..];
        // The shortest form of a length is the only one.
        if size == header.len(length) { Ok(Some((header, length))) } else { Err(BadFrame::Protocol) }
    }

    /// A frame begins, of which `available` bytes are there already.
    fn begin(
        &mut self,
        header: &FrameHeader,
        length: u64,
        max: Option<usize>,
        available: usize,
    ) -> Result<(), BadFrame> {
        let &FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        let is_masked_rightly = mask.is_some() == (self.side == Side::Server);
        if rsv1 || rsv2 || rsv3 || !is_masked_rightly || length >> 63 != 0 {
            return Err(BadFrame::Protocol);
        }
        let control = match opcode {
            OpCode::Control(kind) if is_final && length <= CONTROL_MAX => Some(kind),
            OpCode::Control(_) => return Err(BadFrame::Protocol),
            OpCode::Data(_) => None,
        };
        let length = usize::try_from(length).map_err(|_| BadFrame::TooLong)?;
        if let OpCode::Data(kind) = opcode {
            let before = match (&self.message, kind) {
                (None, Data::Text | Data::Binary) => 0,
                (Some(message), Data::Continue) => message.announced,
                _ => return Err(BadFrame::Protocol),
            };
            let announced = before.checked_add(length).ok_or(BadFrame::TooLong)?;
            if announced > max.unwrap_or(isize::MAX.unsigned_abs()) {
                return Err(BadFrame::TooLong);
            }
            match &mut self.message {
                Some(message) => message.announced = announced,
                None => {
                    let message_type =
                        if kind == Data::Text { MessageType::Text } else { MessageType::Binary };
                    self.message = Some(Message::new(message_type, is_final, announced, available)?);
                }
            }
        }
        self.payload = Some(Payload { is_control: control, is_final, mask: mask.map(Mask), length, done: 0 });
        Ok(())
    }

    /// Takes from the front of `input` what belongs to the payload.
    fn take(
        &mut self,
        input: &mut &[u8],
        each: &mut impl FnMut(Frame<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        let Some(payload) = &mut self.payload else { return Ok(()) };
        let part = split_front(input, payload.length - payload.done);
        if payload.is_control.is_some() {
            append(&mut self.control, part, payload);
        } else if let Some(Message { chunk: Some(chunk), bound, .. }) = &mut self.message {
            let mut rest = part;
            while !rest.is_empty() {
                let start = chunk.len();
                let count = grown(chunk, *bound)?.append(rest);
                rest = &rest[count..];
                unmask(chunk, start, payload)?;
            }
        } else if payload.mask.is_none()
            && part.len() == payload.length
            && let Some(Message { message_type, .. }) = self.message.take()
        {
            // A whole small message that can be handed on as it stands.
            self.payload = None;
            check_text(message_type, part)?;
            each(Frame::Bytes(part), message_type);
            return Ok(());
        } else {
            append(&mut self.small, part, payload);
        }
        self.finish_payload(each)
    }

    /// Looks whether the payload is whole, and with it a message or a control frame.
    fn finish_payload(&mut self, each: &mut impl FnMut(Frame<'_>, MessageType)) -> Result<(), BadFrame> {
        let Some(payload) = self.payload.take_if(|payload| payload.done == payload.length) else {
            return Ok(());
        };
        if let Some(kind) = payload.is_control {
            return self.finish_control(kind);
        }
        if !payload.is_final {
            return Ok(());
        }
        let Some(message) = self.message.take() else { return Ok(()) };
        let small = std::mem::take(&mut self.small);
        let bytes = message.chunk.as_deref().unwrap_or(&small);
        check_text(message.message_type, bytes)?;
        match message.chunk {
            Some(chunk) if chunk.len() > INLINE_MAX => each(Frame::Chunk(chunk), message.message_type),
            _ => each(Frame::Bytes(bytes), message.message_type),
        }
        self.small = small;
        self.small.clear();
        Ok(())
    }

    fn finish_control(&mut self, kind: Control) -> Result<(), BadFrame> {
        let said = std::mem::take(&mut self.control);
        match kind {
            Control::Ping => self.ping = Some(said),
            Control::Close => return Err(closing(&said)),
            Control::Pong | Control::Reserved(_) => {}
        }
        Ok(())
    }

    /// As for the frames of tcp: where the next bytes of a large message belong.
    ///
    /// # Errors
    /// [`BadFrame::OutOfMemory`] when the message cannot grow.
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match (&self.payload, &mut self.message) {
            (
                Some(Payload { is_control: None, length, done, .. }),
                Some(Message { chunk: Some(chunk), bound, .. }),
            ) => {
                let spare = grown(chunk, *bound)?.spare();
                let count = spare.len().min(length - done);
                Ok(Some(&mut spare[..count]))
            }
            _ => Ok(None),
        }
    }

    /// Says that the first `count` bytes of [`Decoder::spare`] have come, and calls `each` if the
    /// message is whole with them.
    ///
    /// # Errors
    /// As [`Decoder::feed`].
    ///
    /// # Safety
    /// They must have been written.
    pub(crate) unsafe fn appended(
        &mut self,
        count: usize,
        mut each: impl FnMut(Frame<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        if let (Some(payload), Some(Message { chunk: Some(chunk), .. })) =
            (&mut self.payload, &mut self.message)
        {
            let start = chunk.len();
            // SAFETY: as the caller promises.
            unsafe { chunk.appended(count) };
            unmask(chunk, start, payload)?;
        }
        self.finish_payload(&mut each)
    }
}

impl Message {
    /// A message that begins with a frame of `length` bytes, `available` of which are there.
    fn new(
        message_type: MessageType,
        is_only: bool,
        length: usize,
        available: usize,
    ) -> Result<Message, BadFrame> {
        let (bound, chunk) = match (is_only, length) {
            (true, ..=INLINE_MAX) => {
                return Ok(Message { message_type, bound: 0, announced: length, chunk: None });
            }
            (true, _) => (length, Chunk::for_announced(length)),
            // How long it will become is not known: the memory doubles with what has come.
            (false, _) => (usize::MAX, Chunk::with_capacity(length.min(available).max(INLINE_MAX))),
        };
        let chunk = chunk.ok_or(BadFrame::OutOfMemory)?;
        Ok(Message { message_type, bound, announced: length, chunk: Some(chunk) })
    }
}

/// Reads the header at the front of `bytes`, if it is whole. Answers its size as well.
fn parse(bytes: &[u8]) -> Result<(Option<(FrameHeader, u64)>, usize), BadFrame> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| BadFrame::Protocol)?;
    Ok((parsed, usize::try_from(cursor.position()).unwrap_or(HEADER_MAX)))
}

/// Appends bytes of the payload without their mask.
fn append(to: &mut Vec<u8>, part: &[u8], payload: &mut Payload) {
    let start = to.len();
    to.extend_from_slice(part);
    payload.unmask(&mut to[start..]);
}

/// Takes the mask off what was appended to the chunk behind `start`.
fn unmask(chunk: &mut Chunk, start: usize, payload: &mut Payload) -> Result<(), BadFrame> {
    // Nobody else has the memory of a message that is not whole.
    let bytes = chunk.unique().ok_or(BadFrame::OutOfMemory)?;
    payload.unmask(&mut bytes[start..]);
    Ok(())
}

fn check_text(message_type: MessageType, bytes: &[u8]) -> Result<(), BadFrame> {
    let is_wrong = message_type == MessageType::Text && std::str::from_utf8(bytes).is_err();
    if is_wrong { Err(BadFrame::NotText) } else { Ok(()) }
}

/// What a peer's close frame comes to: its code, or what is wrong with it.
fn closing(said: &[u8]) -> BadFrame {
    match said.split_first_chunk() {
        None if said.is_empty() => BadFrame::Closed(None),
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            if !CloseCode::from(code).is_allowed() {
                BadFrame::Protocol
            } else if std::str::from_utf8(reason).is_err() {
                BadFrame::NotText
            } else {
                BadFrame::Closed(Some(code))
            }
        }
        None => BadFrame::Protocol,
    }
}

#[cfg(test)]
mod tests;
