//! Decoding of WebSocket frames: payloads are unmasked, and fragments are joined to messages.
//!
//! Every violation of RFC 6455 is an error. As with tcp, lengths are checked against the limit before
//! memory is allocated, and memory grows with the bytes that arrive. The limit holds for all fragments
//! of a message together.

use std::io::Cursor;
use std::mem::MaybeUninit;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::{Mask, Side};
use crate::message::{Chunk, INLINE_MAX, MessageType, Payload};
use crate::wire::framing::{BadFrame, grown, split_front};

/// The longest header of a frame in bytes.
const HEADER_MAX: usize = 14;
/// The longest payload of a control frame in bytes.
const CONTROL_MAX: u64 = 125;

/// Decodes the peer's frames into messages: borrowed ones of up to [`INLINE_MAX`] bytes, and owned ones of more.
#[derive(Debug)]
pub(crate) struct WebSocketDecoder {
    /// This side: a server expects masked frames, a client unmasked ones.
    side: Side,
    /// The part of an incomplete frame header that has arrived.
    partial_header: Vec<u8>,
    /// The frame whose payload is being received.
    frame: Option<IncomingFrame>,
    /// The message whose frames are being received.
    message: Option<IncomingMessage>,
    /// An unmasked copy of a small message that is in one frame.
    small: Vec<u8>,
    /// The payload of the control frame that is being received.
    control: Vec<u8>,
    /// The payload of the last ping that was not taken yet.
    ping: Option<Vec<u8>>,
}

/// A frame whose header is complete, and whose payload is being received.
#[derive(Clone, Copy, Debug)]
struct IncomingFrame {
    control: Option<Control>,
    is_final: bool,
    mask: Option<Mask>,
    /// Length of the payload in bytes.
    length: usize,
    /// Bytes of the payload that have arrived.
    done: usize,
}

/// A message of which not all frames have arrived.
#[derive(Debug)]
struct IncomingMessage {
    message_type: MessageType,
    /// The limit for its memory: its length, or `usize::MAX` while that is not known.
    bound: usize,
    /// The sum of the lengths of all its frames so far, the last one included.
    announced: usize,
    /// The bytes that have arrived; `None` for a small message in one frame.
    chunk: Option<Chunk>,
}

impl IncomingFrame {
    /// Unmasks the next bytes of the payload.
    fn unmask(&mut self, bytes: &mut [u8]) {
        if let Some(mask) = self.mask {
            mask.apply(self.done, bytes);
        }
        self.done += bytes.len();
    }
}

impl WebSocketDecoder {
    /// A decoder at the start of the stream that `side` receives.
    pub(crate) fn new(side: Side) -> WebSocketDecoder {
        WebSocketDecoder {
            side,
            partial_header: Vec::new(),
            frame: None,
            message: None,
            small: Vec::new(),
            control: Vec::new(),
            ping: None,
        }
    }

    /// Whether a message or a control frame has arrived in part.
    pub(crate) fn is_mid_message(&self) -> bool {
        !self.partial_header.is_empty() || self.frame.is_some() || self.message.is_some()
    }

    /// The payload of the last ping since the last call.
    pub(crate) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Decodes all of `input`, and calls `each` for every message that is complete with it. `max` is
    /// the longest message allowed, in bytes.
    ///
    /// # Errors
    /// [`BadFrame`]; the decoder must not be used any more then.
    pub(crate) fn feed(
        &mut self,
        mut input: &[u8],
        max: Option<usize>,
        mut each: impl FnMut(Payload<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        loop {
            if self.frame.is_none() {
                let Some((header, length)) = self.take_header(&mut input)? else { return Ok(()) };
                self.begin_frame(&header, length, max, input.len())?;
            }
            self.take_payload(&mut input, &mut each)?;
            if self.frame.is_some() {
                return Ok(());
            }
        }
    }

    /// Cuts a header off the front of `input`, and returns it with the length of the payload. `None` if
    /// the header is incomplete: then all of `input` was taken.
    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, u64)>, BadFrame> {
        let before = self.partial_header.len();
        let (parsed, size) = if before == 0 {
            parse_header(input)?
        } else {
            self.partial_header.extend_from_slice(&input[..input.len().min(HEADER_MAX - before)]);
            parse_header(&self.partial_header)?
        };
        let Some((header, length)) = parsed else {
            if before == 0 {
                self.partial_header.extend_from_slice(input);
            }
            *input = &[];
            return Ok(None);
        };
        self.partial_header.clear();
        *input = &input[size - before..];
        // A length must be in its shortest form.
        if size == header.len(length) { Ok(Some((header, length))) } else { Err(BadFrame::Protocol) }
    }

    /// Begins a frame with a payload of `length` bytes. `available` bytes of input follow its header.
    fn begin_frame(
        &mut self,
        header: &FrameHeader,
        length: u64,
        max: Option<usize>,
        available: usize,
    ) -> Result<(), BadFrame> {
        let &FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        let has_expected_mask = mask.is_some() == (self.side == Side::Server);
        if rsv1 || rsv2 || rsv3 || !has_expected_mask || length >> 63 != 0 {
            return Err(BadFrame::Protocol);
        }
        let control = match opcode {
            OpCode::Control(control) if is_final && length <= CONTROL_MAX => Some(control),
            OpCode::Control(_) => return Err(BadFrame::Protocol),
            OpCode::Data(_) => None,
        };
        let length = usize::try_from(length).map_err(|_| BadFrame::TooLong)?;
        if let OpCode::Data(data) = opcode {
            let before = match (&self.message, data) {
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
                        if data == Data::Text { MessageType::Text } else { MessageType::Binary };
                    self.message = Some(IncomingMessage::new(message_type, is_final, announced, available)?);
                }
            }
        }
        self.frame = Some(IncomingFrame { control, is_final, mask: mask.map(Mask), length, done: 0 });
        Ok(())
    }

    /// Cuts bytes of the payload off the front of `input`.
    fn take_payload(
        &mut self,
        input: &mut &[u8],
        each: &mut impl FnMut(Payload<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        let Some(frame) = &mut self.frame else { return Ok(()) };
        let part = split_front(input, frame.length - frame.done);
        if frame.control.is_some() {
            append(&mut self.control, part, frame);
        } else if let Some(IncomingMessage { chunk: Some(chunk), bound, .. }) = &mut self.message {
            let mut rest = part;
            while !rest.is_empty() {
                let start = chunk.len();
                let count = grown(chunk, *bound)?.append(rest);
                rest = &rest[count..];
                unmask(chunk, start, frame)?;
            }
        } else if frame.mask.is_none()
            && part.len() == frame.length
            && let Some(IncomingMessage { message_type, .. }) = self.message.take()
        {
            // A complete small message without a mask needs no copy.
            self.frame = None;
            check_text(message_type, part)?;
            each(Payload::Borrowed(part), message_type);
            return Ok(());
        } else {
            append(&mut self.small, part, frame);
        }
        self.finish_frame(each)
    }

    /// Ends the frame if its payload is complete, and with it the message if it is the last frame.
    fn finish_frame(&mut self, each: &mut impl FnMut(Payload<'_>, MessageType)) -> Result<(), BadFrame> {
        let Some(frame) = self.frame.take_if(|frame| frame.done == frame.length) else {
            return Ok(());
        };
        if let Some(control) = frame.control {
            return self.finish_control(control);
        }
        if !frame.is_final {
            return Ok(());
        }
        let Some(message) = self.message.take() else { return Ok(()) };
        let small = std::mem::take(&mut self.small);
        let bytes = message.chunk.as_deref().unwrap_or(&small);
        check_text(message.message_type, bytes)?;
        match message.chunk {
            Some(chunk) if chunk.len() > INLINE_MAX => each(Payload::Owned(chunk), message.message_type),
            _ => each(Payload::Borrowed(bytes), message.message_type),
        }
        self.small = small;
        self.small.clear();
        Ok(())
    }

    /// Ends a control frame, whose payload is complete.
    fn finish_control(&mut self, control: Control) -> Result<(), BadFrame> {
        let payload = std::mem::take(&mut self.control);
        match control {
            Control::Ping => self.ping = Some(payload),
            Control::Close => return Err(closed(&payload)),
            Control::Pong | Control::Reserved(_) => {}
        }
        Ok(())
    }

    /// See [`Decoder::spare`](crate::wire::mapping::Decoder::spare).
    pub(crate) fn spare(&mut self) -> Result<Option<&mut [MaybeUninit<u8>]>, BadFrame> {
        match (&self.frame, &mut self.message) {
            (
                Some(IncomingFrame { control: None, length, done, .. }),
                Some(IncomingMessage { chunk: Some(chunk), bound, .. }),
            ) => {
                let spare = grown(chunk, *bound)?.spare();
                let count = spare.len().min(length - done);
                Ok(Some(&mut spare[..count]))
            }
            _ => Ok(None),
        }
    }

    /// Takes note of `count` bytes that were written to [`WebSocketDecoder::spare`], and calls `each` if the
    /// message is complete with them.
    ///
    /// # Errors
    /// As [`WebSocketDecoder::feed`].
    ///
    /// # Safety
    /// The first `count` bytes of [`WebSocketDecoder::spare`] must have been written.
    pub(crate) unsafe fn appended(
        &mut self,
        count: usize,
        mut each: impl FnMut(Payload<'_>, MessageType),
    ) -> Result<(), BadFrame> {
        if let (Some(frame), Some(IncomingMessage { chunk: Some(chunk), .. })) =
            (&mut self.frame, &mut self.message)
        {
            let start = chunk.len();
            // SAFETY: as the caller promises.
            unsafe { chunk.appended(count) };
            unmask(chunk, start, frame)?;
        }
        self.finish_frame(&mut each)
    }
}

impl IncomingMessage {
    /// A message whose first frame has `length` bytes, of which `available` have arrived. `is_only` says
    /// that no other frame follows.
    fn new(
        message_type: MessageType,
        is_only: bool,
        length: usize,
        available: usize,
    ) -> Result<IncomingMessage, BadFrame> {
        let (bound, chunk) = match (is_only, length) {
            (true, ..=INLINE_MAX) => {
                return Ok(IncomingMessage { message_type, bound: 0, announced: length, chunk: None });
            }
            (true, _) => (length, Chunk::for_announced(length)),
            // Without a known length, the memory doubles as the bytes arrive.
            (false, _) => (usize::MAX, Chunk::with_capacity(length.min(available).max(INLINE_MAX))),
        };
        let chunk = chunk.ok_or(BadFrame::OutOfMemory)?;
        Ok(IncomingMessage { message_type, bound, announced: length, chunk: Some(chunk) })
    }
}

/// Parses the header at the front of `bytes`, if it is complete. Returns also its size in bytes.
fn parse_header(bytes: &[u8]) -> Result<(Option<(FrameHeader, u64)>, usize), BadFrame> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| BadFrame::Protocol)?;
    Ok((parsed, usize::try_from(cursor.position()).unwrap_or(HEADER_MAX)))
}

/// Appends the next bytes of the payload, unmasked.
fn append(to: &mut Vec<u8>, part: &[u8], frame: &mut IncomingFrame) {
    let start = to.len();
    to.extend_from_slice(part);
    frame.unmask(&mut to[start..]);
}

/// Unmasks the bytes of the payload that were appended to the chunk behind `start`.
fn unmask(chunk: &mut Chunk, start: usize, frame: &mut IncomingFrame) -> Result<(), BadFrame> {
    // The chunk of an incomplete message is never shared.
    let bytes = chunk.unique().ok_or(BadFrame::OutOfMemory)?;
    frame.unmask(&mut bytes[start..]);
    Ok(())
}

fn check_text(message_type: MessageType, bytes: &[u8]) -> Result<(), BadFrame> {
    let is_wrong = message_type == MessageType::Text && std::str::from_utf8(bytes).is_err();
    if is_wrong { Err(BadFrame::NotText) } else { Ok(()) }
}

/// The error for a close frame with this payload: its status code, or what is invalid in it.
fn closed(payload: &[u8]) -> BadFrame {
    match payload.split_first_chunk() {
        None if payload.is_empty() => BadFrame::Closed(None),
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
