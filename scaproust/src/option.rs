//! Socket options: their types, and a table of those that a socket keeps itself.
//!
//! The Rust API and the C API pass values as [`Setting`]s; the C API converts them from bytes. A protocol's
//! own options are kept by its machine, and their types are in the table of protocols.

mod environment;
mod text;

#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::message::MessageType;
pub use text::TextRule;
pub(crate) use text::text_without_zero;

/// The level of the options that every socket has.
pub const LEVEL_SOCKET: i32 = 0;
/// The level of the ipc transport's options.
pub const LEVEL_IPC: i32 = -2;
/// The level of the tcp transport's options.
pub const LEVEL_TCP: i32 = -3;
/// The level of the ws transport's options.
pub const LEVEL_WS: i32 = -4;
/// The level of the options of TLS.
#[cfg(feature = "tls")]
pub const LEVEL_TLS: i32 = -6;

/// The most bytes of a ring in shared memory.
pub(crate) const MOST_SHARED: i32 = 64 * 1024 * 1024;

/// Names, at the socket's level, of properties that are not kept as values.
pub mod name {
    /// Descriptor that is readable when a send would not block.
    pub const SNDFD: i32 = 10;
    /// Descriptor that is readable when a receive would not block.
    pub const RCVFD: i32 = 11;
    /// The socket's domain.
    pub const DOMAIN: i32 = 12;
    /// The socket's protocol.
    pub const PROTOCOL: i32 = 13;
    /// The address of the endpoint that was added last.
    pub const LAST_ENDPOINT: i32 = 1004;
    /// The address of an endpoint, whose id is in the buffer.
    pub const ENDPOINT_ADDRESS: i32 = 1005;
    /// The statistics of an endpoint, whose id is in the buffer.
    pub const ENDPOINT_STATISTICS: i32 = 1010;
    /// The statistics of a connection, whose number is in the buffer.
    pub const PIPE_STATISTICS: i32 = 1011;
    /// The number of a connection to end. It cannot be read.
    pub const PIPE_CLOSE: i32 = 1003;
    /// The socket whose pipes a context uses. Set once, to the number of a socket.
    pub const SHARE: i32 = 1009;
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
    /// A text, such as a name.
    Text {
        /// The longest value in bytes.
        longest: usize,
        /// What it must be.
        rule: TextRule,
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
    /// `NN_TCP_KEEPALIVE`: whether the kernel probes silent peers of connections.
    TcpKeepalive,
    /// `NN_TCP_KEEPALIVE_IDLE`: seconds of silence before the first probe; zero: the system's default.
    TcpKeepaliveIdle,
    /// `NN_TCP_KEEPALIVE_INTVL`: seconds between two probes; zero: the system's default.
    TcpKeepaliveInterval,
    /// `NN_TCP_KEEPALIVE_CNT`: unanswered probes that end the connection; zero: the system's default.
    TcpKeepaliveCount,
    /// `NN_TCP_USER_TIMEOUT`: milliseconds that sent bytes may stay unacknowledged; zero: the system's default.
    TcpUserTimeout,
    /// `NN_IPC_PERMISSIONS`: the mode of the file of a bound endpoint; zero: the process' umask decides.
    IpcPermissions,
    /// `NN_CONNECT_TIMEO`: milliseconds that a connect waits for its first connection; zero: it does not wait;
    /// negative: without limit.
    ConnectTimeout,
    /// `NN_MONITOR`: the address at which the socket publishes its events; empty: nowhere.
    Monitor,
    /// `NN_PEER_INFO`: whether received messages name their peer.
    PeerInfo,
    /// `NN_IPC_PEER_UID`: the user id that peers of endpoints bound later must have; -1: any.
    IpcPeerUser,
    /// `NN_IPC_PEER_GID`: the group id that peers of endpoints bound later must have; -1: any.
    IpcPeerGroup,
    /// `NN_TCP_ACCEPT`: the networks from which endpoints bound later accept peers; empty: all.
    TcpAccept,
    /// `NN_RCV_PREFER_NEW`: whether the oldest message makes room for a new one in the receive queue.
    PreferNew,
    /// `NN_CONFLATE`: whether the receive queue holds only the newest message of each peer.
    Conflate,
    /// `NN_IPC_SHM`: the bytes of a ring in shared memory, for connections of endpoints that are added later; zero: none.
    IpcSharedMemory,
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
const TABLE: [Row; 30] = {
    use OptionType as Type;
    use SocketOption as Key;
    let address = Type::Text { longest: crate::address::MAX_LENGTH, rule: TextRule::WithoutZero };
    let networks = Type::Text { longest: 1023, rule: TextRule::Networks };
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
        row(Key::SocketName, (LEVEL_SOCKET, 15), Type::Text { longest: 63, rule: TextRule::EndsAtZero }, 0),
        row(Key::MaxMessage, (LEVEL_SOCKET, 16), Type::Int { least: -1, most: i32::MAX }, 1024 * 1024),
        row(Key::MaxHops, (LEVEL_SOCKET, 17), Type::Int { least: 1, most: 255 }, 8),
        row(Key::TcpNodelay, (LEVEL_TCP, 1), Type::FLAG, 0),
        row(Key::WsMessageType, (LEVEL_WS, 1), ws_type, MessageType::Binary.number()),
        row(Key::TcpKeepalive, (LEVEL_TCP, 101), Type::FLAG, 0),
        // The upper bounds are those of Linux.
        row(Key::TcpKeepaliveIdle, (LEVEL_TCP, 102), Type::Int { least: 0, most: 32767 }, 0),
        row(Key::TcpKeepaliveInterval, (LEVEL_TCP, 103), Type::Int { least: 0, most: 32767 }, 0),
        row(Key::TcpKeepaliveCount, (LEVEL_TCP, 104), Type::Int { least: 0, most: 127 }, 0),
        row(Key::TcpUserTimeout, (LEVEL_TCP, 105), Type::NATURAL, 0),
        row(Key::IpcPermissions, (LEVEL_IPC, 101), Type::Int { least: 0, most: 0o777 }, 0),
        row(Key::ConnectTimeout, (LEVEL_SOCKET, 1006), Type::ANY_INT, 0),
        row(Key::Monitor, (LEVEL_SOCKET, 1001), address, 0),
        row(Key::PeerInfo, (LEVEL_SOCKET, 1002), Type::FLAG, 0),
        row(Key::IpcPeerUser, (LEVEL_IPC, 103), Type::Int { least: -1, most: i32::MAX }, -1),
        row(Key::IpcPeerGroup, (LEVEL_IPC, 104), Type::Int { least: -1, most: i32::MAX }, -1),
        row(Key::TcpAccept, (LEVEL_TCP, 106), networks, 0),
        row(Key::PreferNew, (LEVEL_SOCKET, 1007), Type::FLAG, 0),
        row(Key::Conflate, (LEVEL_SOCKET, 1008), Type::FLAG, 0),
        row(Key::IpcSharedMemory, (LEVEL_IPC, 102), Type::Int { least: 0, most: MOST_SHARED }, 0),
    ]
};

impl SocketOption {
    /// The option with this level and name, if this system has it.
    #[must_use]
    pub fn find(level: i32, name: i32) -> Option<SocketOption> {
        let row = TABLE.iter().find(|row| (row.level, row.name) == (level, name));
        row.map(|row| row.option).filter(|option| option.is_available())
    }

    /// Whether the operating system has what the option sets.
    pub(crate) fn is_available(self) -> bool {
        match self {
            SocketOption::TcpUserTimeout => cfg!(any(target_os = "linux", target_os = "android")),
            SocketOption::IpcPermissions | SocketOption::IpcPeerUser | SocketOption::IpcPeerGroup => {
                cfg!(unix)
            }
            _ => true,
        }
    }

    /// Whether a context of a socket has a value of its own.
    pub(crate) fn is_of_context(self) -> bool {
        matches!(self, SocketOption::SendTimeout | SocketOption::ReceiveTimeout | SocketOption::SocketName)
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
    set: u64,
    /// The options of level `NN_TLS`.
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<crate::tls::Settings>,
}

impl Options {
    /// The defaults, for the socket with this id.
    pub(crate) fn new(id: i32) -> Options {
        let default = |row: Row| match row.value_type {
            OptionType::Int { .. } => Value::Int(row.default),
            OptionType::Text { .. } | OptionType::Bytes => Value::Bytes(Vec::new()),
        };
        let mut options = Options {
            values: TABLE.map(default),
            set: 0,
            #[cfg(feature = "tls")]
            tls: Arc::new(crate::tls::Settings::new()),
        };
        options.values[SocketOption::SocketName as usize] = Value::Bytes(id.to_string().into_bytes());
        options.values[SocketOption::IpcSharedMemory as usize] = Value::Int(environment::shared_memory());
        options
    }

    /// Sets an option.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value of another type, out of range, too long or malformed.
    pub(crate) fn set(&mut self, option: SocketOption, setting: Setting<'_>) -> Result<(), Error> {
        let value = match (option.option_type(), setting) {
            (OptionType::Int { least, most }, Setting::Int(value)) if (least..=most).contains(&value) => {
                Value::Int(value)
            }
            (OptionType::Text { longest, rule }, Setting::Bytes(bytes)) => {
                Value::Bytes(rule.apply(bytes, longest)?.to_owned())
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

    /// The value of an option that is a text or bytes.
    pub(crate) fn bytes(&self, option: SocketOption) -> &[u8] {
        match self.get(option) {
            Value::Int(_) => &[],
            Value::Bytes(bytes) => bytes,
        }
    }

    /// `NN_SOCKET_NAME`.
    pub(crate) fn name(&self) -> &[u8] {
        self.bytes(SocketOption::SocketName)
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
            let found = row.option.is_available().then_some(row.option);
            assert_eq!(SocketOption::find(row.level, row.name), found);
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
