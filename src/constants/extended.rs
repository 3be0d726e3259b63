//! `<nanomsg/ext.h>`: protocols and statistics that libnanomsg does not have.

use libc::c_int;

/// A pair of the second version: messages have a hop count. Talks to its own kind only.
pub const NN_PAIR_V1: c_int = 17;

/// Messages of NN_PAIR_V1 and NN_STAR dropped for their hop count: it was missing, malformed or too high.
pub const NN_STAT_INVALID_MESSAGES: c_int = 1004;
