//! Shared memory for ipc: two rings carry a connection's bytes, one in each direction, in memory that both processes map.
//!
//! ```text
//! dialer                                                       listener
//!   SP header, with the descriptor of the memory  ---------->  checks it, maps it, and says in it that it accepts
//!   finds that the peer has accepted  <----------------------  a byte that wakes
//!   bytes of the connection           <=======rings=========>  bytes of the connection
//! ```
//!
//! A peer that does not know of this closes the descriptor unseen, as the kernel does when a program reads without asking for
//! descriptors, and answers with its SP header: then the connection goes on as any other. The local socket stays open
//! beside the rings. A byte on it, of any value, wakes the side that sleeps; its end is the end of the connection.
//!
//! [`ring`] has the rings, [`memory`] the memory, [`passing`] the descriptors that are passed, and [`shared`] the layer of the
//! stream. Systems without sealed memory have a layer that does not exist.

#[cfg(not(all(target_os = "linux", not(any(loom, portable, simulated)))))]
mod absent;
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
mod memory;
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
mod passing;
#[cfg(all(target_os = "linux", not(any(portable, simulated)), any(test, not(loom))))]
#[cfg_attr(loom, expect(dead_code, reason = "its model needs only the waking"))]
mod ring;
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
mod shared;

#[cfg(not(all(target_os = "linux", not(any(loom, portable, simulated)))))]
pub(super) use absent::Shared;
#[cfg(all(test, target_os = "linux", not(any(loom, portable, simulated))))]
pub(super) use passing::send_with_descriptor;
#[cfg(all(target_os = "linux", not(any(loom, portable, simulated))))]
pub(super) use shared::Shared;

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The side that has connected: it offers the memory.
    Connected,
    /// The side that has accepted the connection: it accepts the memory, or not.
    Accepted,
}
