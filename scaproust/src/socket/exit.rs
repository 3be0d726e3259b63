//! The exit handler of the process: open sockets write what they still have to send, and the file of the report is removed.
//!
//! It waits for no lock, since the exiting thread may hold one.

use std::sync::Arc;
use std::time::Duration;

use super::registry::SOCKETS;
use super::reporter;
use crate::reactor;
use crate::sync::now;

/// How long the exit handler may take to write.
const MAX_TIME: Duration = Duration::from_secs(1);
/// It gives up earlier after this time without progress: the peers do not read.
const MAX_STALL: Duration = Duration::from_millis(100);
/// The pause between two attempts to write.
const PAUSE: Duration = Duration::from_millis(1);

/// The process exits, perhaps without having closed its sockets.
pub(super) fn exit() {
    flush();
    reporter::exit();
    reactor::end_spare_thread_at_exit();
}

/// Writes what the outbound lanes of all sockets hold, those included that other threads are closing.
pub(crate) fn flush() {
    let sockets = SOCKETS.get();
    let mut calls: Vec<_> = (0..sockets.end()).filter_map(|id| sockets.enter_while_there(id)).collect();
    let mut peers = Vec::new();
    let end = now() + MAX_TIME;
    let (mut written, mut last_progress) = (0, now());
    loop {
        calls.retain(|call| match call.core.try_lock() {
            Some(core) => {
                peers.extend(core.pipes.peers().cloned());
                false
            }
            // Another thread holds the lock for a moment, or this one does, for good.
            None => true,
        });
        let mut sum = 0_usize;
        peers.retain(|peer| {
            let left = Arc::clone(peer).write_now();
            sum = sum.wrapping_add(left.unwrap_or_default());
            left.is_some()
        });
        let now = now();
        if std::mem::replace(&mut written, sum) != sum {
            last_progress = now;
        }
        if calls.is_empty() && peers.is_empty() || now >= end || now >= last_progress + MAX_STALL {
            return;
        }
        crate::sync::pause(PAUSE);
    }
}
