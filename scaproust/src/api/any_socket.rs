//! Sockets of a protocol that is known only at run time.

use std::fmt;
use std::str::FromStr;

#[cfg(simulated)]
use super::handle::Handle;
use super::pattern::{Any, BuiltIn, Known, Pattern, Raw};
use super::socket::Socket;
use crate::error::Error;
use crate::protocol::{self, PROTOCOLS, ProtocolInfo};

/// A socket of a protocol that is known only at run time, for tools and for settings.
///
/// It has the methods of every socket that sends and receives, and those for conversations. What its protocol does not do
/// fails with [`Error::NotSupported`]. [`Socket::downcast`] gives the typed socket, with the options of its protocol.
///
/// ```
/// use scaproust::{AnySocket, Error, Protocol, Push, Sub};
///
/// let protocol: Protocol = "pull".parse()?;
/// let worker = AnySocket::open(protocol)?;
/// worker.bind("inproc://doc/any_socket")?;
/// let source = Push::new()?;
/// source.connect("inproc://doc/any_socket")?;
/// source.send("a task")?;
/// assert_eq!(worker.recv()?, "a task");
/// assert_eq!(worker.send("an answer"), Err(Error::NotSupported));
///
/// // A message of some protocols belongs to a conversation.
/// let (client, server) = (AnySocket::open(Protocol::Req)?, AnySocket::open(Protocol::Rep)?);
/// server.bind("inproc://doc/any_socket/server")?;
/// client.connect("inproc://doc/any_socket/server")?;
/// assert_eq!(client.send("a question, without a place for the answer"), Err(Error::NotSupported));
/// let pending = client.request("a question")?;
/// let (_, reply) = server.accept()?;
/// reply.send("an answer")?;
/// assert_eq!(pending.wait()?, "an answer");
///
/// let subscriber: Sub = AnySocket::open(Protocol::Sub)?.downcast().unwrap();
/// subscriber.subscribe("weather/")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type AnySocket = Socket<Any>;

/// Declares the protocols, each with its constant.
macro_rules! protocols {
    ($($(#[doc = $doc:literal])+ $name:ident $constant:ident,)+) => {
        /// A protocol, which is one side of a pattern. Its name in text is that of the command line tools: `req`, `pair1`.
        ///
        /// ```
        /// use scaproust::Protocol;
        /// let protocol: Protocol = "REQ".parse()?;
        /// assert_eq!((protocol, protocol.to_string(), protocol.peer()), (Protocol::Req, "req".into(), Protocol::Rep));
        /// assert!("pigeon".parse::<Protocol>().is_err());
        /// # Ok::<(), scaproust::UnknownProtocol>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Protocol {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Protocol {
            /// Every protocol.
            pub const ALL: [Protocol; PROTOCOLS.len()] = [$(Protocol::$name),+];

            pub(super) fn info(self) -> &'static ProtocolInfo {
                match self {
                    $(Protocol::$name => &protocol::$constant,)+
                }
            }
        }
    };
}

protocols! {
    /// One peer, both directions; see [`crate::Pair`].
    Pair PAIR,
    /// One peer, both directions, with a hop count; see [`crate::PairV1`].
    PairV1 PAIR_V1,
    /// Sends to all subscribers; see [`crate::Pub`].
    Pub PUB,
    /// Receives the messages that match a subscription; see [`crate::Sub`].
    Sub SUB,
    /// Sends requests and receives the replies; see [`crate::Req`].
    Req REQ,
    /// Receives requests and sends the replies; see [`crate::Rep`].
    Rep REP,
    /// Sends each message to one of its peers; see [`crate::Push`].
    Push PUSH,
    /// Receives from all its peers; see [`crate::Pull`].
    Pull PULL,
    /// Sends surveys to all its peers and receives the responses; see [`crate::Surveyor`].
    Surveyor SURVEYOR,
    /// Receives surveys and sends responses; see [`crate::Respondent`].
    Respondent RESPONDENT,
    /// Sends to all its peers, and receives from all; see [`crate::Bus`].
    Bus BUS,
    /// Sends to all its peers, receives from all, and forwards what it receives; see [`crate::Star`].
    Star STAR,
}

impl Protocol {
    /// The protocol of this row of the library's table.
    fn of(info: &ProtocolInfo) -> Protocol {
        // A test compares the two lists.
        Protocol::ALL.into_iter().find(|protocol| protocol.info() == info).unwrap_or(Protocol::Pair)
    }

    /// The protocol that its peers must have.
    #[must_use]
    pub fn peer(self) -> Protocol {
        Protocol::of(self.info().peer)
    }

    /// Whether its sockets can send.
    #[must_use]
    pub fn sends(self) -> bool {
        self.info().can_send
    }

    /// Whether its sockets can receive.
    #[must_use]
    pub fn receives(self) -> bool {
        self.info().can_recv
    }

    /// Whether each message belongs to a request or to a survey. Cooked sockets of such a protocol have
    /// [`Socket::request`], [`Socket::survey`] or [`Socket::accept`], and neither [`Socket::send`] nor [`Socket::recv`].
    ///
    /// ```
    /// use scaproust::Protocol;
    /// assert!(Protocol::Rep.has_conversations() && !Protocol::Pair.has_conversations());
    /// ```
    #[must_use]
    pub fn has_conversations(self) -> bool {
        matches!(self, Protocol::Req | Protocol::Surveyor) || self.accepts()
    }

    /// Whether its sockets receive requests or surveys.
    pub(super) fn accepts(self) -> bool {
        matches!(self, Protocol::Rep | Protocol::Respondent)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.info().name)
    }
}

/// A text that is not the name of a [`Protocol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownProtocol;

impl fmt::Display for UnknownProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no protocol has this name")
    }
}

impl std::error::Error for UnknownProtocol {}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    /// The protocol with this name, in upper or lower case.
    fn from_str(name: &str) -> Result<Protocol, UnknownProtocol> {
        let mut all = Protocol::ALL.into_iter();
        all.find(|protocol| protocol.info().name.eq_ignore_ascii_case(name)).ok_or(UnknownProtocol)
    }
}

impl AnySocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// Those of [`Socket::new`].
    pub fn open(protocol: Protocol) -> Result<AnySocket, Error> {
        Socket::open_protocol(protocol.info())
    }
}

#[cfg(simulated)]
impl AnySocket {
    /// The open socket with an id, for tests that have opened it by its number.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn of_id(id: i32, protocol: &'static ProtocolInfo) -> Result<AnySocket, Error> {
        Ok(Socket::at(Handle::of(id)?, protocol))
    }
}

impl Socket<Raw<Any>> {
    /// Opens a raw socket.
    ///
    /// # Errors
    /// Those of [`Socket::new`].
    ///
    /// ```
    /// use scaproust::{Error, Protocol, device, raw};
    ///
    /// let [front, other] = [Protocol::Rep, Protocol::Push].map(raw::AnySocket::open);
    /// assert_eq!(device::join(&front?, &other?), Err(Error::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn open(protocol: Protocol) -> Result<Socket<Raw<Any>>, Error> {
        Socket::open_protocol(protocol.info())
    }
}

impl<P: BuiltIn> Socket<P> {
    /// The protocol of the socket. One of the program's own ([`custom`](crate::custom)) is none of these, and its sockets do not
    /// have this method.
    ///
    /// ```
    /// use scaproust::{Protocol, Rep};
    /// assert_eq!(Rep::new()?.protocol(), Protocol::Rep);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    ///
    /// ```compile_fail,E0277
    /// use scaproust::{Socket, pattern::Custom};
    /// fn name(socket: &Socket<Custom>) -> String {
    ///     socket.protocol().to_string()
    /// }
    /// ```
    pub fn protocol(&self) -> Protocol {
        Protocol::of(self.protocol)
    }
}

impl<P: Pattern> Socket<P> {
    /// Refuses what the protocol does not do, where the type does not say which protocol it is.
    ///
    /// # Errors
    /// [`Error::NotSupported`].
    #[inline]
    pub(super) fn check_protocol(&self, does: fn(Protocol) -> bool) -> Result<(), Error> {
        if P::IS_ANY && !does(Protocol::of(self.protocol)) { Err(Error::NotSupported) } else { Ok(()) }
    }

    /// Refuses messages that belong to no conversation, if the protocol has only such that do: the socket would mix those of
    /// different callers.
    ///
    /// # Errors
    /// [`Error::NotSupported`].
    #[inline]
    pub(super) fn check_plain(&self) -> Result<(), Error> {
        self.check_protocol(|protocol| !protocol.has_conversations())
    }

    /// The same socket with its protocol in its type: a socket of [`pattern::Any`](crate::pattern::Any) becomes a typed one.
    ///
    /// # Errors
    /// The socket itself, if it has another protocol.
    ///
    /// ```
    /// use scaproust::{AnySocket, Protocol, Pub, Sub};
    /// let socket = AnySocket::open(Protocol::Sub)?;
    /// let socket = socket.downcast::<scaproust::pattern::Pub>().unwrap_err();
    /// let subscriber: Sub = socket.downcast().unwrap();
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn downcast<Q: Known<Erased = P>>(self) -> Result<Socket<Q>, Socket<P>> {
        if self.protocol == Q::PROTOCOL { Ok(self.with_role()) } else { Err(self) }
    }
}

impl<P: Known> Socket<P> {
    /// The same socket without its protocol in its type.
    ///
    /// ```
    /// use scaproust::{AnySocket, Pull, Push};
    /// let sockets: Vec<AnySocket> = vec![Pull::new()?.into_any(), Push::new()?.into_any()];
    /// assert_eq!(sockets[1].protocol().to_string(), "push");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn into_any(self) -> Socket<P::Erased> {
        self.with_role()
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::{Message, Pair, Push, Unsent};

    #[test]
    fn every_protocol_of_the_library_has_a_name_here() {
        assert!(Protocol::ALL.iter().map(|protocol| protocol.info()).eq(PROTOCOLS));
        for protocol in Protocol::ALL {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
            assert_eq!(protocol.peer().peer(), protocol);
            assert_eq!(
                (protocol.sends(), protocol.receives()),
                (protocol.peer().receives(), protocol.peer().sends())
            );
            assert_eq!(AnySocket::open(protocol).unwrap().protocol(), protocol);
        }
    }

    #[test]
    fn a_socket_that_gets_another_type_stays_open() {
        let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
        one.bind("inproc://any_socket/stays").unwrap();
        other.connect("inproc://any_socket/stays").unwrap();
        one.set_interruptible(true);
        let any = one.into_any();
        assert!(any.is_interruptible());
        other.send("to any").unwrap();
        assert_eq!(any.recv().unwrap(), "to any");
        let any = any.downcast::<crate::pattern::Push>().unwrap_err();
        let typed: Pair = any.downcast().unwrap();
        typed.send("from the typed one").unwrap();
        assert_eq!(other.recv().unwrap(), "from the typed one");
        typed.close().unwrap();
        assert_eq!(typed.into_any().close(), Err(Error::Closed));
    }

    #[test]
    fn what_the_protocol_does_not_do_fails() {
        let any = Push::new().unwrap().into_any();
        assert_eq!(any.recv().err(), Some(Error::NotSupported));
        assert_eq!(any.try_recv_into(&mut []), Err(Error::NotSupported));
        assert_eq!(any.accept().err(), Some(Error::NotSupported));
        assert_eq!(smol::block_on(any.accept_async()).err(), Some(Error::NotSupported));
        assert_eq!(any.request("a question").err(), Some(Error::NotSupported));
        assert_eq!(any.survey("a question").err(), Some(Error::NotSupported));
    }

    /// Else threads that share the socket would get each other's messages.
    #[test]
    fn a_protocol_with_conversations_has_no_messages_without() {
        let with_conversations = Protocol::ALL.into_iter().filter(|protocol| protocol.has_conversations());
        assert_eq!(with_conversations.clone().count(), 4);
        for any in with_conversations.map(|protocol| AnySocket::open(protocol).unwrap()) {
            let message = || Message::from("text");
            let unsent = Unsent { error: Error::NotSupported, message: message() };
            assert_eq!(any.send("text"), Err(Error::NotSupported));
            assert_eq!(any.try_send_message(message()), Err(unsent));
            assert_eq!(smol::block_on(any.send_async("text")).unwrap_err().message, message());
            assert_eq!(any.recv(), Err(Error::NotSupported));
            assert_eq!(any.try_recv_into(&mut []), Err(Error::NotSupported));
            assert_eq!(smol::block_on(any.recv_async()), Err(Error::NotSupported));
            #[cfg(feature = "futures")]
            smol::block_on(async {
                use futures_util::{SinkExt, StreamExt};
                assert_eq!(any.stream().next().await, Some(Err(Error::NotSupported)));
                let mut sink = any.sink();
                assert_eq!(sink.send("text").await, Err(Error::NotSupported));
                assert_eq!((sink.take_unsent(), sink.take_unsent()), (Some(message()), None));
            });
        }
    }

    #[test]
    fn conversations_of_a_shared_socket_get_their_own_answers() {
        for (asking, answering) in
            [(Protocol::Req, Protocol::Rep), (Protocol::Surveyor, Protocol::Respondent)]
        {
            let (asking, answering) = (AnySocket::open(asking).unwrap(), AnySocket::open(answering).unwrap());
            asking.bind(format!("inproc://any_socket/{asking:?}")).unwrap();
            answering.connect(format!("inproc://any_socket/{asking:?}")).unwrap();
            std::thread::scope(|scope| {
                for worker in 0..3 {
                    let answering = &answering;
                    scope.spawn(move || {
                        while let Ok((question, reply)) = if worker == 0 {
                            smol::block_on(answering.accept_async())
                        } else {
                            answering.accept()
                        } {
                            reply.send(question).unwrap();
                        }
                    });
                }
                let callers = ["a", "b", "c"].map(|name| {
                    let asking = &asking;
                    scope.spawn(move || {
                        for number in 0..200 {
                            let question = format!("{name} {number}");
                            let answer = match asking.protocol() {
                                Protocol::Req => asking.request(&question).unwrap().wait(),
                                _ => asking.survey(&question).unwrap().next().unwrap(),
                            };
                            assert_eq!(answer.unwrap(), question);
                        }
                    })
                });
                let outcomes = callers.map(|caller| caller.join());
                answering.close().unwrap();
                outcomes.into_iter().for_each(|outcome| outcome.unwrap());
            });
        }
    }
}
