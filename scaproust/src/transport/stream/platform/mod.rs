//! Streams of the operating system: their type, and how they are accepted, connected and polled; host names and
//! interfaces.
//!
//! Each system has a module with the same names. What the sockets of all systems share is in `sockets`.

#[cfg(simulated)]
mod simulated;
#[cfg(not(simulated))]
mod sockets;
#[cfg(all(unix, not(simulated)))]
mod unix;
#[cfg(all(windows, not(simulated)))]
mod windows;

#[cfg(simulated)]
use simulated as own;
#[cfg(simulated)]
use simulated as sockets;
#[cfg(all(unix, not(simulated)))]
use unix as own;
#[cfg(all(windows, not(simulated)))]
use windows as own;

#[cfg(not(simulated))]
pub(super) use own::REFUSED;
pub(super) use own::{
    Acceptor, LocalAddress, NO_INTEREST, NO_SIGNAL, SHORT_READ_IS_ALL, Stream, UNREACHABLE, abandon_unsent,
    connect_local, credentials, descriptor, has_unacknowledged, is_connected, is_scarce, listen_locally,
    local_address, network_addresses, note_writable, polled, watch_peer,
};
#[cfg(all(unix, not(simulated)))]
pub(super) use own::{Given, Original, Role};
#[cfg(not(simulated))]
use own::{is_in_progress, take_port};
pub(super) use sockets::{connect_to_network, interfaces, listen_to_network, look_up};
