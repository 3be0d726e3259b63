//! `<nanomsg/ext.h>`: addresses, endpoints and receive queues, as libnanomsg does not have them.

use libc::c_int;

/// The address of the endpoint added last, with the port that the system has chosen. Read-only.
pub const NN_LAST_ENDPOINT: c_int = 1004;
/// The address of an endpoint, whose id is in the buffer as an int. Read-only.
pub const NN_ENDPOINT_ADDRESS: c_int = 1005;

/// Milliseconds that nn_connect waits for its first connection; 0: it does not; negative: no limit.
pub const NN_CONNECT_TIMEO: c_int = 1006;

/// 1: the oldest message makes room for a new one in the receive queue of a peer; 0: it does not.
pub const NN_RCV_PREFER_NEW: c_int = 1007;
/// 1: the receive queue of a peer holds only its newest message; 0: it holds all.
pub const NN_CONFLATE: c_int = 1008;

/// Level NN_TCP: 1: the system probes silent peers of connections; 0: it does not.
pub const NN_TCP_KEEPALIVE: c_int = 101;
/// Level NN_TCP: seconds of silence before the first probe, up to 32767; 0: the system's default.
pub const NN_TCP_KEEPALIVE_IDLE: c_int = 102;
/// Level NN_TCP: seconds between two probes, up to 32767; 0: the system's default.
pub const NN_TCP_KEEPALIVE_INTVL: c_int = 103;
/// Level NN_TCP: number of unanswered probes that end a connection, up to 127; 0: the system's
/// default.
pub const NN_TCP_KEEPALIVE_CNT: c_int = 104;
/// Level NN_TCP: milliseconds that sent bytes may stay unacknowledged; 0: the system's default.
pub const NN_TCP_USER_TIMEOUT: c_int = 105;

/// Level NN_IPC: mode bits of the file of endpoints bound afterwards; 0: those that the umask leaves.
pub const NN_IPC_PERMISSIONS: c_int = 101;
/// Level NN_IPC: bytes of a ring in shared memory for connections of endpoints added afterwards, up to 64 MiB; 0: none.
pub const NN_IPC_SHM: c_int = 102;
