//! Fuzz targets: functions that take any bytes, and panic if the library does what it must not.
//!
//! Here are those that see of the library what a C program sees. Those that look inside are in the
//! library's room `fuzzing`. src/bin/ gives each of them to libFuzzer, and seeds/ has its first
//! inputs. A panic ends the process even where the library would have caught it.

pub mod calls;
pub mod control;
pub mod options;
mod watchdog;
