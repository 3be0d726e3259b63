//! Makes the calls of one thread, with arguments in memory of exactly the given lengths, and checks
//! each result as far as one thread can.

use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use nanomsg::constants::*;
use nanomsg::*;

use super::Place;
use super::program::{Call, Socket, Value};

/// The longest that a call may block, and closing may linger, in milliseconds.
const PATIENCE: c_int = 3;

/// What the threads of a program share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Every number that nn_socket has returned.
    sockets: Mutex<Vec<c_int>>,
    /// No further call is made.
    pub(super) is_over: AtomicBool,
    /// All threads have done what they had to do.
    pub(super) has_ended: AtomicBool,
    /// Arbitrary protocol headers were sent, so a received body may begin with a part of one.
    pub(super) has_any_headers: AtomicBool,
}

impl Shared {
    pub(super) fn sockets(&self) -> Vec<c_int> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A thread of a program.
pub(super) struct Caller<'a> {
    pub(super) shared: &'a Shared,
    place: &'a Place,
    /// The messages from the library that this thread owns.
    pub(super) messages: Vec<*mut c_void>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: the thread owns each message of the list.
            assert_eq!(unsafe { nn_freemsg(message) }, 0);
        }
    }
}

/// Checks the result of a call: it is not below -1, and -1 comes with a known error that is not that of
/// a panic.
pub(super) fn checked(answer: c_int) -> Option<c_int> {
    assert!(answer >= -1, "the answer is {answer}");
    if answer >= 0 {
        return Some(answer);
    }
    let error = nn_errno();
    assert!(error != 0 && error != libc::ENOTRECOVERABLE, "the error is {error}");
    None
}

impl<'a> Caller<'a> {
    pub(super) fn new(shared: &'a Shared, place: &'a Place) -> Caller<'a> {
        Caller { shared, place, messages: Vec::new() }
    }

    pub(super) fn carry_out(&mut self, calls: &[Call]) {
        for call in calls {
            if self.shared.is_over.load(Ordering::SeqCst) {
                return;
            }
            self.call(call);
        }
    }

    fn call(&mut self, call: &Call) {
        match call {
            Call::Couple { protocols, is_raw, address } => {
                let [bound, connected] = [0, 1].map(|side: usize| {
                    let domain = if is_raw[side] { AF_SP_RAW } else { AF_SP };
                    self.open(domain, protocols.0[side]).unwrap_or(-1)
                });
                let [to_bind, to_connect] = [true, false].map(|is_bound| self.place.text(address, is_bound));
                // SAFETY: it is a text.
                checked(unsafe { nn_bind(bound, to_bind.as_ptr()) });
                // SAFETY: as above.
                checked(unsafe { nn_connect(connected, to_connect.as_ptr()) });
                let subscriber = if protocols.0[0] == NN_SUB { bound } else { connected };
                set(subscriber, NN_SUB, NN_SUB_SUBSCRIBE, &Value::Bytes(Vec::new()));
            }
            Call::Socket { domain, protocol } => _ = self.open(domain.0, protocol.0),
            Call::Close(socket) => _ = checked(nn_close(self.number(*socket))),
            Call::SetOption { socket, level, option, value } => {
                set(self.number(*socket), level.0, option.0, value);
            }
            Call::GetOption { socket, level, option, room } => {
                get(self.number(*socket), level.0, option.0, *room);
            }
            Call::Bind(socket, address) | Call::Connect(socket, address) => {
                let is_bound = matches!(call, Call::Bind(..));
                let address = address.as_ref().map(|address| self.place.text(address, is_bound));
                let text = address.as_ref().map_or(null(), |text| text.as_ptr());
                let call = if is_bound { nn_bind } else { nn_connect };
                // SAFETY: it is a text, or null.
                let endpoint = checked(unsafe { call(self.number(*socket), text) });
                assert!(endpoint.is_none_or(|endpoint| endpoint > 0));
            }
            Call::Shutdown(socket, endpoint) => _ = checked(nn_shutdown(self.number(*socket), endpoint.0)),
            Call::Send { socket, body, flags } => self.send(self.number(*socket), body, flags.0),
            Call::Receive { socket, body, flags } => self.receive(self.number(*socket), body, flags.0),
            Call::SendMessage { socket, header, flags } => {
                self.send_message(self.number(*socket), header.as_ref(), flags.0);
            }
            Call::ReceiveMessage { socket, header, flags } => {
                self.receive_message(self.number(*socket), header.as_ref(), flags.0);
            }
            Call::Poll { list, is_negative, timeout } => {
                let timeout = c_int::from(*timeout).min(PATIENCE);
                let mut entries: Vec<_> = list
                    .iter()
                    .flatten()
                    .map(|(socket, events)| nn_pollfd {
                        fd: self.number(*socket),
                        events: *events,
                        revents: -1,
                    })
                    .collect();
                let count = if *is_negative { -1 } else { entries.len() as c_int };
                let start = if list.is_some() { entries.as_mut_ptr() } else { null_mut() };
                // SAFETY: so many entries are there.
                let answer = checked(unsafe { nn_poll(start, count, timeout) });
                let answered = entries.iter().filter(|entry| entry.revents > 0).count();
                assert!(answer.is_none_or(|answer| answer == answered as c_int || list.is_none()));
                for entry in entries.iter().filter(|_| answer.is_some()) {
                    assert_eq!(entry.revents & !entry.events, 0, "events that were not asked for");
                }
            }
            Call::Device(one, other) => {
                assert_eq!(checked(nn_device(self.number(*one), self.number(*other))), None);
            }
            Call::Statistic(socket, statistic) => {
                _ = nn_get_statistic(self.number(*socket), statistic.0);
            }
            Call::Allocate { size, kind } => {
                let message = nn_allocmsg(size.bytes(), kind.0);
                assert!(message.is_null() || kind.0 == 0);
                self.keep_filled(message, size.bytes());
            }
            Call::Reallocate { message, size } => {
                let Some(message) = self.take(*message) else { return };
                // SAFETY: it is owned.
                let moved = unsafe { nn_reallocmsg(message, size.bytes()) };
                match moved.is_null() {
                    true => self.messages.push(message),
                    false => self.keep_filled(moved, size.bytes()),
                }
            }
            Call::Free(message) => {
                let message = self.take(*message);
                // SAFETY: it is owned, or null.
                let answer = checked(unsafe { nn_freemsg(message.unwrap_or(null_mut())) });
                assert_eq!(answer.is_some(), message.is_some());
            }
            Call::Name { number, wants_value } => {
                let mut value = 0;
                // SAFETY: the number is there, or null.
                _ = unsafe { nn_symbol(*number, if *wants_value { &mut value } else { null_mut() }) };
            }
            Call::Describe { number, room } => {
                let mut bytes = vec![0_u8; usize::try_from(*room).unwrap_or(0)];
                // SAFETY: so many bytes are there.
                let answer = unsafe { nn_symbol_info(*number, bytes.as_mut_ptr().cast(), (*room).into()) };
                assert!((0..=c_int::from(*room).max(0)).contains(&answer));
            }
            Call::Terminate => {
                // Before the first nn_socket, which may fail, nn_term does nothing.
                assert_eq!(checked(nn_socket(-1, NN_PAIR)), None);
                nn_term();
                assert_eq!(checked(nn_socket(AF_SP, NN_PAIR)), None, "a socket after nn_term");
            }
            Call::Explain(error) => assert!(!nn_strerror(*error).is_null()),
        }
    }

    /// The socket that an argument names; -1 if the program has none yet.
    fn number(&self, socket: Socket) -> c_int {
        match socket {
            Socket::Known(choice) => {
                let sockets = self.shared.sockets();
                let position = usize::from(choice).checked_rem(sockets.len());
                position.map_or(-1, |position| sockets[position])
            }
            Socket::Any(number) => number,
        }
    }

    /// Opens a socket with short timeouts.
    fn open(&self, domain: c_int, protocol: c_int) -> Option<c_int> {
        let socket = checked(nn_socket(domain, protocol))?;
        for option in [NN_SNDTIMEO, NN_RCVTIMEO, NN_LINGER] {
            set(socket, NN_SOL_SOCKET, option, &Value::Int(PATIENCE));
        }
        self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        Some(socket)
    }

    /// Records a message that this thread now owns, and fills it.
    fn keep_filled(&mut self, message: *mut c_void, length: usize) {
        if !message.is_null() {
            // SAFETY: the message is as long as that.
            unsafe { message.cast::<u8>().write_bytes(b'm', length) };
            self.messages.push(message);
        }
    }

    /// Takes one of the messages of this thread.
    pub(super) fn take(&mut self, choice: u8) -> Option<*mut c_void> {
        let position = usize::from(choice).checked_rem(self.messages.len())?;
        Some(self.messages.swap_remove(position))
    }
}

/// Sets an option. Timeouts are kept short.
fn set(socket: c_int, level: c_int, option: c_int, value: &Value) {
    let bytes = match value {
        Value::Small(number) => c_int::from(*number).to_ne_bytes().to_vec(),
        Value::Int(number) => number.to_ne_bytes().to_vec(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Null(length) => {
            // SAFETY: null is allowed.
            checked(unsafe { nn_setsockopt(socket, level, option, null(), (*length).into()) });
            return;
        }
    };
    let is_patience = level == NN_SOL_SOCKET && [NN_SNDTIMEO, NN_RCVTIMEO, NN_LINGER].contains(&option);
    let bytes = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(number) if is_patience => {
            c_int::from_ne_bytes(number).rem_euclid(PATIENCE + 1).to_ne_bytes().to_vec()
        }
        _ => bytes,
    };
    // SAFETY: so many bytes are there.
    checked(unsafe { nn_setsockopt(socket, level, option, bytes.as_ptr().cast(), bytes.len()) });
}

/// Reads an option, with NULL if the buffer has no bytes.
fn get(socket: c_int, level: c_int, option: c_int, room: Option<u8>) {
    let mut bytes = vec![0_u8; room.unwrap_or(0).into()];
    let mut length = bytes.len();
    let start = if room.is_some() { bytes.as_mut_ptr().cast() } else { null_mut() };
    // SAFETY: there is that much room, or the place is null.
    let answer = checked(unsafe { nn_getsockopt(socket, level, option, start, &mut length) });
    assert!(answer.is_none() || room.is_some(), "nowhere to write to");
}
