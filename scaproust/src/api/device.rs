//! Devices, which forward messages between raw sockets in the calling thread.

use std::convert::Infallible;

use super::pattern::{self, Inbound, Outbound, Pattern, Raw};
use super::socket::Socket;
use crate::error::Error;
use crate::forwarding;
use crate::socket::BlockingCall;

/// A role whose raw sockets forward to those of the role `Other`, and from them.
pub trait ForwardsTo<Other>: Pattern {}

/// `forwards(one other, …)`: the two roles of each pattern, in both orders.
macro_rules! forwards {
    ($($one:ident $other:ident),+) => { $(
        impl ForwardsTo<pattern::$other> for pattern::$one {}
    )+ };
}

forwards!(
    Pair Pair, Bus Bus, Req Rep, Rep Req, Pub Sub, Sub Pub, Push Pull, Pull Push, Surveyor Respondent,
    Respondent Surveyor, PairV1 PairV1, Star Star, Any Any
);

/// Forwards messages between two raw sockets, each to the other one, until one of them is closed. A message is
/// received only when the other socket has room for it, so back-pressure passes through.
///
/// # Errors
/// It returns only with an error: [`Error::InvalidArgument`] for sockets of [`pattern::Any`] that are not of one pattern,
/// [`Error::Closed`] when a socket is closed, [`Error::Interrupted`] by a signal
/// handler if there is one direction, and [`Error::TimedOut`] after [`Socket::recv_timeout`] without a message or
/// [`Socket::send_timeout`] without room.
///
/// ```
/// use scaproust::{Error, Rep, Req, device, raw};
///
/// let (front, back) = (raw::Rep::new()?, raw::Req::new()?);
/// front.bind("inproc://doc/device/front")?;
/// back.bind("inproc://doc/device/back")?;
/// std::thread::scope(|scope| {
///     let forwarding = scope.spawn(|| device::join(&front, &back).unwrap_err());
///     let (client, server) = (Req::new()?, Rep::new()?);
///     client.connect("inproc://doc/device/front")?;
///     server.connect("inproc://doc/device/back")?;
///     let pending = client.request("request")?;
///     let (request, reply) = server.accept()?;
///     assert_eq!(request, "request");
///     reply.send("reply")?;
///     assert_eq!(pending.wait()?, "reply");
///     front.close()?;
///     assert_eq!(forwarding.join().unwrap(), Error::Closed);
///     Ok::<(), Error>(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// Two sockets that are not of one pattern do not compile:
///
/// ```compile_fail,E0277
/// scaproust::device::join(&scaproust::raw::Rep::new()?, &scaproust::raw::Push::new()?)?;
/// # Ok::<(), scaproust::Error>(())
/// ```
pub fn join<One, Other>(one: &Socket<Raw<One>>, other: &Socket<Raw<Other>>) -> Result<Infallible, Error>
where
    One: ForwardsTo<Other>,
    Other: Pattern,
{
    // The sockets are not entered while the device runs, so that they can be closed.
    one.with_id(|one| other.with_id(|other| forwarding::join(one, other)))?.finish()
}

/// Sends the messages that a raw socket receives back through the same socket, until it is closed.
///
/// # Errors
/// As [`join`].
///
/// ```
/// use scaproust::{Error, Pair, device, raw};
///
/// let (echo, other) = (raw::Pair::new()?, Pair::new()?);
/// echo.bind("inproc://doc/device/echo")?;
/// other.connect("inproc://doc/device/echo")?;
/// std::thread::scope(|scope| {
///     let forwarding = scope.spawn(|| device::reflect(&echo).unwrap_err());
///     other.send("hello")?;
///     assert_eq!(other.recv()?, "hello");
///     echo.close()?;
///     assert_eq!(forwarding.join().unwrap(), Error::Closed);
///     Ok::<(), Error>(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
pub fn reflect<P: Outbound + Inbound>(socket: &Socket<Raw<P>>) -> Result<Infallible, Error> {
    socket.with_id(forwarding::reflect)?.finish()
}
