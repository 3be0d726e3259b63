//! `nn_term`.

use super::boundary;
use crate::socket;

/// Closes every socket, and lets no new one be opened: nn_socket fails with ETERM from now on.
///
/// Calls that are blocked in other threads end with EBADF. The sockets are closed together, and
/// each has the time of its NN_LINGER from the same moment on. Before the first nn_socket of a
/// process the call does nothing. Meant for a program that is about to end.
#[unsafe(no_mangle)]
pub extern "C" fn nn_term() {
    boundary::call((), || {
        socket::terminate();
        Ok(())
    });
}
