//! `<nanomsg/pipeline.h>`: work handed out to whoever is free.

use libc::c_int;

/// Number of the pipeline pattern.
pub const NN_PROTO_PIPELINE: c_int = 5;

/// Hands messages out. Cannot receive.
pub const NN_PUSH: c_int = NN_PROTO_PIPELINE * 16;
/// Takes messages in. Cannot send.
pub const NN_PULL: c_int = NN_PROTO_PIPELINE * 16 + 1;
