//! Tests of nanocat, alone and compared with Debian's, which is the C library's.

#[cfg(unix)]
mod compared;
#[cfg(any(unix, feature = "tls"))]
#[path = "../../../scaproust/tests/ports/mod.rs"]
mod ports;
mod programs;
mod reports;
mod talks;
