//! The options of single protocols.

use std::time::Duration;

use super::super::pattern;
use super::super::socket::Socket;
use super::milliseconds_or;
use crate::error::Error;
use crate::option::{Setting, time_limit};
use crate::protocol::{RESEND_INTERVAL, SUBSCRIBE, SURVEY_DEADLINE, UNSUBSCRIBE};

impl Socket<pattern::Sub> {
    /// Subscribes to messages that begin with `prefix`; an empty prefix subscribes to all messages.
    /// Without a subscription no message is received.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::Sub;
    /// Sub::new()?.subscribe(b"weather/")?;
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn subscribe(&self, prefix: &[u8]) -> Result<(), Error> {
        self.enter()?.set_protocol_option(SUBSCRIBE, Setting::Bytes(prefix))
    }

    /// Removes one subscription to `prefix`. If it was made twice, one of the two stays.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Error, Pub, Sub};
    /// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
    /// publisher.bind("inproc://doc/unsubscribe")?;
    /// subscriber.connect("inproc://doc/unsubscribe")?;
    /// subscriber.subscribe(b"a")?;
    /// subscriber.unsubscribe(b"a")?;
    /// publisher.send(b"abc")?;
    /// assert_eq!(subscriber.try_recv().err(), Some(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unsubscribe(&self, prefix: &[u8]) -> Result<(), Error> {
        self.enter()?.set_protocol_option(UNSUBSCRIBE, Setting::Bytes(prefix))
    }
}

impl Socket<pattern::Req> {
    /// The time after which a request without a reply is sent again: 60 s by default; `None`: never.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(scaproust::Req::new()?.resend_interval()?, Some(Duration::from_secs(60)));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn resend_interval(&self) -> Result<Option<Duration>, Error> {
        let milliseconds = self.enter()?.protocol_option(RESEND_INTERVAL)?;
        Ok(time_limit(milliseconds).filter(|time| !time.is_zero()))
    }

    /// Sets the time after which a request without a reply is sent again, in milliseconds, rounded up,
    /// for requests sent afterwards. With `None`, or zero, a request is sent again only when its
    /// connection is lost.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Req::new()?;
    /// socket.set_resend_interval(None)?;
    /// assert_eq!(socket.resend_interval()?, None);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_resend_interval(&self, time: Option<Duration>) -> Result<(), Error> {
        let milliseconds = milliseconds_or(time, 0)?;
        self.enter()?.set_protocol_option(RESEND_INTERVAL, Setting::Int(milliseconds))
    }
}

impl Socket<pattern::Surveyor> {
    /// The time from a survey to its deadline: one second by default; `None`: no deadline.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(scaproust::Surveyor::new()?.survey_deadline()?, Some(Duration::from_secs(1)));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn survey_deadline(&self) -> Result<Option<Duration>, Error> {
        let milliseconds = self.enter()?.protocol_option(SURVEY_DEADLINE)?;
        Ok(time_limit(milliseconds))
    }

    /// Sets the time from a survey to its deadline, in milliseconds, rounded up, for surveys sent
    /// afterwards. `None`: no deadline.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = scaproust::Surveyor::new()?;
    /// socket.set_survey_deadline(Some(Duration::from_millis(20)))?;
    /// socket.send(b"is anybody there?")?;
    /// assert_eq!(socket.recv().map(|_| ()), Err(scaproust::Error::TimedOut));
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_survey_deadline(&self, time: Option<Duration>) -> Result<(), Error> {
        let milliseconds = milliseconds_or(time, -1)?;
        self.enter()?.set_protocol_option(SURVEY_DEADLINE, Setting::Int(milliseconds))
    }
}
