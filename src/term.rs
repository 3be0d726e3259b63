//! `nn_term`.

use super::boundary;
use scaproust::ffi::socket;

/// Closes all sockets; from now on nn_socket fails with ETERM.
///
/// Calls that are blocked in other threads fail with EBADF. All sockets are closed at the same
/// time, so that their NN_LINGER times run in parallel. Before the process's first nn_socket the
/// call does nothing. Meant for a program that is about to end.
#[unsafe(no_mangle)]
pub extern "C" fn nn_term() {
    boundary::call((), || {
        socket::terminate();
        Ok(())
    });
}
