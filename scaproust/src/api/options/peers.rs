//! Options about the peers of a socket: which it accepts, and whether messages and events name them.

use crate::api::pattern::Pattern;
use crate::api::socket::Socket;
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value};
use crate::socket::PipeStatistics;

impl<P: Pattern> Socket<P> {
    fn get_bytes(&self, option: SocketOption) -> Result<Vec<u8>, Error> {
        match self.enter()?.option(option) {
            Value::Int(_) => Err(Error::UnknownOption),
            Value::Bytes(bytes) => Ok(bytes),
        }
    }

    /// Whether received messages name their peer: by default they do not.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(!scaproust::Pull::new()?.names_peers()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn names_peers(&self) -> Result<bool, Error> {
        self.get(SocketOption::PeerInfo).map(|value| value == 1)
    }

    /// Sets whether received messages name their peer; see [`Message::peer`](crate::Message::peer).
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pull::new()?;
    /// socket.set_names_peers(true)?;
    /// assert!(socket.names_peers()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_names_peers(&self, names_peers: bool) -> Result<(), Error> {
        self.set(SocketOption::PeerInfo, names_peers.into())
    }

    /// Ends one connection of the socket. What has not left this side is dropped, and what has arrived is still received. `pipe` is
    /// [`PeerInfo::pipe`](crate::PeerInfo::pipe) or [`SocketEvent::pipe`](crate::SocketEvent::pipe). The peer, or this
    /// side's endpoint, connects again as after any other loss of the connection.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such connection any more, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (worker, source) = (Pull::new()?, Push::new()?);
    /// worker.set_names_peers(true)?;
    /// worker.bind("inproc://doc/disconnect")?;
    /// source.connect("inproc://doc/disconnect")?;
    /// source.send(b"a task")?;
    /// let pipe = worker.recv()?.peer().unwrap().pipe;
    /// worker.disconnect(pipe)?;
    /// assert_eq!(worker.disconnect(pipe), Err(Error::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn disconnect(&self, pipe: u64) -> Result<(), Error> {
        self.enter()?.disconnect(pipe)
    }

    /// The messages of one connection of the socket; `pipe` is as for [`Socket::disconnect`]. They can be read at
    /// least until the last message of a connection that has ended is received.
    ///
    /// # Errors
    /// As [`Socket::disconnect`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (worker, source) = (Pull::new()?, Push::new()?);
    /// worker.set_names_peers(true)?;
    /// worker.bind("inproc://doc/pipe_statistics")?;
    /// source.connect("inproc://doc/pipe_statistics")?;
    /// source.send(b"a task")?;
    /// let pipe = worker.recv()?.peer().unwrap().pipe;
    /// let statistics = worker.pipe_statistics(pipe)?;
    /// assert_eq!((statistics.endpoint.get(), statistics.traffic.messages_received), (1, 1));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pipe_statistics(&self, pipe: u64) -> Result<PipeStatistics, Error> {
        self.enter()?.pipe_statistics(pipe)
    }

    /// The networks from which endpoints accept peers over tcp and ws; empty, the default: all.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(scaproust::Pull::new()?.accepted_networks()?.is_empty());
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn accepted_networks(&self) -> Result<String, Error> {
        self.get_bytes(SocketOption::TcpAccept).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Sets the networks from which endpoints bound afterwards accept peers over tcp and ws, such as
    /// `10.0.0.0/8, fd00::/8, 192.168.1.5`. A peer from elsewhere is disconnected before anything is said to it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one of them is no network, if there is none in a text that is not empty, or if the text
    /// is longer than 1,023 bytes; [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull};
    /// let socket = Pull::new()?;
    /// socket.set_accepted_networks("127.0.0.0/8")?;
    /// for wrong in ["localhost", ","] {
    ///     assert_eq!(socket.set_accepted_networks(wrong), Err(Error::InvalidArgument));
    /// }
    /// assert_eq!(socket.accepted_networks()?, "127.0.0.0/8");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_accepted_networks(&self, networks: &str) -> Result<(), Error> {
        self.enter()?.set_option(SocketOption::TcpAccept, Setting::Bytes(networks.as_bytes()))
    }

    /// Sets the user that peers of endpoints bound afterwards must have over ipc; `None`: any. A peer of another user is
    /// disconnected before anything is said to it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647, [`Error::NotSupported`] where ipc does not tell the user,
    /// [`Error::Closed`].
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// let socket = scaproust::Pull::new()?;
    /// socket.set_ipc_peer_user(Some(1000))?;
    /// # }
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_ipc_peer_user(&self, user: Option<u32>) -> Result<(), Error> {
        self.set_id(SocketOption::IpcPeerUser, user)
    }

    /// Sets the group that peers of endpoints bound afterwards must have over ipc; see
    /// [`Socket::set_ipc_peer_user`].
    ///
    /// # Errors
    /// As [`Socket::set_ipc_peer_user`].
    pub fn set_ipc_peer_group(&self, group: Option<u32>) -> Result<(), Error> {
        self.set_id(SocketOption::IpcPeerGroup, group)
    }

    fn set_id(&self, option: SocketOption, id: Option<u32>) -> Result<(), Error> {
        let id = id.map_or(Ok(-1), |id| i32::try_from(id).map_err(|_| Error::InvalidArgument))?;
        self.set(option, id)
    }

    /// The address at which the socket publishes its events; empty if it does not.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(scaproust::Pull::new()?.monitor()?.is_empty());
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn monitor(&self) -> Result<Vec<u8>, Error> {
        self.get_bytes(SocketOption::Monitor)
    }

    /// Has the socket publish its events at an inproc address, in place of the one before; with an empty address at none.
    /// Any number of [`Sub`](crate::Sub) sockets may connect to it; the first byte of a message is its
    /// [`EventKind`](crate::EventKind). [`Socket::events`] is simpler.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is no inproc address or has a zero byte, [`Error::AddressTooLong`], [`Error::AddressInUse`],
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{EventKind, Pull, SocketEvent, Sub};
    /// let (socket, subscriber) = (Pull::new()?, Sub::new()?);
    /// socket.set_monitor("inproc://doc/monitor")?;
    /// subscriber.connect("inproc://doc/monitor")?;
    /// subscriber.subscribe([EventKind::Listening as u8])?;
    /// socket.bind("inproc://doc/monitored")?;
    /// let event = SocketEvent::decode(&subscriber.recv()?).unwrap();
    /// assert_eq!(event.kind, EventKind::Listening);
    /// assert_eq!(event.local.as_deref(), Some(&b"inproc://doc/monitored"[..]));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_monitor(&self, address: impl AsRef<[u8]>) -> Result<(), Error> {
        self.enter()?.set_option(SocketOption::Monitor, Setting::Bytes(address.as_ref()))
    }
}
