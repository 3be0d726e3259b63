//! Options that libnanomsg does not have, added to a plan that was made without them.
//!
//! They have random numbers of their own, so the rest of the world of a seed is the same with and without them.

use std::time::Duration;

use super::plan::{Check, Fault, Plan, SocketPlan, Step, ThreadName};
use super::tasks::{Tasks, Work};
use super::world::door;
use crate::option::{LEVEL_SOCKET, SocketOption};
use crate::protocol::SUB;
use crate::random::Random;

// Names of options, as in ext.h.
const PEER_INFO: i32 = 1002;
const CONNECT_TIMEOUT: i32 = 1006;
const PREFER_NEW: i32 = 1007;
const CONFLATE: i32 = 1008;

/// The number of a thread that receives where tasks do too; the next one has tasks that wait for connections.
const BESIDE_TASKS: usize = 9;

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
    if random.one_in(3) {
        use_tasks(plan, &mut random);
    }
    if random.one_in(6) {
        plan.machine.backlog = 1 + random.below(2) as usize;
    }
    if random.one_in(6) && may_lack_memory(plan) {
        plan.machine.lacking_every = [5, 30, 200][random.below(3) as usize];
        if random.one_in(2) && may_stay_in_process(plan) {
            stay_in_process(plan);
        }
    }
}

/// Whether the world is about nothing that inproc does not have: files, and bounds of what a peer sends.
fn may_stay_in_process(plan: &Plan) -> bool {
    let has_bound = |socket: &SocketPlan| socket.option(SocketOption::MaxMessage).is_some();
    !plan.faults.iter().any(|(_, fault)| matches!(fault, Fault::Unlink(..)))
        && !plan.sockets.iter().any(has_bound)
}

/// Makes all connections those of inproc, over which nothing is lost when there is no memory for a message.
fn stay_in_process(plan: &mut Plan) {
    for (_, step) in &mut plan.steps {
        if let Step::Bind(address) | Step::Connect(address) = step
            && !address.starts_with("inproc:")
        {
            *address = format!("inproc://{}", door(address));
        }
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
    plan.checks.retain(|check| {
        !matches!(check, Check::Delivery(_) | Check::Order(_) | Check::NoGap(_) | Check::SendPriority(_))
    });
}

/// Whether a check compares times, or peers by their priorities.
fn compares_peers(check: &Check) -> bool {
    matches!(check, Check::Fair(_) | Check::Prompt(..) | Check::SendPriority(_) | Check::ReceivePriority(_))
}

/// Whether there may be no memory for a message: a connection on which one comes is ended then, and what was on its way is lost. No
/// check compares times or priorities, and no step ends with the call that fails, as a device does.
fn may_lack_memory(plan: &Plan) -> bool {
    let ends = |step: &Step| {
        matches!(
            step,
            Step::Device(_)
                | Step::Relay
                | Step::RawAsk(..)
                | Step::RawAnswer
                | Step::Request(_)
                | Step::Share(_)
                | Step::Watch(_)
                | Step::Tasks(_)
        )
    };
    !plan.checks.iter().any(compares_peers) && !plan.steps.iter().any(|(_, step)| ends(step))
}

/// Whether receivers may drop messages: no check counts them, and no device puts the messages of several senders on one pipe,
/// on which the newest of one displaces those of the others.
fn may_drop(plan: &Plan) -> bool {
    let counts =
        |check: &Check| matches!(check, Check::Fair(_) | Check::Prompt(..) | Check::ReceivePriority(_));
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

/// Lets tasks do what threads of some sockets would do.
fn use_tasks(plan: &mut Plan, random: &mut Random) {
    let is_exit = |(_, fault): &(Duration, Fault)| *fault == Fault::Exit;
    let is_apart = |step: &Step| matches!(step, Step::Share(_) | Step::Fill(_));
    if plan.checks.iter().any(compares_peers)
        || plan.faults.iter().any(is_exit)
        || plan.steps.iter().any(|(_, step)| is_apart(step))
    {
        return;
    }
    // Requests and surveys open contexts, which would get the number of a closed socket while its threads may still use it.
    let closes = plan.steps.iter().any(|(_, step)| *step == Step::Close);
    let opens_contexts = |work: &Work| matches!(work, Work::Request(..) | Work::Survey(..));
    let numbers: Vec<_> =
        plan.sockets.iter().filter(|socket| !socket.is_raw).map(|socket| socket.number).collect();
    for number in numbers {
        if random.one_in(2) {
            let tasks = (1 + random.below(3) as usize, random.one_in(4));
            let has_thread = random.one_in(3);
            let mut steps: Vec<_> = plan.steps.iter_mut().filter(|(name, _)| name.0 == number).collect();
            for (_, step) in &mut steps {
                if let Some(work) = work_of(step).filter(|work| !(closes && opens_contexts(work))) {
                    *step = Step::Tasks(Tasks { count: tasks.0, is_inline: tasks.1, work });
                }
            }
            let receives =
                steps.iter().any(|(_, step)| matches!(step, Step::Tasks(Tasks { work: Work::Receive, .. })));
            // Its timeout would be that of the other thread too.
            let has_timeout = steps.iter().any(|(_, step)| matches!(step, Step::Wait(..)));
            if random.one_in(3) {
                let work = Work::Connect(if random.one_in(2) { 10 } else { 3000 });
                let step = Step::Tasks(Tasks { count: tasks.0, is_inline: tasks.1, work });
                plan.steps.push((ThreadName(number, BESIDE_TASKS + 1), Step::Sleep(1)));
                plan.steps.push((ThreadName(number, BESIDE_TASKS + 1), step));
            }
            if receives && has_thread && !has_timeout {
                plan.steps.push((ThreadName(number, BESIDE_TASKS), Step::Receive(0)));
            }
        }
    }
}

/// What tasks do in place of a step of a thread.
fn work_of(step: &Step) -> Option<Work> {
    Some(match step {
        Step::Receive(0) => Work::Receive,
        Step::Send(count, size) => Work::Send(*count, *size),
        Step::Answer(0) | Step::AnswerLate(_) => Work::Accept,
        Step::Ask(count, size) => Work::Request(*count, *size),
        Step::Survey(count, size) => Work::Survey(*count, *size),
        Step::Close => Work::Close,
        _ => return None,
    })
}
