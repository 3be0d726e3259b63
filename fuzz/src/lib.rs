//! Fuzz targets of the C interface: functions of any bytes, which panic if a check fails.
//!
//! Targets of the library's inside are in its module `fuzzing`. src/bin/ has a libFuzzer program for
//! each target, and seeds/ the seeds. A panic ends the process, even in code where the library would
//! catch it.

pub mod calls;
pub mod control;
pub mod options;
mod watchdog;
