//! The four calls that send and receive: their arguments, and the checks of their results.

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::slice;
use std::sync::atomic::Ordering;

use nanomsg::constants::*;
use nanomsg::*;

use super::caller::{Caller, checked};
use super::program::{Body, Control, Header};

/// The content of memory that a receive must not change.
const UNTOUCHED: u8 = 0xa5;

/// A buffer of a body, for the time of a call.
enum Run {
    Bytes(Vec<u8>),
    /// The address of a message from the library; boxed, because the call has a pointer to it.
    Message(Box<*mut c_void>),
    Null(usize),
}

impl Run {
    fn vector(&mut self) -> nn_iovec {
        match self {
            Run::Bytes(bytes) => nn_iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() },
            Run::Message(message) => nn_iovec { iov_base: (&raw mut **message).cast(), iov_len: NN_MSG },
            Run::Null(length) => nn_iovec { iov_base: null_mut(), iov_len: *length },
        }
    }
}

/// A control buffer, for the time of a call.
enum Buffer {
    Bytes(Vec<u8>),
    Message(Box<*mut c_void>),
}

impl Buffer {
    fn place(&mut self) -> (*mut c_void, usize) {
        match self {
            Buffer::Bytes(bytes) if bytes.is_empty() => (null_mut(), 0),
            Buffer::Bytes(bytes) => (bytes.as_mut_ptr().cast(), bytes.len()),
            Buffer::Message(message) => ((&raw mut **message).cast(), NN_MSG),
        }
    }
}

impl Caller<'_> {
    pub(super) fn send(&mut self, socket: c_int, body: &Body, flags: c_int) {
        let mut run = self.run_to_send(body);
        let nn_iovec { iov_base, iov_len } = run.vector();
        // SAFETY: so many bytes are there, or it is null, or it points to a message or to null.
        let answer = checked(unsafe { nn_send(socket, iov_base, iov_len, flags) });
        self.after_sending(vec![run], answer);
    }

    pub(super) fn send_message(&mut self, socket: c_int, header: Option<&Header>, flags: c_int) {
        let Some(header) = header else {
            // SAFETY: null is allowed.
            assert_eq!(checked(unsafe { nn_sendmsg(socket, null(), flags) }), None);
            return;
        };
        let mut runs: Vec<Run> =
            header.runs.iter().flatten().take(8).map(|body| self.run_to_send(body)).collect();
        // All bytes of a body are equal, so that it is recognised when it is received.
        let fill = runs
            .iter()
            .find_map(|run| if let Run::Bytes(bytes) = run { bytes.first().copied() } else { None });
        for run in &mut runs {
            if let Run::Bytes(bytes) = run {
                bytes.fill(fill.unwrap_or_default());
            }
        }
        let mut control = self.control_to_send(&header.control);
        let answer = with_header(header, &mut runs, &mut control, |message| {
            // SAFETY: everything that the header points to is there.
            unsafe { nn_sendmsg(socket, message, flags) }
        });
        self.after_sending(runs, answer);
        if let Buffer::Message(message) = control
            && answer.is_none()
            && !message.is_null()
        {
            self.messages.push(*message);
        }
    }

    pub(super) fn receive(&mut self, socket: c_int, body: &Body, flags: c_int) {
        let mut run = run_to_receive(body);
        let nn_iovec { iov_base, iov_len } = run.vector();
        // SAFETY: there is so much room, or it is null, or it points to a pointer.
        let answer = checked(unsafe { nn_recv(socket, iov_base, iov_len, flags) });
        self.after_receiving(vec![run], answer);
    }

    pub(super) fn receive_message(&mut self, socket: c_int, header: Option<&Header>, flags: c_int) {
        let Some(header) = header else {
            // SAFETY: null is allowed.
            assert_eq!(checked(unsafe { nn_recvmsg(socket, null_mut(), flags) }), None);
            return;
        };
        let mut runs: Vec<Run> = header.runs.iter().flatten().take(8).map(run_to_receive).collect();
        let mut control = match &header.control {
            Control::None => Buffer::Bytes(Vec::new()),
            Control::Bytes(bytes) | Control::Protocol(bytes) => Buffer::Bytes(bytes.clone()),
            Control::Type(room) => Buffer::Bytes(vec![UNTOUCHED; (*room).into()]),
            Control::Message(_) => Buffer::Message(Box::new(null_mut())),
        };
        let answer = with_header(header, &mut runs, &mut control, |message| {
            // SAFETY: everything that the header points to is there.
            let answer = unsafe { nn_recvmsg(socket, message, flags) };
            if answer >= 0 {
                // SAFETY: as above; a message that was asked for is there now.
                unsafe { walk(message) };
            }
            answer
        });
        self.after_receiving(runs, answer);
        if let Buffer::Message(message) = control {
            assert_eq!(message.is_null(), answer.is_none());
            if !message.is_null() {
                // It may be sent as a body.
                self.shared.has_any_headers.store(true, Ordering::SeqCst);
                self.messages.push(*message);
            }
        }
    }

    fn run_to_send(&mut self, body: &Body) -> Run {
        match body {
            Body::Plain { fill, length } => Run::Bytes(vec![*fill; *length]),
            Body::Message(choice) => Run::Message(Box::new(self.take(*choice).unwrap_or(null_mut()))),
            Body::Null(length) => Run::Null((*length).into()),
            Body::NullMessage => Run::Message(Box::new(null_mut())),
        }
    }

    fn control_to_send(&mut self, control: &Control) -> Buffer {
        if !matches!(control, Control::None | Control::Type(_)) {
            self.shared.has_any_headers.store(true, Ordering::SeqCst);
        }
        let control_message = |level: c_int, kind: c_int, data: &[u8]| {
            let length = size_of::<nn_cmsghdr>() + data.len();
            let head = [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes()].concat();
            let mut bytes = [&head[..], data].concat();
            bytes.resize(length.next_multiple_of(size_of::<usize>()), 0);
            bytes
        };
        Buffer::Bytes(match control {
            Control::None => Vec::new(),
            Control::Bytes(bytes) => bytes.clone(),
            Control::Protocol(bytes) => {
                control_message(PROTO_SP, SP_HDR, &[&bytes.len().to_ne_bytes()[..], bytes].concat())
            }
            Control::Type(number) => control_message(NN_WS, NN_WS_MSG_TYPE, &[*number]),
            Control::Message(choice) => {
                return Buffer::Message(Box::new(self.take(*choice).unwrap_or(null_mut())));
            }
        })
    }

    /// A message that was not sent still belongs to this thread.
    fn after_sending(&mut self, runs: Vec<Run>, answer: Option<c_int>) {
        let mut length = 0;
        for run in runs {
            match run {
                Run::Message(message) if answer.is_none() && !message.is_null() => {
                    self.messages.push(*message);
                }
                Run::Bytes(bytes) => length += bytes.len(),
                Run::Message(message) if answer.is_some() => {
                    assert!(!message.is_null(), "nothing was sent");
                    return;
                }
                Run::Message(_) | Run::Null(_) => {}
            }
        }
        assert!(answer.is_none_or(|answer| answer as usize == length), "so much was not sent");
    }

    /// Checks that the received bytes are the end of a message that was sent, and that no other memory
    /// has changed.
    fn after_receiving(&mut self, runs: Vec<Run>, answer: Option<c_int>) {
        let Some(length) = answer.map(|answer| answer as usize) else {
            for run in runs {
                match run {
                    Run::Bytes(bytes) => assert!(bytes.iter().all(|byte| *byte == UNTOUCHED)),
                    Run::Message(message) => assert!(message.is_null()),
                    Run::Null(_) => {}
                }
            }
            return;
        };
        let mut body = Vec::new();
        for run in runs {
            match run {
                Run::Bytes(bytes) => {
                    let (new, rest) = bytes.split_at(bytes.len().min(length - body.len()));
                    body.extend_from_slice(new);
                    assert!(rest.iter().all(|byte| *byte == UNTOUCHED), "more was written than received");
                }
                Run::Message(message) => {
                    // SAFETY: the message is as long as the answer says.
                    body.extend_from_slice(unsafe { slice::from_raw_parts(message.cast(), length) });
                    self.messages.push(*message);
                }
                Run::Null(length) => assert_eq!(length, 0, "nowhere to write to"),
            }
        }
        let is_whole = body.iter().all(|byte| Some(byte) == body.first());
        assert!(is_whole || self.shared.has_any_headers.load(Ordering::SeqCst), "not sent: {body:x?}");
    }
}

fn run_to_receive(body: &Body) -> Run {
    match body {
        Body::Plain { length, .. } => Run::Bytes(vec![UNTOUCHED; *length]),
        Body::Message(_) => Run::Message(Box::new(null_mut())),
        Body::Null(length) => Run::Null((*length).into()),
        Body::NullMessage => Run::Null(NN_MSG),
    }
}

/// Makes a call with a header that points to the buffers and to the control buffer.
fn with_header(
    header: &Header,
    runs: &mut [Run],
    control: &mut Buffer,
    call: impl FnOnce(&mut nn_msghdr) -> c_int,
) -> Option<c_int> {
    let mut vectors: Vec<nn_iovec> = runs.iter_mut().map(Run::vector).collect();
    let (msg_control, msg_controllen) = control.place();
    let msg_iovlen = if header.is_negative { -1 } else { vectors.len() as c_int };
    let msg_iov = if header.runs.is_some() { vectors.as_mut_ptr() } else { null_mut() };
    checked(call(&mut nn_msghdr { msg_iov, msg_iovlen, msg_control, msg_controllen }))
}

/// Walks through the control messages of a header, and checks that they are in ascending order.
///
/// # Safety
/// The control buffer must be there.
unsafe fn walk(message: &nn_msghdr) {
    let mut at: *mut nn_cmsghdr = null_mut();
    loop {
        // SAFETY: the place is null, or was in the buffer.
        let next = unsafe { nn_cmsg_nxthdr_(message, at) };
        if next.is_null() {
            return;
        }
        assert!(at.is_null() || next.addr() >= at.addr() + size_of::<nn_cmsghdr>(), "they overlap");
        at = next;
    }
}
