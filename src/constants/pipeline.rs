//! `<nanomsg/pipeline.h>`: each message to one of several peers.

use libc::c_int;

/// Number of the pipeline pattern.
pub const NN_PROTO_PIPELINE: c_int = 5;

/// Sends each message to one of its peers. Cannot receive.
pub const NN_PUSH: c_int = NN_PROTO_PIPELINE * 16;
/// Receives from its peers. Cannot send.
pub const NN_PULL: c_int = NN_PROTO_PIPELINE * 16 + 1;
