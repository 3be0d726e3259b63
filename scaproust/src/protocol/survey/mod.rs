//! SURVEYOR and RESPONDENT: a survey is sent to all respondents, and responses are received until a deadline.
//!
//! The machine of RESPONDENT is that of REP, as both behave alike: see
//! [`Replier`](super::reqrep::Replier).

mod raw_surveyor;
mod surveyor;

pub(super) use raw_surveyor::RawSurveyor;
pub(crate) use surveyor::SURVEY_DEADLINE;
pub(super) use surveyor::{Survey, Surveyor};
