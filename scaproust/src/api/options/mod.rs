//! Options, as methods with types: times are durations, and `None` means without limit.
//!
//! The option table has the ranges and defaults. This file has the options of every socket; the files
//! beside it have those of sockets that send, of sockets that receive, and of single protocols.

mod connections;
mod peers;
mod protocols;
mod receiving;
mod sending;

pub use connections::Keepalive;
use std::time::Duration;

use super::pattern::Pattern;
use super::socket::Socket;
use crate::error::Error;
use crate::option::{Setting, SocketOption, Value, time_limit};

/// A time in whole milliseconds, rounded up, so that a short time does not become zero.
pub(super) fn milliseconds(time: Duration) -> Result<i32, Error> {
    let whole = time.as_nanos().div_ceil(1_000_000);
    i32::try_from(whole).map_err(|_| Error::InvalidArgument)
}

/// A time, or the number `none` for `None`.
pub(super) fn milliseconds_or(time: Option<Duration>, none: i32) -> Result<i32, Error> {
    time.map_or(Ok(none), milliseconds)
}

fn size(bytes: usize) -> Result<i32, Error> {
    i32::try_from(bytes).map_err(|_| Error::InvalidArgument)
}

impl<P: Pattern> Socket<P> {
    fn get(&self, option: SocketOption) -> Result<i32, Error> {
        let socket = self.enter()?;
        match socket.option(option) {
            _ if !socket.has_option(option) => Err(Error::UnknownOption),
            Value::Int(value) => Ok(value),
            Value::Bytes(_) => Err(Error::UnknownOption),
        }
    }

    fn set(&self, option: SocketOption, value: i32) -> Result<(), Error> {
        self.enter()?.set_option(option, Setting::Int(value))
    }

    /// A number that cannot be negative.
    fn get_size(&self, option: SocketOption) -> Result<usize, Error> {
        self.get(option).map(|value| usize::try_from(value).unwrap_or(0))
    }

    /// A time; `None` if it is negative.
    fn get_time(&self, option: SocketOption) -> Result<Option<Duration>, Error> {
        self.get(option).map(time_limit)
    }

    fn get_priority(&self, option: SocketOption) -> Result<u8, Error> {
        self.get(option).map(|value| u8::try_from(value).unwrap_or(u8::MAX))
    }

    /// The time for which closing the socket continues to deliver messages already sent: 1 s by default;
    /// `None`: without limit.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = scaproust::Pair::new()?;
    /// assert_eq!(socket.linger()?, Some(Duration::from_secs(1)));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn linger(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::Linger)
    }

    /// Sets the time for which closing the socket continues to deliver messages already sent, in
    /// milliseconds, rounded up. `None`: without limit; zero: do not wait.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = scaproust::Push::new()?;
    /// socket.set_linger(None)?;
    /// assert_eq!(socket.linger()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_linger(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::Linger, milliseconds_or(time, -1)?)
    }

    /// The wait before the first attempt to connect again: 100 ms by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(scaproust::Pair::new()?.reconnect_interval()?, Duration::from_millis(100));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn reconnect_interval(&self) -> Result<Duration, Error> {
        self.get_time(SocketOption::ReconnectInterval).map(Option::unwrap_or_default)
    }

    /// Sets the wait before the first attempt to connect again, in milliseconds, rounded up, for
    /// endpoints added afterwards.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_reconnect_interval(Duration::from_millis(20))?;
    /// assert_eq!(socket.reconnect_interval()?, Duration::from_millis(20));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_reconnect_interval(&self, time: Duration) -> Result<(), Error> {
        self.set(SocketOption::ReconnectInterval, milliseconds(time)?)
    }

    /// The longest wait between two attempts to connect; `None` if the wait stays the same.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Pair::new()?.reconnect_interval_max()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn reconnect_interval_max(&self) -> Result<Option<Duration>, Error> {
        self.get_time(SocketOption::ReconnectIntervalMax).map(|time| time.filter(|time| !time.is_zero()))
    }

    /// Sets the longest wait between two attempts to connect, in milliseconds, rounded up, for
    /// endpoints added afterwards: the wait doubles with each failure, up to this time. With `None`, or
    /// zero, it stays the same.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_reconnect_interval_max(Some(Duration::from_secs(5)))?;
    /// assert_eq!(socket.reconnect_interval_max()?, Some(Duration::from_secs(5)));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_reconnect_interval_max(&self, time: Option<Duration>) -> Result<(), Error> {
        self.set(SocketOption::ReconnectIntervalMax, milliseconds_or(time, 0)?)
    }

    /// Whether only IPv4 addresses are used.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(scaproust::Pair::new()?.ipv4_only()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn ipv4_only(&self) -> Result<bool, Error> {
        self.get(SocketOption::Ipv4Only).map(|value| value == 1)
    }

    /// Sets whether endpoints added afterwards use only IPv4 addresses.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_ipv4_only(false)?;
    /// assert!(!socket.ipv4_only()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_ipv4_only(&self, ipv4_only: bool) -> Result<(), Error> {
        self.set(SocketOption::Ipv4Only, ipv4_only.into())
    }

    /// The value that [`Socket::set_tcp_nodelay`] has set. Until it is called this is `false`, but
    /// `TCP_NODELAY` is on.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(!scaproust::Pair::new()?.tcp_nodelay()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn tcp_nodelay(&self) -> Result<bool, Error> {
        self.get(SocketOption::TcpNodelay).map(|value| value == 1)
    }

    /// Sets `TCP_NODELAY` for connections made afterwards. When it is off, a small message may wait until
    /// the peer has acknowledged the one before, which can take 40 ms.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_tcp_nodelay(true)?;
    /// assert!(socket.tcp_nodelay()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_tcp_nodelay(&self, nodelay: bool) -> Result<(), Error> {
        self.set(SocketOption::TcpNodelay, nodelay.into())
    }

    /// The most hops that a message may have made over devices: 8 by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert_eq!(scaproust::Rep::new()?.max_hops()?, 8);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn max_hops(&self) -> Result<u8, Error> {
        self.get_priority(SocketOption::MaxHops)
    }

    /// Sets the most hops that a message may have made: 1 to 255. A message with more is dropped.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for zero, [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Rep};
    /// let socket = Rep::new()?;
    /// socket.set_max_hops(3)?;
    /// assert_eq!(socket.set_max_hops(0), Err(Error::InvalidArgument));
    /// assert_eq!(socket.max_hops()?, 3);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_max_hops(&self, hops: u8) -> Result<(), Error> {
        self.set(SocketOption::MaxHops, hops.into())
    }

    /// The name of the socket in printed errors: its number by default. Bytes that are not UTF-8, which C
    /// code may have set, are replaced.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(scaproust::Pair::new()?.name()?.parse::<u32>().is_ok());
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn name(&self) -> Result<String, Error> {
        match self.enter()?.option(SocketOption::SocketName) {
            Value::Bytes(name) => Ok(String::from_utf8_lossy(&name).into_owned()),
            Value::Int(_) => Err(Error::UnknownOption),
        }
    }

    /// Sets the name of the socket in printed errors: at most 63 bytes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a longer name, [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Pair::new()?;
    /// socket.set_name("upstream")?;
    /// assert_eq!(socket.name()?, "upstream");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_name(&self, name: impl AsRef<[u8]>) -> Result<(), Error> {
        self.enter()?.set_option(SocketOption::SocketName, Setting::Bytes(name.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Pull, Push};

    #[test]
    fn times_are_rounded_up_and_have_a_limit() {
        assert_eq!(milliseconds(Duration::from_micros(1)), Ok(1));
        assert_eq!(milliseconds(Duration::from_micros(2_000)), Ok(2));
        assert_eq!(milliseconds(Duration::from_millis(2_147_483_647)), Ok(i32::MAX));
        assert_eq!(milliseconds(Duration::from_millis(2_147_483_648)), Err(Error::InvalidArgument));
        assert_eq!(milliseconds(Duration::MAX), Err(Error::InvalidArgument));
        assert_eq!(milliseconds_or(None, -1), Ok(-1));
    }

    #[test]
    fn inproc_adds_both_buffers_unless_the_receive_buffer_is_set() {
        for (set, bound) in [(None, 131_072 + 1000_usize), (Some(131_072), 131_072), (Some(500), 500)] {
            let (push, pull) = (Push::new().unwrap(), Pull::new().unwrap());
            push.set_send_buffer(1000).unwrap();
            set.into_iter().for_each(|bytes| pull.set_recv_buffer(bytes).unwrap());
            pull.bind("inproc://options/both_buffers").unwrap();
            push.connect("inproc://options/both_buffers").unwrap();
            let taken = (0..).take_while(|_| push.try_send([0; 100]).is_ok()).count();
            // A message of 100 bytes occupies 112 bytes, but small bounds count its length only.
            assert_eq!(taken, bound.div_ceil(if bound > 1024 { 112 } else { 100 }));
        }
    }
}
