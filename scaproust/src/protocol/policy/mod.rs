//! The policies from which the protocols are built: which pipe a message is sent to, and from which pipe the
//! next message is received.
//!
//! A policy knows pipes, priorities and the [`Context`](super::Context), but no protocol. The time of a
//! send or receive does not depend on the number of idle pipes: each policy keeps the *active* pipes, those
//! which may be ready, apart from the others.

mod distributor;
mod exclusive;
mod fair_queue;
mod load_balancer;
mod priority_list;

pub(super) use distributor::Distributor;
pub(super) use exclusive::Exclusive;
pub(super) use fair_queue::FairQueue;
pub(super) use load_balancer::LoadBalancer;
use priority_list::PriorityList;
