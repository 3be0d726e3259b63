//! `<nanomsg/survey.h>`: surveys of all peers, and their answers.

use libc::c_int;

/// Number of the survey pattern.
pub const NN_PROTO_SURVEY: c_int = 6;

/// Sends surveys to all its peers.
pub const NN_SURVEYOR: c_int = NN_PROTO_SURVEY * 16 + 2;
/// Answers surveys.
pub const NN_RESPONDENT: c_int = NN_PROTO_SURVEY * 16 + 3;

/// Option of NN_SURVEYOR: milliseconds within which answers are received.
pub const NN_SURVEYOR_DEADLINE: c_int = 1;
