//! `<nanomsg/survey.h>`: a question to everyone, and the answers that come in time.

use libc::c_int;

/// Number of the survey pattern.
pub const NN_PROTO_SURVEY: c_int = 6;

/// Asks everyone.
pub const NN_SURVEYOR: c_int = NN_PROTO_SURVEY * 16 + 2;
/// Answers.
pub const NN_RESPONDENT: c_int = NN_PROTO_SURVEY * 16 + 3;

/// Option of NN_SURVEYOR: milliseconds within which an answer counts.
pub const NN_SURVEYOR_DEADLINE: c_int = 1;
