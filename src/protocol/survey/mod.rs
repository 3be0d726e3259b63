//! SURVEYOR and RESPONDENT: a question to everyone, and the answers that come in time.
//!
//! A respondent does what a replier does, to the letter: it answers the question that it received
//! last, the way that it came, and what it cannot send is dropped. So it is the same machine.

mod raw_surveyor;
mod surveyor;

pub use raw_surveyor::RawSurveyor;
pub use surveyor::{SURVEY_DEADLINE, Surveyor};
