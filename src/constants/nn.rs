//! `<nanomsg/nn.h>`: versions, sockets, options, messages, events, statistics, symbol classes.

use libc::{c_int, size_t};

/// The version of the C interface.
pub const NN_VERSION_CURRENT: c_int = 6;
/// The revision of that version.
pub const NN_VERSION_REVISION: c_int = 1;
/// The number of earlier versions that this one is compatible with.
pub const NN_VERSION_AGE: c_int = 0;

/// Domain of sockets that run their protocol in full.
pub const AF_SP: c_int = 1;
/// Domain of raw sockets: the program reads and writes the protocol headers itself.
pub const AF_SP_RAW: c_int = 2;

/// Size in bytes of the longest address, including its terminating zero.
pub const NN_SOCKADDR_MAX: c_int = 128;

/// Level of the options that every socket has. Levels of protocols are greater, of transports less.
pub const NN_SOL_SOCKET: c_int = 0;

/// Milliseconds for which closing a socket goes on delivering what was sent; -1: without limit.
pub const NN_LINGER: c_int = 1;
/// Size in bytes of the send queue of each peer.
pub const NN_SNDBUF: c_int = 2;
/// Size in bytes of the receive queue of each peer.
pub const NN_RCVBUF: c_int = 3;
/// Milliseconds after which a blocked send fails with ETIMEDOUT; -1: never.
pub const NN_SNDTIMEO: c_int = 4;
/// Milliseconds after which a blocked receive fails with ETIMEDOUT; -1: never.
pub const NN_RCVTIMEO: c_int = 5;
/// Milliseconds to wait before connecting again.
pub const NN_RECONNECT_IVL: c_int = 6;
/// Upper limit in milliseconds of this wait, which doubles with each failure; 0: it stays the same.
pub const NN_RECONNECT_IVL_MAX: c_int = 7;
/// Send priority of endpoints added afterwards, 1 (highest) to 16.
pub const NN_SNDPRIO: c_int = 8;
/// Receive priority of endpoints added afterwards, 1 (highest) to 16.
pub const NN_RCVPRIO: c_int = 9;
/// Descriptor that is readable while a send would not block. Read-only.
pub const NN_SNDFD: c_int = 10;
/// Descriptor that is readable while a receive would not block. Read-only.
pub const NN_RCVFD: c_int = 11;
/// The socket's domain. Read-only.
pub const NN_DOMAIN: c_int = 12;
/// The socket's protocol. Read-only.
pub const NN_PROTOCOL: c_int = 13;
/// 1: only IPv4 addresses are used; 0: IPv6 addresses too.
pub const NN_IPV4ONLY: c_int = 14;
/// A name for the socket, shown in error reports; at most 63 bytes.
pub const NN_SOCKET_NAME: c_int = 15;
/// Size in bytes of the largest message that is accepted from a peer; -1: no limit.
pub const NN_RCVMAXSIZE: c_int = 16;
/// Number of hops after which a message is dropped, 1 to 255.
pub const NN_MAXTTL: c_int = 17;

/// Flag of the send and receive functions: fail with EAGAIN instead of blocking.
pub const NN_DONTWAIT: c_int = 1;

/// In place of a length: the buffer is a pointer to a pointer to a message from nn_allocmsg.
pub const NN_MSG: size_t = usize::MAX;

/// Level of the control messages of protocols.
pub const PROTO_SP: c_int = 1;
/// Control message with a protocol header: its length as a size_t, then its bytes.
pub const SP_HDR: c_int = 1;

/// Event: a message can be received without blocking.
pub const NN_POLLIN: c_int = 1;
/// Event: a message can be sent without blocking.
pub const NN_POLLOUT: c_int = 2;

/// Connections that nn_connect made.
pub const NN_STAT_ESTABLISHED_CONNECTIONS: c_int = 101;
/// Connections that nn_bind accepted.
pub const NN_STAT_ACCEPTED_CONNECTIONS: c_int = 102;
/// Connections that this side closed.
pub const NN_STAT_DROPPED_CONNECTIONS: c_int = 103;
/// Connections that the other side closed.
pub const NN_STAT_BROKEN_CONNECTIONS: c_int = 104;
/// Attempts to connect that failed.
pub const NN_STAT_CONNECT_ERRORS: c_int = 105;
/// Attempts to bind that failed.
pub const NN_STAT_BIND_ERRORS: c_int = 106;
/// Attempts to accept that failed.
pub const NN_STAT_ACCEPT_ERRORS: c_int = 107;
/// Connections that are up.
pub const NN_STAT_CURRENT_CONNECTIONS: c_int = 201;
/// Connections that are being made.
pub const NN_STAT_INPROGRESS_CONNECTIONS: c_int = 202;
/// Endpoints that failed and have had no connection since.
pub const NN_STAT_CURRENT_EP_ERRORS: c_int = 203;
/// Messages sent.
pub const NN_STAT_MESSAGES_SENT: c_int = 301;
/// Messages received.
pub const NN_STAT_MESSAGES_RECEIVED: c_int = 302;
/// Bytes of message bodies sent.
pub const NN_STAT_BYTES_SENT: c_int = 303;
/// Bytes of message bodies received.
pub const NN_STAT_BYTES_RECEIVED: c_int = 304;
/// Send priority of the peer that gets the next message.
pub const NN_STAT_CURRENT_SND_PRIORITY: c_int = 401;

/// Namespace of a symbol: the namespaces themselves.
pub const NN_NS_NAMESPACE: c_int = 0;
/// Namespace of a symbol: versions of the interface.
pub const NN_NS_VERSION: c_int = 1;
/// Namespace of a symbol: domains.
pub const NN_NS_DOMAIN: c_int = 2;
/// Namespace of a symbol: transports, which are option levels too.
pub const NN_NS_TRANSPORT: c_int = 3;
/// Namespace of a symbol: protocols, which are option levels too.
pub const NN_NS_PROTOCOL: c_int = 4;
/// Namespace of a symbol: other option levels.
pub const NN_NS_OPTION_LEVEL: c_int = 5;
/// Namespace of a symbol: options of every socket.
pub const NN_NS_SOCKET_OPTION: c_int = 6;
/// Namespace of a symbol: options of a transport or a protocol.
pub const NN_NS_TRANSPORT_OPTION: c_int = 7;
/// Namespace of a symbol: types of options.
pub const NN_NS_OPTION_TYPE: c_int = 8;
/// Namespace of a symbol: units of options.
pub const NN_NS_OPTION_UNIT: c_int = 9;
/// Namespace of a symbol: flags.
pub const NN_NS_FLAG: c_int = 10;
/// Namespace of a symbol: error numbers.
pub const NN_NS_ERROR: c_int = 11;
/// Namespace of a symbol: limits.
pub const NN_NS_LIMIT: c_int = 12;
/// Namespace of a symbol: events of nn_poll.
pub const NN_NS_EVENT: c_int = 13;
/// Namespace of a symbol: statistics.
pub const NN_NS_STATISTIC: c_int = 14;

/// Type of a symbol that is not an option.
pub const NN_TYPE_NONE: c_int = 0;
/// Type of an option: an int.
pub const NN_TYPE_INT: c_int = 1;
/// Type of an option: bytes, or text.
pub const NN_TYPE_STR: c_int = 2;

/// Unit of a symbol that has none.
pub const NN_UNIT_NONE: c_int = 0;
/// Unit: bytes.
pub const NN_UNIT_BYTES: c_int = 1;
/// Unit: milliseconds.
pub const NN_UNIT_MILLISECONDS: c_int = 2;
/// Unit: a priority, 1 to 16.
pub const NN_UNIT_PRIORITY: c_int = 3;
/// Unit: 0 or 1.
pub const NN_UNIT_BOOLEAN: c_int = 4;
/// Unit: messages.
pub const NN_UNIT_MESSAGES: c_int = 5;
/// Unit: a count of events.
pub const NN_UNIT_COUNTER: c_int = 6;
