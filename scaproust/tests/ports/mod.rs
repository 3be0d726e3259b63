//! Ports for the tests.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A free port, below the range from which the kernel chooses ports for outgoing connections and for port 0: so it is not taken
/// by chance before it is bound, and a socket that connects before that is not connected to itself.
pub(crate) fn free_port(host: &str) -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different ports.
    let start = (std::process::id().wrapping_mul(509) % u32::from(COUNT)) as u16;
    let next = || FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
    let is_free = |port: &u16| TcpListener::bind((host, *port)).is_ok();
    std::iter::repeat_with(next).take(1000).find(is_free).expect("no free port")
}
