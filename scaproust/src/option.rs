//! Socket options: their types, and a table of those that a socket keeps itself.
//!
//! The Rust API and the C API pass values as [`Setting`]s; the C API converts them from bytes. A protocol's
//! own options are kept by its machine, and their types are in the table of protocols.

use std::time::Duration;

use crate::error::Error;
use crate::message::MessageType;

/// The level of the options that every socket has.
pub const LEVEL_SOCKET: i32 = 0;
/// The level of the tcp transport's options.
pub const LEVEL_TCP: i32 = -3;
/// The level of the ws transport's options.
pub const LEVEL_WS: i32 = -4;

/// Names, at the socket's level, of properties that cannot be set.
pub mod name {
    /// Descriptor that is readable when a send would not block.
    pub const SNDFD: i32 = 10;
    /// Descriptor that is readable when a receive would not block.
    pub const RCVFD: i32 = 11;
    /// The socket's domain.
    pub const DOMAIN: i32 = 12;
    /// The socket's protocol.
    pub const PROTOCOL: i32 = 13;
}

/// The type of an option's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// An integer in the range from `least` to `most`.
    Int {
        /// The least value allowed.
        least: i32,
        /// The greatest value allowed.
        most: i32,
    },
    /// A text, such as a name. It ends before the first zero byte.
    Text {
        /// The longest value in bytes.
        longest: usize,
    },
    /// Any bytes.
    Bytes,
}

impl OptionType {
    /// Any integer.
    pub const ANY_INT: OptionType = OptionType::Int { least: i32::MIN, most: i32::MAX };
    /// An integer that is not negative.
    const NATURAL: OptionType = OptionType::Int { least: 0, most: i32::MAX };
    /// An integer above zero.
    const POSITIVE: OptionType = OptionType::Int { least: 1, most: i32::MAX };
    /// 0 for no, 1 for yes.
    pub(crate) const FLAG: OptionType = OptionType::Int { least: 0, most: 1 };
    /// A priority; 1 is the highest.
    const PRIORITY: OptionType = OptionType::Int { least: 1, most: 16 };
}

/// A new value for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// Of an integer option.
    Int(i32),
    /// Of a text or of bytes.
    Bytes(&'a [u8]),
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of an integer option.
    Int(i32),
    /// Of a text or of bytes.
    Bytes(Vec<u8>),
}

/// An option of every socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `NN_LINGER`: milliseconds that closing may take to deliver sent messages; negative: without limit.
    Linger,
    /// `NN_SNDBUF`: size of a pipe's outbound queue in bytes.
    SendBuffer,
    /// `NN_RCVBUF`: size of a pipe's inbound queue in bytes.
    ReceiveBuffer,
    /// `NN_SNDTIMEO`: milliseconds that a send may block; negative: without limit.
    SendTimeout,
    /// `NN_RCVTIMEO`: milliseconds that a receive may block; negative: without limit.
    ReceiveTimeout,
    /// `NN_RECONNECT_IVL`: milliseconds before the first attempt to reconnect.
    ReconnectInterval,
    /// `NN_RECONNECT_IVL_MAX`: the longest time between attempts in milliseconds; zero: the first one.
    ReconnectIntervalMax,
    /// `NN_SNDPRIO`: priority for sending of endpoints that are added later.
    SendPriority,
    /// `NN_RCVPRIO`: priority for receiving of endpoints that are added later.
    ReceivePriority,
    /// `NN_IPV4ONLY`: whether endpoints that are added later do not use IPv6.
    Ipv4Only,
    /// `NN_SOCKET_NAME`: the socket's name in diagnostic output; its id by default.
    SocketName,
    /// `NN_RCVMAXSIZE`: the longest message in bytes accepted from a peer; -1: no limit.
    MaxMessage,
    /// `NN_MAXTTL`: the most hops of a request or survey that is accepted.
    MaxHops,
    /// `NN_TCP_NODELAY`: whether Nagle's algorithm is off.
    TcpNodelay,
    /// `NN_WS_MSG_TYPE`: the number of a [`MessageType`].
    WsMessageType,
}

/// A row of the table.
struct Row {
    option: SocketOption,
    level: i32,
    name: i32,
    value_type: OptionType,
    /// The default of an integer option.
    default: i32,
}

/// A row; `key` is the level and the name.
const fn row(option: SocketOption, key: (i32, i32), value_type: OptionType, default: i32) -> Row {
    Row { option, level: key.0, name: key.1, value_type, default }
}

/// Every option that a socket keeps, in the order of [`SocketOption`].
const TABLE: [Row; 15] = {
    use OptionType as Type;
    use SocketOption as Key;
    let ws_type = Type::Int { least: MessageType::Text.number(), most: MessageType::Binary.number() };
    [
        row(Key::Linger, (LEVEL_SOCKET, 1), Type::ANY_INT, 1000),
        row(Key::SendBuffer, (LEVEL_SOCKET, 2), Type::POSITIVE, 128 * 1024),
        row(Key::ReceiveBuffer, (LEVEL_SOCKET, 3), Type::POSITIVE, 128 * 1024),
        row(Key::SendTimeout, (LEVEL_SOCKET, 4), Type::ANY_INT, -1),
        row(Key::ReceiveTimeout, (LEVEL_SOCKET, 5), Type::ANY_INT, -1),
        row(Key::ReconnectInterval, (LEVEL_SOCKET, 6), Type::NATURAL, 100),
        row(Key::ReconnectIntervalMax, (LEVEL_SOCKET, 7), Type::NATURAL, 0),
        row(Key::SendPriority, (LEVEL_SOCKET, 8), Type::PRIORITY, 8),
        row(Key::ReceivePriority, (LEVEL_SOCKET, 9), Type::PRIORITY, 8),
        row(Key::Ipv4Only, (LEVEL_SOCKET, 14), Type::FLAG, 1),
        row(Key::SocketName, (LEVEL_SOCKET, 15), Type::Text { longest: 63 }, 0),
        row(Key::MaxMessage, (LEVEL_SOCKET, 16), Type::Int { least: -1, most: i32::MAX }, 1024 * 1024),
        row(Key::MaxHops, (LEVEL_SOCKET, 17), Type::Int { least: 1, most: 255 }, 8),
        row(Key::TcpNodelay, (LEVEL_TCP, 1), Type::FLAG, 0),
        row(Key::WsMessageType, (LEVEL_WS, 1), ws_type, MessageType::Binary.number()),
    ]
};

impl SocketOption {
    /// The option with this level and name.
    #[must_use]
    pub fn find(level: i32, name: i32) -> Option<SocketOption> {
        TABLE.iter().find(|row| (row.level, row.name) == (level, name)).map(|row| row.option)
    }

    /// The type of its values.
    #[must_use]
    pub fn option_type(self) -> OptionType {
        TABLE[self as usize].value_type
    }
}

impl MessageType {
    /// Its number in the C API: `NN_WS_MSG_TYPE_TEXT` or `NN_WS_MSG_TYPE_BINARY`.
    #[doc(hidden)]
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            MessageType::Text => 1,
            MessageType::Binary => 2,
        }
    }

    /// The type with this number in the C API.
    #[doc(hidden)]
    #[must_use]
    pub fn from_number(number: i32) -> Option<MessageType> {
        [MessageType::Text, MessageType::Binary].into_iter().find(|known| known.number() == number)
    }
}

/// A time limit in milliseconds as a duration; `None` if it is negative: there is no limit.
#[must_use]
pub fn time_limit(milliseconds: i32) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

/// The values of a socket's options.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// In the order of the table.
    values: [Value; TABLE.len()],
    /// Bit `n` says whether the option at `values[n]` was set by the program.
    set: u32,
}

impl Options {
    /// The defaults, for the socket with this id.
    pub(crate) fn new(id: i32) -> Options {
        let default = |row: Row| match row.value_type {
            OptionType::Int { .. } => Value::Int(row.default),
            OptionType::Text { .. } | OptionType::Bytes => Value::Bytes(Vec::new()),
        };
        let mut options = Options { values: TABLE.map(default), set: 0 };
        options.values[SocketOption::SocketName as usize] = Value::Bytes(id.to_string().into_bytes());
        options
    }

    /// Sets an option.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value of another type, out of range or too long.
    pub(crate) fn set(&mut self, option: SocketOption, setting: Setting<'_>) -> Result<(), Error> {
        let value = match (option.option_type(), setting) {
            (OptionType::Int { least, most }, Setting::Int(value)) if (least..=most).contains(&value) => {
                Value::Int(value)
            }
            (OptionType::Text { longest }, Setting::Bytes(text)) if text.len() <= longest => {
                Value::Bytes(text.split(|byte| *byte == 0).next().unwrap_or_default().to_owned())
            }
            (OptionType::Bytes, Setting::Bytes(bytes)) => Value::Bytes(bytes.to_owned()),
            _ => return Err(Error::InvalidArgument),
        };
        self.values[option as usize] = value;
        self.set |= 1 << option as usize;
        Ok(())
    }

    /// Whether the program has set an option, even if to its default.
    pub(crate) fn is_set(&self, option: SocketOption) -> bool {
        self.set & 1 << option as usize != 0
    }

    /// The value of an option.
    pub(crate) fn get(&self, option: SocketOption) -> &Value {
        &self.values[option as usize]
    }

    /// The value of an integer option.
    pub(crate) fn int(&self, option: SocketOption) -> i32 {
        match self.get(option) {
            Value::Int(value) => *value,
            Value::Bytes(_) => 0,
        }
    }

    /// `NN_SOCKET_NAME`.
    pub(crate) fn name(&self) -> &[u8] {
        match self.get(SocketOption::SocketName) {
            Value::Int(_) => &[],
            Value::Bytes(name) => name,
        }
    }

    /// The value of an option that is a time limit.
    pub(crate) fn timeout(&self, option: SocketOption) -> Option<Duration> {
        time_limit(self.int(option))
    }

    /// The value of an option that is a size.
    pub(crate) fn size(&self, option: SocketOption) -> usize {
        usize::try_from(self.int(option)).unwrap_or(0)
    }

    /// Whether to turn Nagle's algorithm off: yes, unless the program has set `NN_TCP_NODELAY` to 0. By default
    /// the option reads 0, as in libnanomsg, but this library batches messages itself.
    pub(crate) fn nodelay(&self) -> bool {
        !self.is_set(SocketOption::TcpNodelay) || self.int(SocketOption::TcpNodelay) == 1
    }

    /// `NN_WS_MSG_TYPE`.
    pub(crate) fn message_type(&self) -> MessageType {
        // `set` accepts no other numbers.
        MessageType::from_number(self.int(SocketOption::WsMessageType)).unwrap_or(MessageType::Binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_options() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.option as usize, index);
            assert_eq!(SocketOption::find(row.level, row.name), Some(row.option));
        }
        for (level, name) in [(LEVEL_SOCKET, 0), (LEVEL_SOCKET, name::DOMAIN), (LEVEL_TCP, 2), (-5, 1)] {
            assert_eq!(SocketOption::find(level, name), None);
        }
    }

    #[test]
    fn an_integer_has_a_default_and_a_range() {
        let mut options = Options::new(7);
        for row in TABLE {
            let OptionType::Int { least, most } = row.value_type else { continue };
            assert_eq!((options.int(row.option), options.is_set(row.option)), (row.default, false));
            for value in [least, most] {
                assert_eq!(options.set(row.option, Setting::Int(value)), Ok(()), "{:?}={value}", row.option);
                assert_eq!((options.int(row.option), options.is_set(row.option)), (value, true));
            }
            for value in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
                let refused = options.set(row.option, Setting::Int(value));
                assert_eq!(refused, Err(Error::InvalidArgument), "{:?}={value}", row.option);
            }
            assert_eq!(options.set(row.option, Setting::Bytes(b"1")), Err(Error::InvalidArgument));
        }
    }

    #[test]
    fn a_text_has_a_longest_length_and_ends_before_a_zero() {
        let mut options = Options::new(7);
        assert_eq!(options.name(), b"7");
        let set = |options: &mut Options, text| options.set(SocketOption::SocketName, Setting::Bytes(text));
        assert_eq!(set(&mut options, &[b'n'; 64]), Err(Error::InvalidArgument));
        assert_eq!(set(&mut options, &[b'n'; 63]), Ok(()));
        assert_eq!(options.name().len(), 63);
        for (text, name) in
            [(&b"caf\xe9"[..], &b"caf\xe9"[..]), (b"a\0b", b"a"), (b"a\0\0", b"a"), (b"", b"")]
        {
            assert_eq!(set(&mut options, text), Ok(()));
            assert_eq!(options.name(), name);
        }
        assert_eq!(options.set(SocketOption::SocketName, Setting::Int(1)), Err(Error::InvalidArgument));
    }

    #[test]
    fn nagles_algorithm_is_on_only_if_requested() {
        let mut options = Options::new(0);
        assert_eq!((options.int(SocketOption::TcpNodelay), options.nodelay()), (0, true));
        for (value, nodelay) in [(0, false), (1, true)] {
            options.set(SocketOption::TcpNodelay, Setting::Int(value)).unwrap();
            assert_eq!(options.nodelay(), nodelay);
        }
    }
}
