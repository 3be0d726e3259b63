//! `<nanomsg/star.h>`: messages to all members of a star. libnanomsg does not have this pattern.

use libc::c_int;

/// Number of the star pattern.
pub const NN_PROTO_STAR: c_int = 100;

/// A member or the hub of a star.
pub const NN_STAR: c_int = NN_PROTO_STAR * 16;
