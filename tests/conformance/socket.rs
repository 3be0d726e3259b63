//! The socket of the checks: a safe interface to the C functions, with typed results.
//!
//! Owns every pointer that is passed to the library. Does not know the roles: a wrong call is passed to
//! the library too, since a check tests its result.

use std::ffi::{CString, c_int, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nanomsg::constants::{
    AF_SP, AF_SP_RAW, NN_DONTWAIT, NN_MSG, NN_RCVFD, NN_RCVTIMEO, NN_RECONNECT_IVL, NN_SNDFD, NN_SNDTIMEO,
    NN_SOL_SOCKET, NN_STAT_CURRENT_CONNECTIONS, NN_SUB_SUBSCRIBE, NN_SURVEYOR_DEADLINE, PROTO_SP, SP_HDR,
};
use nanomsg::{
    nn_bind, nn_close, nn_cmsghdr, nn_connect, nn_errno, nn_freemsg, nn_get_statistic, nn_getsockopt,
    nn_iovec, nn_msghdr, nn_recvmsg, nn_sendmsg, nn_setsockopt, nn_shutdown, nn_socket,
};
use scaproust::Error;

use crate::descriptor::{Descriptor, is_readable};
use crate::role::{Role, SocketType};

/// When a check gives up. Nothing that works takes a noticeable part of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The same for an option.
const LIMIT_MS: c_int = 30_000;

/// What a call answers.
pub(crate) type Outcome<T> = Result<T, Error>;

/// A message with its protocol header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub header: Vec<u8>,
    pub body: Vec<u8>,
}

/// A socket that is closed when it is dropped, and whose calls give up at the limit.
#[derive(Debug)]
pub(crate) struct Socket {
    id: c_int,
    pub role: Role,
    is_closed: AtomicBool,
}

impl Socket {
    /// Opens a socket; a SUB socket subscribes to all messages.
    pub(crate) fn open(role: Role) -> Socket {
        let id = nn_socket(if role.raw { AF_SP_RAW } else { AF_SP }, role.socket_type.number());
        let socket = Socket { id: answer(id).expect("nn_socket"), role, is_closed: AtomicBool::new(false) };
        socket.set(NN_SOL_SOCKET, NN_SNDTIMEO, LIMIT_MS).expect("NN_SNDTIMEO");
        socket.set(NN_SOL_SOCKET, NN_RCVTIMEO, LIMIT_MS).expect("NN_RCVTIMEO");
        socket.set(NN_SOL_SOCKET, NN_RECONNECT_IVL, 10).expect("NN_RECONNECT_IVL");
        if role.socket_type == SocketType::Sub {
            socket.set_bytes(role.socket_type.number(), NN_SUB_SUBSCRIBE, b"").expect("NN_SUB_SUBSCRIBE");
        }
        if role.socket_type == SocketType::Surveyor && !role.raw {
            socket
                .set(role.socket_type.number(), NN_SURVEYOR_DEADLINE, LIMIT_MS)
                .expect("NN_SURVEYOR_DEADLINE");
        }
        socket
    }

    /// Its number for the C functions.
    pub(crate) fn id(&self) -> c_int {
        self.id
    }

    pub(crate) fn bind(&self, address: &str) -> Outcome<c_int> {
        let address = CString::new(address).expect("no zero in an address");
        // SAFETY: the text ends with a zero.
        answer(unsafe { nn_bind(self.id, address.as_ptr()) })
    }

    pub(crate) fn connect(&self, address: &str) -> Outcome<c_int> {
        let address = CString::new(address).expect("no zero in an address");
        // SAFETY: the text ends with a zero.
        answer(unsafe { nn_connect(self.id, address.as_ptr()) })
    }

    pub(crate) fn shutdown(&self, endpoint: c_int) -> Outcome<()> {
        answer(nn_shutdown(self.id, endpoint)).map(|_| ())
    }

    /// Closes the socket, while other threads may be blocked in it. It must not be used afterwards.
    pub(crate) fn close(&self) -> Outcome<()> {
        assert!(!self.is_closed.swap(true, Ordering::Relaxed), "closed twice: the number may be another's");
        answer(nn_close(self.id)).map(|_| ())
    }

    /// Sends a message without a protocol header.
    pub(crate) fn send(&self, body: &[u8]) -> Outcome<()> {
        self.send_flags(&[], body, 0)
    }

    /// As `send`, without blocking.
    pub(crate) fn try_send(&self, body: &[u8]) -> Outcome<()> {
        self.send_flags(&[], body, NN_DONTWAIT)
    }

    /// Sends a message with a protocol header.
    pub(crate) fn send_with(&self, header: &[u8], body: &[u8]) -> Outcome<()> {
        self.send_flags(header, body, 0)
    }

    /// As `send_with`, without blocking.
    pub(crate) fn try_send_with(&self, header: &[u8], body: &[u8]) -> Outcome<()> {
        self.send_flags(header, body, NN_DONTWAIT)
    }

    /// Allocates nothing before the call: a check that waits until the thread sleeps in the call must not
    /// find it waiting for the allocator's lock.
    fn send_flags(&self, header: &[u8], body: &[u8], flags: c_int) -> Outcome<()> {
        let mut vector = nn_iovec { iov_base: body.as_ptr().cast_mut().cast(), iov_len: body.len() };
        let mut control = Control::of(header);
        let (place, length) = if header.is_empty() { (ptr::null_mut(), 0) } else { control.place() };
        let message =
            nn_msghdr { msg_iov: &raw mut vector, msg_iovlen: 1, msg_control: place, msg_controllen: length };
        // SAFETY: every pointer is to a value of this function or its caller, of the given length.
        let sent = answer(unsafe { nn_sendmsg(self.id, &raw const message, flags) })?;
        assert_eq!(sent as usize, body.len(), "the length that nn_sendmsg answers");
        Ok(())
    }

    pub(crate) fn recv(&self) -> Outcome<Message> {
        self.recv_flags(0)
    }

    pub(crate) fn try_recv(&self) -> Outcome<Message> {
        self.recv_flags(NN_DONTWAIT)
    }

    fn recv_flags(&self, flags: c_int) -> Outcome<Message> {
        let mut start: *mut c_void = ptr::null_mut();
        let mut vector = nn_iovec { iov_base: (&raw mut start).cast(), iov_len: NN_MSG };
        let mut control = Control::of(&[]);
        let (place, _) = control.place();
        let mut message = nn_msghdr {
            msg_iov: &raw mut vector,
            msg_iovlen: 1,
            msg_control: place,
            msg_controllen: size_of::<Control>(),
        };
        // SAFETY: as for sending; `start` takes the address of a message.
        let length = answer(unsafe { nn_recvmsg(self.id, &raw mut message, flags) })?;
        // SAFETY: the library returned a message of this length, which belongs to the caller until it is freed.
        let body = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length as usize) }.to_vec();
        // SAFETY: as above; it is not used afterwards.
        assert_eq!(unsafe { nn_freemsg(start) }, 0, "nn_freemsg");
        Ok(Message { header: control.header().to_vec(), body })
    }

    pub(crate) fn set(&self, level: c_int, option: c_int, value: c_int) -> Outcome<()> {
        self.set_bytes(level, option, &value.to_ne_bytes())
    }

    pub(crate) fn set_bytes(&self, level: c_int, option: c_int, value: &[u8]) -> Outcome<()> {
        // SAFETY: the value has the given length.
        let result = unsafe { nn_setsockopt(self.id, level, option, value.as_ptr().cast(), value.len()) };
        answer(result).map(|_| ())
    }

    pub(crate) fn get(&self, level: c_int, option: c_int) -> Outcome<c_int> {
        self.value(level, option)
    }

    /// A descriptor that the socket has.
    pub(crate) fn descriptor(&self, option: c_int) -> Outcome<Descriptor> {
        self.value(NN_SOL_SOCKET, option)
    }

    fn value<T: Default>(&self, level: c_int, option: c_int) -> Outcome<T> {
        let mut value = T::default();
        let mut length = size_of::<T>();
        let place = (&raw mut value).cast();
        // SAFETY: both places are valid for writing, and have the given lengths; they hold numbers.
        answer(unsafe { nn_getsockopt(self.id, level, option, place, &raw mut length) })?;
        assert_eq!(length, size_of::<T>(), "the length of option {option}");
        Ok(value)
    }

    /// The value of a counter.
    pub(crate) fn statistic(&self, number: c_int) -> u64 {
        nn_get_statistic(self.id, number)
    }

    /// Statistics for the report of a lost message: connections now, made, accepted, dropped and broken;
    /// messages sent and received.
    pub(crate) fn history(&self) -> [u64; 7] {
        [201, 101, 102, 103, 104, 301, 302].map(|number| self.statistic(number))
    }

    /// Waits until the socket has the given number of connections, by polling.
    pub(crate) fn wait_for_connections(&self, count: u64) {
        wait_until(&format!("{count} connections of {}", self.role), || self.connections() == count);
    }

    /// How many connections it has.
    pub(crate) fn connections(&self) -> u64 {
        self.statistic(NN_STAT_CURRENT_CONNECTIONS)
    }

    /// Whether the descriptor for receiving is readable now.
    pub(crate) fn says_receivable(&self) -> bool {
        is_readable(self.descriptor(NN_RCVFD).expect("a descriptor"), Duration::ZERO)
    }

    /// Whether the descriptor for sending is readable now.
    pub(crate) fn says_sendable(&self) -> bool {
        is_readable(self.descriptor(NN_SNDFD).expect("a descriptor"), Duration::ZERO)
    }

    /// Waits until there is something to receive.
    pub(crate) fn wait_receivable(&self) {
        let descriptor = self.descriptor(NN_RCVFD).expect("a descriptor");
        assert!(is_readable(descriptor, LIMIT), "{} did not become receivable", self.role);
    }

    /// Waits until a message can be sent.
    pub(crate) fn wait_sendable(&self) {
        let descriptor = self.descriptor(NN_SNDFD).expect("a descriptor");
        assert!(is_readable(descriptor, LIMIT), "{} did not become sendable", self.role);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if !self.is_closed.swap(true, Ordering::Relaxed) {
            nn_close(self.id);
        }
    }
}

/// A buffer with one control message in it, a protocol header, which may be empty.
#[repr(C)]
struct Control {
    head: nn_cmsghdr,
    length: usize,
    header: [u8; Control::ROOM],
}

impl Control {
    /// Longer than any header of a check.
    const ROOM: usize = 256;

    fn of(header: &[u8]) -> Control {
        let mut bytes = [0; Control::ROOM];
        bytes[..header.len()].copy_from_slice(header);
        let cmsg_len = size_of::<nn_cmsghdr>() + size_of::<usize>() + header.len();
        let head = nn_cmsghdr { cmsg_len, cmsg_level: PROTO_SP, cmsg_type: SP_HDR };
        Control { head, length: header.len(), header: bytes }
    }

    /// Its address, and the length of its used part, in whole words.
    fn place(&mut self) -> (*mut c_void, usize) {
        let length = self.head.cmsg_len.next_multiple_of(size_of::<usize>());
        (ptr::from_mut(self).cast(), length)
    }

    /// The header, after the library has written one.
    fn header(&self) -> &[u8] {
        assert_eq!((self.head.cmsg_level, self.head.cmsg_type), (PROTO_SP, SP_HDR), "a control message");
        &self.header[..self.length]
    }
}

/// The result of a C function that returns -1 on failure.
pub(crate) fn answer(result: c_int) -> Outcome<c_int> {
    const NAMED: [Error; 18] = [
        Error::WouldBlock,
        Error::TimedOut,
        Error::Interrupted,
        Error::Closed,
        Error::Terminated,
        Error::WrongState,
        Error::NotSupported,
        Error::InvalidArgument,
        Error::BadPointer,
        Error::MessageSize,
        Error::OutOfMemory,
        Error::TooManySockets,
        Error::UnknownOption,
        Error::UnknownDomain,
        Error::UnknownTransport,
        Error::AddressTooLong,
        Error::AddressInUse,
        Error::NoSuchInterface,
    ];
    if result >= 0 {
        return Ok(result);
    }
    let errno = nn_errno();
    Err(NAMED.into_iter().find(|error| error.errno() == errno).unwrap_or(Error::Os(errno)))
}

/// Waits for a condition that has no event, by checking it every millisecond.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
