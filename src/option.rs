//! Socket options: parsed once into typed values, each with its range and its default.
//!
//! The table below is the one source of the socket level's numbers, ranges and defaults.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::Error;
use crate::message::MessageType;

/// Names of the socket level's options, as in `nn.h`.
pub(crate) mod name {
    /// Milliseconds that closing may take to deliver what was sent.
    pub(crate) const LINGER: i32 = 1;
    /// Bytes that wait for being sent, per pipe.
    pub(crate) const SNDBUF: i32 = 2;
    /// Bytes that wait for being received, per pipe.
    pub(crate) const RCVBUF: i32 = 3;
    /// Milliseconds that a send may block; negative: for ever.
    pub(crate) const SNDTIMEO: i32 = 4;
    /// Milliseconds that a receive may block; negative: for ever.
    pub(crate) const RCVTIMEO: i32 = 5;
    /// Milliseconds before the first attempt to reconnect.
    pub(crate) const RECONNECT_IVL: i32 = 6;
    /// The longest time between attempts; zero: as the first.
    pub(crate) const RECONNECT_IVL_MAX: i32 = 7;
    /// Priority for sending of the endpoints that follow.
    pub(crate) const SNDPRIO: i32 = 8;
    /// Priority for receiving of the endpoints that follow.
    pub(crate) const RCVPRIO: i32 = 9;
    /// Descriptor that is readable when a send would not block.
    pub(crate) const SNDFD: i32 = 10;
    /// Descriptor that is readable when a receive would not block.
    pub(crate) const RCVFD: i32 = 11;
    /// The socket's domain.
    pub(crate) const DOMAIN: i32 = 12;
    /// The socket's protocol.
    pub(crate) const PROTOCOL: i32 = 13;
    /// Whether the endpoints that follow leave IPv6 out.
    pub(crate) const IPV4ONLY: i32 = 14;
    /// What the socket is called in messages to people.
    pub(crate) const SOCKET_NAME: i32 = 15;
    /// The longest message taken from a peer; -1: no limit.
    pub(crate) const RCVMAXSIZE: i32 = 16;
    /// The most hops a request may have made.
    pub(crate) const MAXTTL: i32 = 17;
}

/// The level of the tcp transport's options.
pub(crate) const LEVEL_TCP: i32 = -3;
/// `NN_TCP_NODELAY` at that level.
pub(crate) const TCP_NODELAY: i32 = 1;
/// `NN_REQ_RESEND_IVL` at the level of REQ.
pub(crate) const RESEND_INTERVAL: i32 = 1;
/// `NN_SURVEYOR_DEADLINE` at the level of SURVEYOR.
pub(crate) const SURVEY_DEADLINE: i32 = 1;
/// The level of the ws transport's options.
pub(crate) const LEVEL_WS: i32 = -4;
/// `NN_WS_MSG_TYPE` at that level.
pub(crate) const WS_MSG_TYPE: i32 = 1;
/// `NN_WS_MSG_TYPE_TEXT`.
pub(crate) const WS_TEXT: i32 = 1;
/// `NN_WS_MSG_TYPE_BINARY`.
pub(crate) const WS_BINARY: i32 = 2;
/// The longest `NN_SOCKET_NAME` in bytes.
const NAME_MAX: usize = 63;

/// An integer option that can be set.
struct Spec {
    name: i32,
    default: i32,
    range: RangeInclusive<i32>,
}

const ANY: RangeInclusive<i32> = i32::MIN..=i32::MAX;

/// Every integer option that can be set at the socket level or at that of a transport.
const SPECS: [Spec; 14] = [
    Spec { name: name::LINGER, default: 1000, range: ANY },
    Spec { name: name::SNDBUF, default: 128 * 1024, range: 1..=i32::MAX },
    Spec { name: name::RCVBUF, default: 128 * 1024, range: 1..=i32::MAX },
    Spec { name: name::SNDTIMEO, default: -1, range: ANY },
    Spec { name: name::RCVTIMEO, default: -1, range: ANY },
    Spec { name: name::RECONNECT_IVL, default: 100, range: 0..=i32::MAX },
    Spec { name: name::RECONNECT_IVL_MAX, default: 0, range: 0..=i32::MAX },
    Spec { name: name::SNDPRIO, default: 8, range: 1..=16 },
    Spec { name: name::RCVPRIO, default: 8, range: 1..=16 },
    Spec { name: name::IPV4ONLY, default: 1, range: 0..=1 },
    Spec { name: name::RCVMAXSIZE, default: 1024 * 1024, range: -1..=i32::MAX },
    Spec { name: name::MAXTTL, default: 8, range: 1..=255 },
    Spec { name: NODELAY_SLOT, default: 0, range: 0..=1 },
    Spec { name: MESSAGE_TYPE_SLOT, default: WS_BINARY, range: WS_TEXT..=WS_BINARY },
];

/// Where `NN_TCP_NODELAY` is kept among the values; no name of the socket level.
const NODELAY_SLOT: i32 = 0;
/// As above, for `NN_WS_MSG_TYPE`.
const MESSAGE_TYPE_SLOT: i32 = 18;

/// Where an option of a transport's level is kept.
fn slot(level: i32, name: i32) -> Result<i32, Error> {
    match (level, name) {
        (LEVEL_TCP, TCP_NODELAY) => Ok(NODELAY_SLOT),
        (LEVEL_WS, WS_MSG_TYPE) => Ok(MESSAGE_TYPE_SLOT),
        _ => Err(Error::UnknownOption),
    }
}

/// Whether the name is no slot of a transport's option.
fn is_socket_level(name: i32) -> bool {
    name != NODELAY_SLOT && name != MESSAGE_TYPE_SLOT
}

impl MessageType {
    /// The number that stands for it: `NN_WS_MSG_TYPE_TEXT` or `NN_WS_MSG_TYPE_BINARY`.
    pub(crate) fn number(self) -> i32 {
        match self {
            MessageType::Text => WS_TEXT,
            MessageType::Binary => WS_BINARY,
        }
    }

    /// The type that a number stands for.
    pub(crate) fn from_number(number: i32) -> Option<MessageType> {
        [MessageType::Text, MessageType::Binary].into_iter().find(|known| known.number() == number)
    }
}

/// The values of a socket's options.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Indexed by name, or by slot.
    values: [i32; 19],
    /// Bit `n` is set when the option at `values[n]` was.
    set: u32,
    /// `NN_SOCKET_NAME`, any bytes but zero; the socket's number until it is set.
    name: Vec<u8>,
}

impl Options {
    /// The defaults, for the socket with this number.
    pub(crate) fn new(id: i32) -> Options {
        let mut values = [0; 19];
        for spec in &SPECS {
            values[index(spec.name)] = spec.default;
        }
        Options { values, set: 0, name: id.to_string().into_bytes() }
    }

    /// Sets an option of the socket level.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a wrong length or value, [`Error::UnknownOption`].
    pub(crate) fn set(&mut self, name: i32, value: &[u8]) -> Result<(), Error> {
        if name == name::SOCKET_NAME {
            if value.len() > NAME_MAX {
                return Err(Error::InvalidArgument);
            }
            // To a C program it is a text that ends with a zero.
            let length = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
            self.name = value[..length].to_owned();
            return Ok(());
        }
        let value = int(value)?;
        if !is_socket_level(name) {
            return Err(Error::UnknownOption);
        }
        self.set_int(name, value)
    }

    /// Sets an option of a transport's level.
    ///
    /// # Errors
    /// As [`Options::set`].
    pub(crate) fn set_transport(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), Error> {
        let value = int(value)?;
        self.set_int(slot(level, name)?, value)
    }

    fn set_int(&mut self, name: i32, value: i32) -> Result<(), Error> {
        let spec = SPECS.iter().find(|spec| spec.name == name).ok_or(Error::UnknownOption)?;
        if !spec.range.contains(&value) {
            return Err(Error::InvalidArgument);
        }
        self.values[index(name)] = value;
        self.set |= 1 << index(name);
        Ok(())
    }

    /// Whether an integer option was set, be it to its default.
    pub(crate) fn is_set(&self, name: i32) -> bool {
        self.set & 1 << index(name) != 0
    }

    /// The value of an integer option of the socket level.
    ///
    /// # Errors
    /// [`Error::UnknownOption`].
    pub(crate) fn get(&self, name: i32) -> Result<i32, Error> {
        let known = is_socket_level(name) && SPECS.iter().any(|spec| spec.name == name);
        if known { Ok(self.int(name)) } else { Err(Error::UnknownOption) }
    }

    /// The value of an option of a transport's level.
    ///
    /// # Errors
    /// [`Error::UnknownOption`].
    pub(crate) fn get_transport(&self, level: i32, name: i32) -> Result<i32, Error> {
        Ok(self.int(slot(level, name)?))
    }

    fn int(&self, name: i32) -> i32 {
        self.values[index(name)]
    }

    /// `NN_SOCKET_NAME`.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// A time in milliseconds, or `None` for ever.
    pub(crate) fn timeout(&self, name: i32) -> Option<Duration> {
        u64::try_from(self.int(name)).ok().map(Duration::from_millis)
    }

    /// A size or a time that cannot be negative.
    pub(crate) fn positive(&self, name: i32) -> usize {
        usize::try_from(self.int(name)).unwrap_or(0)
    }

    /// Whether the kernel sends small segments at once. It does, unless `NN_TCP_NODELAY` was set to 0: until then the
    /// option reads 0, as in the C library, but messages are gathered here, and Nagle's algorithm would only delay them.
    pub(crate) fn nodelay(&self) -> bool {
        !self.is_set(NODELAY_SLOT) || self.int(NODELAY_SLOT) == 1
    }

    /// `NN_WS_MSG_TYPE`.
    pub(crate) fn message_type(&self) -> MessageType {
        // No other value was let in.
        MessageType::from_number(self.int(MESSAGE_TYPE_SLOT)).unwrap_or(MessageType::Binary)
    }
}

fn index(name: i32) -> usize {
    usize::try_from(name).unwrap_or(0)
}

/// The value of an option of type `int`, in the machine's byte order.
fn int(value: &[u8]) -> Result<i32, Error> {
    value.try_into().map(i32::from_ne_bytes).map_err(|_| Error::InvalidArgument)
}

/// An option of a protocol's own level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolOption<'a> {
    /// `NN_SUB_SUBSCRIBE`: receive messages that begin with these bytes.
    Subscribe(&'a [u8]),
    /// `NN_SUB_UNSUBSCRIBE`: take one such subscription back.
    Unsubscribe(&'a [u8]),
    /// `NN_REQ_RESEND_IVL`: milliseconds after which a request is sent again.
    ResendInterval(i32),
    /// `NN_SURVEYOR_DEADLINE`: milliseconds within which a survey is to be answered.
    SurveyDeadline(i32),
}

impl<'a> ProtocolOption<'a> {
    /// The option `name` of the protocol with the number `level`.
    ///
    /// # Errors
    /// [`Error::UnknownOption`], or [`Error::InvalidArgument`] for a wrong length.
    pub(crate) fn parse(level: i32, name: i32, value: &'a [u8]) -> Result<Self, Error> {
        const SUB: i32 = 33;
        const REQ: i32 = 48;
        const SURVEYOR: i32 = 98;
        match (level, name) {
            (SUB, 1) => Ok(ProtocolOption::Subscribe(value)),
            (SUB, 2) => Ok(ProtocolOption::Unsubscribe(value)),
            (REQ, RESEND_INTERVAL) => Ok(ProtocolOption::ResendInterval(int(value)?)),
            (SURVEYOR, SURVEY_DEADLINE) => Ok(ProtocolOption::SurveyDeadline(int(value)?)),
            _ => Err(Error::UnknownOption),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_ranges() {
        let mut options = Options::new(7);
        assert_eq!(options.name(), b"7");
        for (name, default, least, most) in [
            (name::SNDBUF, 131_072, 1, i32::MAX),
            (name::RCVBUF, 131_072, 1, i32::MAX),
            (name::RCVMAXSIZE, 1_048_576, -1, i32::MAX),
            (name::SNDTIMEO, -1, i32::MIN, i32::MAX),
            (name::RCVTIMEO, -1, i32::MIN, i32::MAX),
            (name::RECONNECT_IVL, 100, 0, i32::MAX),
            (name::RECONNECT_IVL_MAX, 0, 0, i32::MAX),
            (name::SNDPRIO, 8, 1, 16),
            (name::RCVPRIO, 8, 1, 16),
            (name::IPV4ONLY, 1, 0, 1),
            (name::MAXTTL, 8, 1, 255),
        ] {
            assert_eq!(options.get(name), Ok(default), "{name}");
            for value in [least, most] {
                assert_eq!(options.set(name, &value.to_ne_bytes()), Ok(()), "{name}={value}");
                assert_eq!(options.get(name), Ok(value));
            }
            for value in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
                let refused = options.set(name, &value.to_ne_bytes());
                assert_eq!(refused, Err(Error::InvalidArgument), "{name}={value}");
            }
        }
    }

    #[test]
    fn lengths_come_before_names() {
        let mut options = Options::new(0);
        assert_eq!(options.set(99, &[0; 3]), Err(Error::InvalidArgument));
        assert_eq!(options.set(99, &[0; 4]), Err(Error::UnknownOption));
        assert_eq!(options.set(0, &[0; 4]), Err(Error::UnknownOption));
        assert_eq!(options.set(name::DOMAIN, &[0; 4]), Err(Error::UnknownOption));
        assert_eq!(options.get(0), Err(Error::UnknownOption));
        assert_eq!(options.set(name::SOCKET_NAME, &[b'n'; 64]), Err(Error::InvalidArgument));
        assert_eq!(options.set(name::SOCKET_NAME, &[b'n'; 63]), Ok(()));
        assert_eq!(options.name().len(), 63);
        for (value, name) in
            [(&b"caf\xe9"[..], &b"caf\xe9"[..]), (b"a\0b", b"a"), (b"a\0\0", b"a"), (b"", b"")]
        {
            assert_eq!(options.set(name::SOCKET_NAME, value), Ok(()));
            assert_eq!(options.name(), name);
        }
    }

    #[test]
    fn transports_have_options_of_their_own() {
        let mut options = Options::new(0);
        let set = |options: &mut Options, level, name, value: i32| {
            options.set_transport(level, name, &value.to_ne_bytes())
        };
        assert_eq!((options.get_transport(LEVEL_TCP, 1), options.nodelay()), (Ok(0), true));
        assert_eq!(set(&mut options, LEVEL_TCP, 1, 0), Ok(()));
        assert!(!options.nodelay());
        assert_eq!(set(&mut options, LEVEL_TCP, 1, 2), Err(Error::InvalidArgument));
        assert_eq!(set(&mut options, LEVEL_TCP, 1, 1), Ok(()));
        assert!(options.nodelay());
        assert_eq!(set(&mut options, LEVEL_TCP, 2, 1), Err(Error::UnknownOption));
        assert_eq!(options.get_transport(LEVEL_WS, 1), Ok(2));
        for value in [0, 3, -1] {
            assert_eq!(set(&mut options, LEVEL_WS, 1, value), Err(Error::InvalidArgument));
        }
        assert_eq!(options.set_transport(LEVEL_WS, 1, &[1; 5]), Err(Error::InvalidArgument));
        assert_eq!(options.message_type(), MessageType::Binary);
        assert_eq!(set(&mut options, LEVEL_WS, 1, 1), Ok(()));
        assert_eq!(options.message_type(), MessageType::Text);
        assert_eq!(options.get_transport(LEVEL_WS, 2), Err(Error::UnknownOption));
        assert_eq!(options.get_transport(-5, 1), Err(Error::UnknownOption));
        // Where they are kept is nobody's business.
        for name in [0, 18] {
            assert_eq!(options.set(name, &1_i32.to_ne_bytes()), Err(Error::UnknownOption));
            assert_eq!(options.get(name), Err(Error::UnknownOption));
        }
    }

    #[test]
    fn protocol_options_belong_to_their_level() {
        assert_eq!(ProtocolOption::parse(33, 1, b"a"), Ok(ProtocolOption::Subscribe(b"a")));
        assert_eq!(ProtocolOption::parse(48, 1, b"a"), Err(Error::InvalidArgument));
        assert_eq!(ProtocolOption::parse(48, 2, b"a"), Err(Error::UnknownOption));
        assert_eq!(ProtocolOption::parse(80, 1, b"a"), Err(Error::UnknownOption));
        let value = 7_i32.to_ne_bytes();
        assert_eq!(ProtocolOption::parse(98, 1, &value), Ok(ProtocolOption::SurveyDeadline(7)));
        assert_eq!(ProtocolOption::parse(98, 1, &value[1..]), Err(Error::InvalidArgument));
        assert_eq!(ProtocolOption::parse(99, 1, &value), Err(Error::UnknownOption));
    }
}
