//! Random numbers.

use std::hash::{BuildHasher, RandomState};

use super::now;

/// A number that no other socket is likely to get, of whatever process.
///
/// A forked child has the keys of the thread that forked, so the number of the process and the time are hashed with them.
pub(crate) fn random_number() -> u64 {
    // A simulated world is the same in each process.
    let process = if cfg!(simulated) { 0 } else { std::process::id() };
    RandomState::new().hash_one((process, now()))
}
