//! Lines on standard error.

use std::io::{self, Write};

/// Prints a line with one call of the system, so that it stays whole among those of other processes. A line that cannot be
/// written is lost: its failure could not be told either, and must not take the place of the program's own exit status.
pub(crate) fn print(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
