//! Our nanocat, by itself and beside Debian's, which is the C library's.

#[cfg(unix)]
mod compared;
mod programs;
mod talks;
