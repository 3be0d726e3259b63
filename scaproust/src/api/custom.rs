//! Transports and protocols of the program's own.
//!
//! # Transports
//!
//! On Unix, `add_transport` gives a scheme to a `Transport`, by which each socket of the process binds and connects from then on. It
//! makes streams of bytes whose readiness the system can report: a kind of socket that the library does not know (vsock, RFCOMM), a
//! serial line, a local socket whose bytes are compressed. The library does all the rest, as over tcp: greetings, frames, queues, attempts
//! to connect, closing. The example `transport` of this crate has one.
//!
//! # Protocols
//!
//! A [`Protocol`] has a number of its own and a [`StateMachine`], which decides where each message goes. The library does all the rest: transports,
//! queues, waiting, deadlines, tasks, polling, closing. The example `protocol` of this crate has one.
//!
//! It is not [`scaproust::Protocol`](crate::Protocol), which names the protocols of the library. A program that uses both imports
//! this module, and writes `custom::Protocol`.

use super::Context;
use super::handle::Handle;
use super::pattern::Custom;
use super::socket::Socket;
use crate::error::Error;
pub use crate::message::{Front, Metadata};
pub use crate::protocol::{
    Body, Chosen, CustomProtocol as Protocol, PipeId, Pipes, Priorities, Refusal, StateMachine,
};
#[cfg(all(unix, not(simulated)))]
pub use crate::transport::custom::{ByteStream, StreamListener, Transport, add_transport};

/// Tests of the program's own protocols and transports, by what the library tests its own with. With the feature `testing`.
///
/// A protocol is tested without sockets of the system: [`Bench`](testing::Bench) has simulated pipes and a clock for one machine;
/// [`check_contract`](testing::check_contract) gives it random events; and a [`World`](testing::World) has a network of its sockets, in which
/// a seed decides in which order messages and time pass and which links are cut. [`explore`](testing::explore) runs worlds of many seeds, and
/// a failure names its seed. A transport is tested by real sockets of this process: [`check_transport`](testing::check_transport).
///
/// The library's own code beneath a protocol (threads, locks, connections, reconnecting) is simulated as well, but not in this module: that
/// needs a build with `--cfg simulated`, in which it uses no descriptor of the system, and so no transport of the program. A checkout
/// of the library does it by `make simulate`.
#[cfg(feature = "testing")]
pub mod testing {
    #[cfg(all(unix, not(simulated)))]
    pub use crate::api::transport_testing::check_transport;
    pub use crate::protocol::testing::{
        Bench, Event, LinkId, Manner, SocketId, World, check_contract, explore, replay,
    };
}

impl Protocol {
    /// Opens a socket of the protocol. What the protocol does not do fails with [`Error::NotSupported`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if its number or its name is one of the library's, or the name has other characters than ASCII
    /// letters, digits and `-`; [`Error::TooManySockets`], [`Error::Terminated`].
    pub fn open(&'static self) -> Result<Socket<Custom>, Error> {
        let info = self.info()?;
        Ok(Socket::at(Handle::open(info, false)?, info))
    }

    /// Opens a socket of the protocol in a context.
    ///
    /// # Errors
    /// As [`Protocol::open`]; [`Error::Closed`] in a forked child of the process that has made the context.
    pub fn open_in(&'static self, context: &Context) -> Result<Socket<Custom>, Error> {
        let info = self.info()?;
        Ok(Socket::at(context.open_handle(info, false)?, info))
    }
}
