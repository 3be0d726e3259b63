//! Tests of nanocat, alone and compared with Debian's, which is the C library's.

#[cfg(unix)]
mod compared;
mod programs;
mod reports;
mod talks;
