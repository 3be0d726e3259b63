//! The small policies of which every protocol is made: whom a message goes to, and whose message
//! is taken next.
//!
//! A policy knows pipes, priorities and [`Context`](super::Context); it must not look into a
//! message or know a protocol. None of them costs more when there are more idle pipes.

mod distributor;
mod exclusive;
mod fair_queue;
mod load_balancer;
mod priority_list;

pub use distributor::Distributor;
pub use exclusive::Exclusive;
pub use fair_queue::FairQueue;
pub use load_balancer::LoadBalancer;
use priority_list::PriorityList;
