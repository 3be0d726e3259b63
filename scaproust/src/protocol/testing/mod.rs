//! Tests of a program's protocol by the simulated pipes with which the library tests its own.

mod bench;
mod links;
mod world;

pub use bench::{Bench, Manner, check_contract};
pub use world::{Event, LinkId, SocketId, World, explore, replay};
