//! What happens at an exit of the process: the sockets that are open write what they still have.

use std::time::Duration;

use super::registry::SOCKETS;
use crate::reactor;
use crate::sync::now;

/// How long an exit may take to write what was sent.
const EXIT_TIME: Duration = Duration::from_secs(1);
/// An exit ends earlier when nothing could be written for so long: the peers do not read.
const EXIT_PATIENCE: Duration = Duration::from_millis(100);
/// The time between two tries to write.
const EXIT_PAUSE: Duration = Duration::from_millis(1);

/// The process ends, perhaps without closing its sockets.
pub(super) fn exit() {
    write_out();
    reactor::end_spare_thread_at_exit();
}

/// Writes what the sockets still have.
fn write_out() {
    let sockets = SOCKETS.get();
    let calls = (0..sockets.try_end().unwrap_or(0)).filter_map(|id| sockets.enter(id).ok());
    let mut peers: Vec<_> = calls
        .filter_map(|call| Some(call.core.try_lock()?.pipes.peers().cloned().collect::<Vec<_>>()))
        .flatten()
        .collect();
    let end = now() + EXIT_TIME;
    let (mut written, mut last_progress) = (0, now());
    loop {
        let mut sum = 0_usize;
        peers.retain(|peer| {
            let left = peer.clone().write_now();
            sum = sum.wrapping_add(left.unwrap_or_default());
            left.is_some()
        });
        let now = now();
        if std::mem::replace(&mut written, sum) != sum {
            last_progress = now;
        }
        if peers.is_empty() || now >= end || now >= last_progress + EXIT_PATIENCE {
            return;
        }
        std::thread::sleep(EXIT_PAUSE);
    }
}
