//! The roles of sockets, as types: `Socket<pattern::Push>` is a PUSH socket.
//!
//! The types have no values. A function that takes any socket that can send is generic over them:
//!
//! ```
//! use scaproust::{Error, Push, Socket, pattern};
//!
//! fn greet<P: pattern::Sends>(socket: &Socket<P>) -> Result<(), Error> {
//!     socket.try_send(b"hello")
//! }
//!
//! assert_eq!(greet(&Push::new()?), Err(Error::WouldBlock)); // There is no peer.
//! # Ok::<(), Error>(())
//! ```

use std::marker::PhantomData;

pub(super) use sealed::{Fixed, Role};

mod sealed {
    use crate::protocol::ProtocolInfo;

    /// A role.
    pub trait Role {
        /// Whether its sockets are raw ones.
        const IS_RAW: bool = false;
        /// Whether its sockets are cooked ones of any protocol.
        const IS_ANY: bool = false;
    }

    /// A role of one protocol.
    pub trait Fixed: Role {
        const PROTOCOL: &'static ProtocolInfo;
    }
}

use crate::protocol::{self, ProtocolInfo};

/// The role of a socket. Only the types of this module are roles.
pub trait Pattern: Role {}

/// A role whose protocol is one of the library's, a [`Protocol`](crate::Protocol): each of them but [`Custom`].
pub trait BuiltIn: Pattern {}

/// A role whose protocol is known when the program is compiled: each of the library's but [`Any`].
pub trait Known: Pattern + BuiltIn + Fixed {
    /// The role of the same sockets when the protocol is known only at run time.
    type Erased: Pattern;
}

/// A role with outbound messages. Its sockets have the options of sending.
pub trait Outbound: Pattern {}

/// A role with inbound messages. Its sockets have the options of receiving.
pub trait Inbound: Pattern {}

/// A role that sends messages which belong to no other message.
pub trait Sends: Outbound {}

/// A role to whose sockets messages come that answer no request or survey of theirs. A [`Poller`](crate::Poller) waits for
/// them.
pub trait Incoming: Inbound {}

/// A role that receives messages which belong to no other message.
pub trait Receives: Incoming {}

/// A role that sends requests; see [`Socket::request`](crate::Socket::request).
pub trait Requests: Inbound + Outbound {}

/// A role that sends surveys; see [`Socket::survey`](crate::Socket::survey).
pub trait Surveys: Inbound + Outbound {}

/// A role that receives requests or surveys; see [`Socket::accept`](crate::Socket::accept).
pub trait Replies: Incoming + Outbound {}

impl<P: Role> Pattern for P {}

/// The roles and the rows of the table of protocols: `roles!(Pair PAIR, …)`.
macro_rules! roles {
    ($($role:ident $protocol:ident),+) => { $(
        impl Role for $role {}
        impl BuiltIn for $role {}
        impl Fixed for $role {
            const PROTOCOL: &'static ProtocolInfo = &protocol::$protocol;
        }
        impl Known for $role {
            type Erased = Any;
        }
    )+ };
}

roles!(
    Pair PAIR, PairV1 PAIR_V1, Pub PUB, Sub SUB, Req REQ, Rep REP, Push PUSH, Pull PULL, Bus BUS, Star STAR,
    Surveyor SURVEYOR, Respondent RESPONDENT
);

/// One peer, both directions; see [`crate::Pair`].
#[derive(Debug)]
pub enum Pair {}

impl Outbound for Pair {}
impl Sends for Pair {}
impl Inbound for Pair {}
impl Incoming for Pair {}
impl Receives for Pair {}

/// One peer, both directions, with a hop count; see [`crate::PairV1`].
#[derive(Debug)]
pub enum PairV1 {}

impl Outbound for PairV1 {}
impl Sends for PairV1 {}
impl Inbound for PairV1 {}
impl Incoming for PairV1 {}
impl Receives for PairV1 {}

/// Sends to all subscribers; see [`crate::Pub`].
#[derive(Debug)]
pub enum Pub {}

impl Outbound for Pub {}
impl Sends for Pub {}

/// Receives the messages that match a subscription; see [`crate::Sub`].
#[derive(Debug)]
pub enum Sub {}

impl Inbound for Sub {}
impl Incoming for Sub {}
impl Receives for Sub {}

/// Sends requests and receives the replies; see [`crate::Req`].
#[derive(Debug)]
pub enum Req {}

impl Outbound for Req {}
impl Inbound for Req {}
impl Requests for Req {}

/// Receives requests and sends the replies; see [`crate::Rep`].
#[derive(Debug)]
pub enum Rep {}

impl Outbound for Rep {}
impl Inbound for Rep {}
impl Incoming for Rep {}
impl Replies for Rep {}

/// Sends each message to one of its peers; see [`crate::Push`].
#[derive(Debug)]
pub enum Push {}

impl Outbound for Push {}
impl Sends for Push {}

/// Receives from all its peers; see [`crate::Pull`].
#[derive(Debug)]
pub enum Pull {}

impl Inbound for Pull {}
impl Incoming for Pull {}
impl Receives for Pull {}

/// Sends to all its peers, and receives from all; see [`crate::Bus`].
#[derive(Debug)]
pub enum Bus {}

impl Outbound for Bus {}
impl Sends for Bus {}
impl Inbound for Bus {}
impl Incoming for Bus {}
impl Receives for Bus {}

/// Sends to all its peers, receives from all, and forwards what it receives; see [`crate::Star`].
#[derive(Debug)]
pub enum Star {}

impl Outbound for Star {}
impl Sends for Star {}
impl Inbound for Star {}
impl Incoming for Star {}
impl Receives for Star {}

/// Sends surveys to all its peers and receives the responses; see [`crate::Surveyor`].
#[derive(Debug)]
pub enum Surveyor {}

impl Outbound for Surveyor {}
impl Inbound for Surveyor {}
impl Surveys for Surveyor {}

/// Receives surveys and sends responses; see [`crate::Respondent`].
#[derive(Debug)]
pub enum Respondent {}

impl Outbound for Respondent {}
impl Inbound for Respondent {}
impl Incoming for Respondent {}
impl Replies for Respondent {}

/// A role whose protocol is known only at run time; see [`crate::AnySocket`].
#[derive(Debug)]
pub enum Any {}

impl Role for Any {
    const IS_ANY: bool = true;
}
impl BuiltIn for Any {}
impl Outbound for Any {}
impl Sends for Any {}
impl Inbound for Any {}
impl Incoming for Any {}
impl Receives for Any {}
impl Requests for Any {}
impl Surveys for Any {}
impl Replies for Any {}

/// A role whose protocol is the program's own; see [`crate::custom`].
#[derive(Debug)]
pub enum Custom {}

impl Role for Custom {}
impl Outbound for Custom {}
impl Sends for Custom {}
impl Inbound for Custom {}
impl Incoming for Custom {}
impl Receives for Custom {}

/// The raw form of a role, for programs that forward messages. It sends and receives as the role does,
/// but keeps no state: a received message has its protocol header ([`Message::header`]), and a message
/// is sent with the header that it has.
///
/// ```
/// use scaproust::{Rep, Req, Socket, pattern};
///
/// let client = Req::new()?;
/// let server = Socket::<pattern::Raw<pattern::Rep>>::new()?;
/// server.bind("inproc://doc/raw")?;
/// client.connect("inproc://doc/raw")?;
/// let pending = client.request("question")?;
///
/// // The header has the route to the client, so the message can be sent back as it is.
/// let mut request = server.recv()?;
/// assert_eq!((&*request, request.header().len()), (&b"question"[..], 8));
/// request.make_mut()?.make_ascii_uppercase();
/// server.send_message(request)?;
/// assert_eq!(pending.wait()?, "QUESTION");
/// # Ok::<(), scaproust::Error>(())
/// ```
///
/// [`Message::header`]: crate::Message::header
#[derive(Debug)]
pub struct Raw<P>(PhantomData<P>);

impl<P: Role> Role for Raw<P> {
    const IS_RAW: bool = true;
}
impl<P: BuiltIn> BuiltIn for Raw<P> {}
impl<P: Fixed> Fixed for Raw<P> {
    const PROTOCOL: &'static ProtocolInfo = P::PROTOCOL;
}
impl<P: Known> Known for Raw<P> {
    type Erased = Raw<P::Erased>;
}
impl<P: Outbound> Outbound for Raw<P> {}
impl<P: Inbound> Inbound for Raw<P> {}
impl<P: Outbound> Sends for Raw<P> {}
impl<P: Inbound> Incoming for Raw<P> {}
impl<P: Inbound> Receives for Raw<P> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<P: Known>(sends: bool, receives: bool) -> &'static ProtocolInfo {
        assert_eq!((sends, receives), (P::PROTOCOL.can_send, P::PROTOCOL.can_recv), "{:?}", P::PROTOCOL);
        P::PROTOCOL
    }

    fn both<P: Outbound + Inbound + Known>() -> &'static ProtocolInfo {
        check::<P>(true, true)
    }

    #[test]
    fn each_protocol_has_a_role_with_its_directions() {
        let roles = [
            both::<Pair>(),
            both::<PairV1>(),
            check::<Pub>(true, false),
            check::<Sub>(false, true),
            both::<Req>(),
            both::<Rep>(),
            check::<Push>(true, false),
            check::<Pull>(false, true),
            both::<Surveyor>(),
            both::<Respondent>(),
            both::<Bus>(),
            both::<Star>(),
        ];
        assert_eq!(roles[..], protocol::PROTOCOLS[..]);
    }
}
