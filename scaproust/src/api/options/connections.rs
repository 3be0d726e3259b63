//! The options of connections: probes of silent peers, and who may connect.

use std::time::Duration;

use super::super::pattern::Pattern;
use super::super::socket::Socket;
use super::{milliseconds, milliseconds_or};
use crate::error::Error;
use crate::option::{Setting, SocketOption};

/// How the system probes a peer of a TCP connection that is silent. The times have whole seconds, rounded up; zero
/// means the system's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keepalive {
    /// The silence before the first probe: up to 32,767 s.
    pub idle: Duration,
    /// The time between two probes: up to 32,767 s.
    pub interval: Duration,
    /// The number of unanswered probes that end the connection: up to 127.
    pub count: u8,
}

impl Keepalive {
    /// The options that switch it on.
    pub(in crate::api) fn settings(self) -> Result<[(SocketOption, i32); 4], Error> {
        Ok([
            (SocketOption::TcpKeepaliveIdle, seconds(self.idle)?),
            (SocketOption::TcpKeepaliveInterval, seconds(self.interval)?),
            (SocketOption::TcpKeepaliveCount, self.count.into()),
            (SocketOption::TcpKeepalive, 1),
        ])
    }
}

fn seconds(time: Duration) -> Result<i32, Error> {
    let whole = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    i32::try_from(whole).map_err(|_| Error::InvalidArgument)
}

impl<P: Pattern> Socket<P> {
    /// The time for which [`Socket::connect`] waits for a connection: zero by default; `None`: without limit.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(scaproust::Pair::new()?.connect_timeout()?, Some(Duration::ZERO));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn connect_timeout(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::ConnectTimeout)
    }

    /// Sets the time for which [`Socket::connect`] waits for a connection, in milliseconds, rounded up; `None`: without
    /// limit. Afterwards the first message that a PUB or BUS socket sends has a receiver.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use scaproust::{Error, Pair};
    /// let socket = Pair::new()?;
    /// socket.set_connect_timeout(Some(Duration::from_millis(5)))?;
    /// assert_eq!(socket.connect("inproc://doc/nobody").err(), Some(Error::TimedOut));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_connect_timeout(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::ConnectTimeout, milliseconds_or(time, -1)?)
    }

    /// How the system probes silent peers of tcp and ws; `None`, the default: it does not.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pair::new()?.tcp_keepalive()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn tcp_keepalive(&self) -> Result<Option<Keepalive>, Error> {
        if self.get(SocketOption::TcpKeepalive)? == 0 {
            return Ok(None);
        }
        let seconds = |option| self.get_size(option).map(|seconds| Duration::from_secs(seconds as u64));
        Ok(Some(Keepalive {
            idle: seconds(SocketOption::TcpKeepaliveIdle)?,
            interval: seconds(SocketOption::TcpKeepaliveInterval)?,
            count: self.get_priority(SocketOption::TcpKeepaliveCount)?,
        }))
    }

    /// Lets the system probe silent peers, for tcp and ws endpoints added afterwards.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a value that is out of range, [`Error::Closed`]. An error changes
    /// nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use scaproust::Keepalive;
    /// let socket = scaproust::Pair::new()?;
    /// let mut keepalive = Keepalive::default();
    /// keepalive.idle = Duration::from_secs(30);
    /// keepalive.count = 3;
    /// socket.set_tcp_keepalive(Some(keepalive))?;
    /// assert_eq!(socket.tcp_keepalive()?, Some(keepalive));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_tcp_keepalive(&self, keepalive: Option<Keepalive>) -> Result<(), Error> {
        let Some(keepalive) = keepalive else {
            return self.set(SocketOption::TcpKeepalive, 0);
        };
        let settings = keepalive.settings()?.map(|(option, value)| (option, Setting::Int(value)));
        self.enter()?.set_options(&settings)
    }

    /// The time for which bytes that were sent over tcp or ws may stay unacknowledged before the connection is ended;
    /// `None`, the default: the system decides.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] on systems other than Linux, [`Error::Closed`].
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(scaproust::Pair::new()?.tcp_user_timeout()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn tcp_user_timeout(&self) -> Result<Option<Duration>, Error> {
        let time = self.get_time(SocketOption::TcpUserTimeout)?;
        Ok(time.filter(|time| !time.is_zero()))
    }

    /// Sets the time for which bytes that were sent over tcp or ws may stay unacknowledged, in milliseconds, rounded
    /// up, for endpoints added afterwards. With `None`, or zero, the system decides: it takes a quarter of an hour.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::UnknownOption`] on systems other than Linux,
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[cfg(target_os = "linux")] {
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_tcp_user_timeout(Some(Duration::from_secs(20)))?;
    /// assert_eq!(socket.tcp_user_timeout()?, Some(Duration::from_secs(20)));
    /// # }
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_tcp_user_timeout(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::TcpUserTimeout, milliseconds(time.unwrap_or_default())?)
    }

    /// The permissions of the file of a bound ipc endpoint; `None`, the default: those that the process' umask
    /// leaves.
    ///
    /// # Errors
    /// [`Error::UnknownOption`] on Windows, [`Error::Closed`].
    ///
    /// ```
    /// # #[cfg(unix)]
    /// assert_eq!(scaproust::Pair::new()?.ipc_permissions()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn ipc_permissions(&self) -> Result<Option<u32>, Error> {
        let mode = self.get(SocketOption::IpcPermissions)?.unsigned_abs();
        Ok((mode != 0).then_some(mode))
    }

    /// Sets the permissions of the file of ipc endpoints bound afterwards: mode bits up to `0o777`. A process
    /// needs the permission to write to connect. With `None`, or zero, the process' umask decides.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for other bits, [`Error::UnknownOption`] on Windows, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pair};
    /// # #[cfg(unix)] {
    /// let socket = Pair::new()?;
    /// socket.set_ipc_permissions(Some(0o660))?;
    /// assert_eq!(socket.ipc_permissions()?, Some(0o660));
    /// assert_eq!(socket.set_ipc_permissions(Some(0o1777)), Err(Error::InvalidArgument));
    /// # }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_ipc_permissions(&self, mode: Option<u32>) -> Result<(), Error> {
        let mode = i32::try_from(mode.unwrap_or(0)).map_err(|_| Error::InvalidArgument)?;
        self.set(SocketOption::IpcPermissions, mode)
    }

    /// The bytes of a ring in shared memory for connections over ipc; `None`, the default unless the environment variable
    /// `NN_IPC_SHM` is set: connections have none.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # if std::env::var_os("NN_IPC_SHM").is_none() {
    /// assert_eq!(scaproust::Pair::new()?.ipc_shared_memory()?, None);
    /// # }
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn ipc_shared_memory(&self) -> Result<Option<u32>, Error> {
        let bytes = self.get(SocketOption::IpcSharedMemory)?.unsigned_abs();
        Ok((bytes != 0).then_some(bytes))
    }

    /// Sets the bytes of a ring in shared memory for connections over ipc of endpoints that are added afterwards. If both sides
    /// have set this and are on Linux, messages travel through two such rings, one for each direction, and not through a
    /// socket; the smaller size counts. Any other peer is served as without the option, and does not notice it.
    ///
    /// The number is rounded up to a power of two, and to 4096 at least; 1 MiB is a good choice. At most 64 connections of
    /// a socket have rings at a time. On other systems the option has no effect. [`PeerInfo::shared_memory`](crate::PeerInfo)
    /// tells which connections have rings.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for more than 64 MiB, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pull, Push};
    /// let (source, sink) = (Push::new()?, Pull::new()?);
    /// source.set_ipc_shared_memory(Some(1 << 20))?;
    /// sink.set_ipc_shared_memory(Some(1 << 20))?;
    /// # let address = format!("ipc://{}/scaproust-doc-shm-{}", std::env::temp_dir().display(), std::process::id());
    /// # #[cfg(unix)] {
    /// sink.bind(&address)?;
    /// source.connect(&address)?;
    /// source.send(vec![7; 100_000])?;
    /// assert_eq!(sink.recv()?.len(), 100_000);
    /// # }
    /// assert_eq!(sink.set_ipc_shared_memory(Some(1 << 27)), Err(Error::InvalidArgument));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_ipc_shared_memory(&self, bytes: Option<u32>) -> Result<(), Error> {
        let bytes = i32::try_from(bytes.unwrap_or(0)).map_err(|_| Error::InvalidArgument)?;
        self.set(SocketOption::IpcSharedMemory, bytes)
    }
}
