//! The statistics of the sockets of a world, which must agree with each other.

use super::plan::{SocketPlan, Step, ThreadName};
use super::world::World;
use crate::machine;
use crate::option::SocketOption;
use crate::protocol::ProtocolInfo;
use crate::socket::{Statistic, Traffic, enter};

impl World {
    /// Checks that what the endpoints of each socket have counted adds up to what the socket has.
    pub(super) fn check_statistics(&self) {
        for (number, (id, protocol)) in self.ids.borrow().iter() {
            let is_context_or_leaves = |(name, step): &(ThreadName, Step)| {
                name.0 == *number && matches!(step, Step::Leave | Step::Share(_))
            };
            // A connect that times out removes its endpoint.
            let may_time_out = |plan: &SocketPlan| {
                plan.number == *number && plan.option(SocketOption::ConnectTimeout).is_some()
            };
            if self.closed.borrow().contains(number)
                || self.plan.steps.iter().any(is_context_or_leaves)
                || self.plan.sockets.iter().any(may_time_out)
            {
                continue;
            }
            let endpoints = self.endpoints.borrow().get(number).cloned().unwrap_or_default();
            // A message that comes meanwhile may be counted in one place only.
            let counts = || counts(*id, protocol, &endpoints);
            if let (Some(before), Some(again)) = (counts(), counts())
                && before == again
                && before.0 != before.1
            {
                let what =
                    format!("the socket {number} has counted {:?}, its endpoints {:?}", before.0, before.1);
                machine::fail(what);
            }
        }
    }
}

/// What a socket has counted, and what its endpoints have: messages received, their bytes, connections, and messages sent if
/// each of them goes to one peer. `None` if the socket is closed.
fn counts(id: i32, protocol: &ProtocolInfo, endpoints: &[i32]) -> Option<([u64; 4], [u64; 4])> {
    let call = enter(id).ok()?;
    let sends_once = matches!(protocol.name, "push" | "pair" | "pair1");
    let statistic = |statistic| call.statistic(statistic).unwrap_or_default();
    let own = [
        statistic(Statistic::MessagesReceived),
        statistic(Statistic::BytesReceived),
        statistic(Statistic::Connections),
        if sends_once { statistic(Statistic::MessagesSent) } else { 0 },
    ];
    let mut sums = [0; 4];
    for endpoint in endpoints {
        let statistics = call.endpoint_statistics(*endpoint).ok()?;
        let Traffic { messages_received, bytes_received, messages_sent, .. } = statistics.traffic;
        let sent = if sends_once { messages_sent } else { 0 };
        let counted = [messages_received, bytes_received, statistics.current_connections.into(), sent];
        sums.iter_mut().zip(counted).for_each(|(sum, counted)| *sum += counted);
    }
    Some((own, sums))
}
