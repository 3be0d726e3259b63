//! What messages gather in.

use std::sync::Arc;

/// Lanes in which messages gather: that of a connection, or those to the receivers within the process.
pub(crate) trait Gathers: Send + Sync {
    /// Passes on what has gathered. Returns the number of bytes and of messages; `None` if the sender has done so since the last
    /// call, or does so now, and nothing is done.
    fn write_gathered(self: Arc<Self>) -> Option<(usize, u32)>;
    /// Ends gathering, and passes on everything. The next push is an edge.
    fn stop_gathering(self: Arc<Self>, other: OtherTeller);
}

/// Whether a thread that ends gathering waits for another one that tells receivers within the process of the same messages.
#[derive(Clone, Copy)]
pub(crate) enum OtherTeller {
    /// It does. Afterwards the receivers have been told.
    IsAwaited,
    /// It does not, since it delivers edges: perhaps it is the other one, or the other one waits for it.
    IsNotAwaited,
}
