//! Options that libnanomsg does not have, added to a plan that was made without them.
//!
//! They have random numbers of their own, so the rest of the world of a seed is the same with and without them.

use std::time::Duration;

use super::plan::{Check, Plan, SocketPlan, Step, ThreadName};
use crate::machine::Random;
use crate::option::LEVEL_SOCKET;
use crate::protocol::SUB;

// Names of options, as in ext.h.
const PEER_INFO: i32 = 1002;
const CONNECT_TIMEOUT: i32 = 1006;
const PREFER_NEW: i32 = 1007;
const CONFLATE: i32 = 1008;

/// Adds options to some sockets of the plan of a seed.
pub(super) fn add(plan: &mut Plan, seed: u64) {
    let mut random = Random::new(seed ^ 0x6578_7472_6173);
    for socket in &mut plan.sockets {
        if random.one_in(6) {
            set(socket, PEER_INFO, 1);
        }
    }
    if random.one_in(8) {
        wait_for_connections(plan, &mut random);
    }
    if random.one_in(6) && may_drop(plan) {
        drop_old(plan, &mut random);
    }
    if random.one_in(6) {
        watch(plan, &mut random);
    }
}

/// Adds subscribers to the events of some sockets. The events of a context are those of its parent.
fn watch(plan: &mut Plan, random: &mut Random) {
    let is_context =
        |number| plan.steps.iter().any(|(name, step)| name.0 == number && matches!(step, Step::Share(_)));
    let mut watched: Vec<_> = plan.sockets.iter().map(|socket| socket.number).collect();
    let first = watched.iter().max().map_or(0, |last| last + 1);
    watched.retain(|number| random.one_in(3) && !is_context(*number));
    for (number, watched) in (first..).zip(watched) {
        let opens = Duration::ZERO;
        plan.sockets.push(SocketPlan { number, protocol: &SUB, is_raw: false, opens, options: Vec::new() });
        plan.steps.push((ThreadName(number, 0), Step::Watch(watched)));
    }
}

fn set(socket: &mut SocketPlan, name: i32, value: i32) {
    socket.options.push((LEVEL_SOCKET, name, value));
}

/// Lets some sockets wait for their connections. A call that fails removes its endpoint, perhaps at the moment when the peer
/// sends to it: then messages may be lost, and others come before them by another connection.
fn wait_for_connections(plan: &mut Plan, random: &mut Random) {
    for socket in &mut plan.sockets {
        if random.one_in(3) {
            set(socket, CONNECT_TIMEOUT, [1, 50, 1000][random.below(3) as usize]);
        }
    }
    plan.checks.retain(|check| !matches!(check, Check::Delivery(_) | Check::Order(_) | Check::NoGap(_)));
}

/// Whether receivers may drop messages: no check counts them, and no device puts the messages of several senders on one pipe,
/// on which the newest of one displaces those of the others.
fn may_drop(plan: &Plan) -> bool {
    let counts = |check: &Check| matches!(check, Check::Fair(_) | Check::Prompt(..));
    let needs_all = |step: &Step| matches!(step, Step::Device(_) | Step::Fill(_) | Step::Relay);
    !plan.checks.iter().any(counts) && !plan.steps.iter().any(|(_, step)| needs_all(step))
}

/// Lets some receivers drop old messages. Then only the newest message of each sender is sure to be received.
fn drop_old(plan: &mut Plan, random: &mut Random) {
    for socket in plan.sockets.iter_mut().filter(|socket| socket.protocol.may_drop_old && !socket.is_raw) {
        if random.one_in(2) {
            set(socket, if random.one_in(2) { CONFLATE } else { PREFER_NEW }, 1);
        }
    }
    plan.checks.retain(|check| !matches!(check, Check::NoGap(_)));
    for check in &mut plan.checks {
        if let Check::Delivery(sender) = check {
            *check = Check::Newest(*sender);
        }
    }
}
