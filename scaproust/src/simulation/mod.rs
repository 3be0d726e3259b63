//! Simulation: whole worlds of sockets on a simulated machine, each decided by one seed.
//!
//! Owns plans (what the programs of a world do, and what fails), their random generation, the programs' threads, and the
//! ledger, which checks each message against the promises of docs/RELIABILITY.md. Everything below, down to the locks, is the code that
//! ships; only the operating system is another one (`machine`).
//!
//! A plan is a text of lines, of which each can be left out. So a world that fails is shrunk by leaving out lines, and the
//! rest is a script that replays it.

mod edges;
mod executor;
mod extras;
mod generate;
mod groups;
mod ledger;
mod plan;
mod priorities;
mod program;
mod script;
mod shapes;
mod shrink;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
mod statistics;
mod strangers;
mod tasks;
mod watching;
mod world;

use std::time::Duration;

use crate::machine::Outcome;
use plan::Plan;

/// What became of a world.
#[derive(Debug)]
pub struct Report {
    /// The plan as text.
    pub plan: String,
    /// Why the world has failed, if it has.
    pub failure: Option<String>,
    /// A number that two runs of one plan have in common.
    pub trace: u64,
    /// The simulated time.
    pub time: Duration,
}

/// Runs the world of a seed.
#[must_use]
pub fn run(seed: u64) -> Report {
    report(&generate::plan(seed))
}

/// Runs the world of a plan.
///
/// # Errors
/// The line that is not part of a plan.
pub fn replay(text: &str) -> Result<Report, String> {
    Ok(report(&Plan::parse(text)?))
}

/// The shortest plan that `fails` still accepts, by leaving out lines of `text`, which it accepts.
pub fn shrink(text: &str, fails: impl FnMut(&str) -> bool) -> String {
    shrink::shrink(text, fails)
}

fn report(plan: &Plan) -> Report {
    let Outcome { failure, trace, time } = world::run(plan);
    Report { plan: plan.to_string(), failure, trace, time }
}
