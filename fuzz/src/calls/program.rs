//! Programs of calls, and how bytes become one.
//!
//! Any bytes are a program, and a byte more or less in one call changes the following calls little.
//! This module calls no function of the library.

use std::ffi::{CString, c_int, c_short};

use arbitrary::{Arbitrary, Result, Unstructured};
use nanomsg::constants::*;

use super::signals::Signals;

/// How many threads a program has.
pub(super) const THREADS: usize = 3;
/// The most calls of a program.
const CALLS_MAX: usize = 120;
/// The longest message, and the longest buffer to receive into.
const BODY_MAX: usize = 70_000;

const PROTOCOLS: [c_int; 12] = [
    NN_PAIR,
    NN_PUB,
    NN_SUB,
    NN_PUSH,
    NN_PULL,
    NN_REQ,
    NN_REP,
    NN_SURVEYOR,
    NN_RESPONDENT,
    NN_BUS,
    NN_PAIR_V1,
    NN_STAR,
];
const LEVELS: [c_int; 8] = [NN_SOL_SOCKET, NN_SOL_SOCKET, NN_TCP, NN_WS, NN_SUB, NN_REQ, NN_SURVEYOR, NN_PUB];

/// The calls of each thread, in their order.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) threads: [Vec<Call>; THREADS],
    /// Signals that the threads get during the program.
    pub(super) signals: Option<Signals>,
    /// One of the calls is nn_term, which affects the whole process.
    pub(super) has_end: bool,
}

impl Program {
    pub(super) fn read(input: &[u8]) -> Program {
        let mut bytes = Unstructured::new(input);
        let mut program = Program::default();
        for _ in 0..CALLS_MAX {
            if bytes.is_empty() {
                break;
            }
            let Ok(thread) = bytes.arbitrary::<u8>() else { break };
            let calls = &mut program.threads[usize::from(thread) % THREADS];
            match thread {
                0..245 => match bytes.arbitrary() {
                    Ok(call) => calls.push(call),
                    Err(_) => break,
                },
                245..250 => {
                    calls.push(Call::Terminate);
                    program.has_end = true;
                }
                250..253 => program.signals = Some(Signals::Restart),
                253.. => program.signals = Some(Signals::Interrupt),
            }
        }
        program
    }
}

/// A call with its arguments.
#[derive(Arbitrary, Debug)]
pub(super) enum Call {
    /// Opens two sockets of matching types, one bound and one connected, which random bytes rarely
    /// do.
    Couple {
        protocols: Couple,
        is_raw: [bool; 2],
        address: Address,
    },
    Socket {
        domain: Domain,
        protocol: Protocol,
    },
    Close(Socket),
    SetOption {
        socket: Socket,
        level: Level,
        option: Name,
        value: Value,
    },
    GetOption {
        socket: Socket,
        level: Level,
        option: Name,
        room: Option<u8>,
    },
    Bind(Socket, Option<Address>),
    Connect(Socket, Option<Address>),
    Shutdown(Socket, Small),
    Send {
        socket: Socket,
        body: Body,
        flags: Small,
    },
    Receive {
        socket: Socket,
        body: Body,
        flags: Small,
    },
    SendMessage {
        socket: Socket,
        header: Option<Header>,
        flags: Small,
    },
    ReceiveMessage {
        socket: Socket,
        header: Option<Header>,
        flags: Small,
    },
    Poll {
        list: Option<Vec<(Socket, c_short)>>,
        is_negative: bool,
        timeout: u8,
    },
    Device(Socket, Socket),
    Statistic(Socket, Statistic),
    Allocate {
        size: Size,
        kind: Small,
    },
    Reallocate {
        message: u8,
        size: Size,
    },
    Free(u8),
    Name {
        number: c_int,
        wants_value: bool,
    },
    Describe {
        number: c_int,
        room: i8,
    },
    Explain(c_int),
    #[arbitrary(skip)]
    Terminate,
}

/// The argument that names a socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Socket {
    /// One that the program has opened; it may be closed already.
    Known(u8),
    Any(c_int),
}

impl<'a> Arbitrary<'a> for Socket {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Socket> {
        Ok(match bytes.arbitrary()? {
            number @ 0..240 => Socket::Known(number),
            240.. => Socket::Any(bytes.arbitrary()?),
        })
    }
}

/// An `int` that is mostly one of a list, and sometimes any.
macro_rules! number {
    ($name:ident, $list:expr) => {
        #[derive(Clone, Copy, Debug)]
        pub(super) struct $name(pub(super) c_int);

        impl<'a> Arbitrary<'a> for $name {
            fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<$name> {
                let list = $list;
                Ok($name(match bytes.arbitrary::<u8>()? {
                    byte @ 0..240 => list[usize::from(byte) % list.len()],
                    240.. => bytes.arbitrary()?,
                }))
            }
        }
    };
}

number!(Domain, [AF_SP, AF_SP_RAW]);
number!(Protocol, PROTOCOLS);
number!(Level, LEVELS);
number!(Name, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 101]);
number!(Small, [0, 1, 2, 3]);
number!(Statistic, [101, 102, 103, 104, 105, 106, 107, 201, 202, 203, 301, 302, 303, 304, 401, 1001, 1002]);

/// Protocols that talk to each other: the bound and the connected one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Couple(pub(super) [c_int; 2]);

impl<'a> Arbitrary<'a> for Couple {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Couple> {
        let couples = [
            [NN_PAIR, NN_PAIR],
            [NN_PUB, NN_SUB],
            [NN_PULL, NN_PUSH],
            [NN_REP, NN_REQ],
            [NN_SURVEYOR, NN_RESPONDENT],
            [NN_BUS, NN_BUS],
            [NN_PAIR_V1, NN_PAIR_V1],
            [NN_STAR, NN_STAR],
        ];
        let byte = bytes.arbitrary::<u8>()?;
        let mut couple = couples[usize::from(byte) % couples.len()];
        if byte >= 128 {
            couple.reverse();
        }
        Ok(Couple(couple))
    }
}

/// The value of an option.
#[derive(Arbitrary, Debug)]
pub(super) enum Value {
    Small(i8),
    Int(c_int),
    Bytes(Vec<u8>),
    /// NULL with a length.
    Null(u8),
}

/// The length of an allocation.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Size {
    Short(u8),
    Long(u16),
    /// A length that no machine can allocate.
    Absurd(u64),
}

impl Size {
    pub(super) fn bytes(self) -> usize {
        match self {
            Size::Short(length) => length.into(),
            Size::Long(length) => length.into(),
            Size::Absurd(length) => length as usize | 1 << 60,
        }
    }
}

/// The bytes of a message to send, or the destination of a received one.
#[derive(Debug)]
pub(super) enum Body {
    /// In the caller's memory, all of one value.
    Plain { fill: u8, length: usize },
    /// In a message of the library's (NN_MSG).
    Message(u8),
    /// A NULL pointer with a length.
    Null(u8),
    /// A pointer to a NULL pointer (NN_MSG).
    NullMessage,
}

impl<'a> Arbitrary<'a> for Body {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Body> {
        let choice = bytes.arbitrary::<u8>()?;
        let fill = bytes.arbitrary()?;
        Ok(match choice {
            0..100 => Body::Plain { fill, length: bytes.arbitrary::<u8>()?.into() },
            100..150 => {
                let length = usize::from(bytes.arbitrary::<u16>()?) * 2;
                Body::Plain { fill, length: length.min(BODY_MAX) }
            }
            150..240 => Body::Message(fill),
            240..250 => Body::Null(fill),
            250.. => Body::NullMessage,
        })
    }
}

/// What a `struct nn_msghdr` points to.
#[derive(Arbitrary, Debug)]
pub(super) struct Header {
    /// The runs of the body; none is a NULL list.
    pub(super) runs: Option<Vec<Body>>,
    /// A negative count in place of the number of runs.
    pub(super) is_negative: bool,
    pub(super) control: Control,
}

/// A control buffer.
#[derive(Arbitrary, Debug)]
pub(super) enum Control {
    None,
    /// Any bytes; for receiving, a buffer of that length.
    Bytes(Vec<u8>),
    /// A protocol header, for raw sockets.
    Protocol(Vec<u8>),
    /// The type of a message over ws.
    Type(u8),
    /// In a message of the library's (NN_MSG).
    Message(u8),
}

/// An address whose folder, host and port are filled in when the program runs.
#[derive(Debug)]
pub(super) enum Address {
    Inproc(u8),
    Ipc(u8),
    Tcp {
        host: u8,
        port: u8,
    },
    Ws {
        host: u8,
        port: u8,
        path: u8,
    },
    /// Text that reaches nothing outside the process.
    Text(CString),
}

impl<'a> Arbitrary<'a> for Address {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Address> {
        let choice = bytes.arbitrary::<u8>()?;
        Ok(match choice {
            0..60 => Address::Inproc(choice),
            60..120 => Address::Ipc(choice),
            120..180 => Address::Tcp { host: choice, port: bytes.arbitrary()? },
            180..240 => Address::Ws { host: choice, port: bytes.arbitrary()?, path: bytes.arbitrary()? },
            240.. => {
                let mut text = bytes.arbitrary::<Vec<u8>>()?;
                text.retain(|byte| *byte != 0);
                // Keeps the program away from the network and the file system.
                if [&b"tcp"[..], b"ws", b"ipc"].iter().any(|scheme| text.starts_with(scheme)) {
                    text.splice(0..0, *b"inproc://");
                }
                Address::Text(CString::new(text).expect("zeros were taken out"))
            }
        })
    }
}
