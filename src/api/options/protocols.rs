//! The options that belong to one protocol.

use std::time::Duration;

use super::super::pattern;
use super::super::socket::Socket;
use super::milliseconds_or;
use crate::error::Error;
use crate::option::Setting;
use crate::protocol::{RESEND_INTERVAL, SUBSCRIBE, SURVEY_DEADLINE, UNSUBSCRIBE};

impl Socket<pattern::Sub> {
    /// Subscribes to the messages that begin with `prefix`; an empty one subscribes to all.
    /// Without a subscription nothing is received.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use nanomsg::Sub;
    /// Sub::new()?.subscribe(b"weather/")?;
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn subscribe(&self, prefix: &[u8]) -> Result<(), Error> {
        self.enter()?.set_protocol_option(SUBSCRIBE, Setting::Bytes(prefix))
    }

    /// Takes one subscription to `prefix` back. One that was made twice is still there once.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use nanomsg::{Error, Pub, Sub};
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
    /// After which time without a reply a request is sent again: 60 s, unless it was set; `None`
    /// if it is not.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(nanomsg::Req::new()?.resend_interval()?, Some(Duration::from_secs(60)));
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn resend_interval(&self) -> Result<Option<Duration>, Error> {
        let milliseconds = self.enter()?.protocol_option(RESEND_INTERVAL)?;
        Ok(u64::try_from(milliseconds).ok().filter(|time| *time > 0).map(Duration::from_millis))
    }

    /// Sets after which time without a reply a request is sent again, in milliseconds, rounded
    /// up, for the requests that are sent from now on. With `None`, or zero, it is sent again
    /// only when the peer that has it goes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// let socket = nanomsg::Req::new()?;
    /// socket.set_resend_interval(None)?;
    /// assert_eq!(socket.resend_interval()?, None);
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn set_resend_interval(&self, time: Option<Duration>) -> Result<(), Error> {
        let milliseconds = milliseconds_or(time, 0)?;
        self.enter()?.set_protocol_option(RESEND_INTERVAL, Setting::Int(milliseconds))
    }
}

impl Socket<pattern::Surveyor> {
    /// How long a survey lasts: one second, unless it was set; `None` for ever.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// assert_eq!(nanomsg::Surveyor::new()?.survey_deadline()?, Some(Duration::from_secs(1)));
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn survey_deadline(&self) -> Result<Option<Duration>, Error> {
        let milliseconds = self.enter()?.protocol_option(SURVEY_DEADLINE)?;
        Ok(u64::try_from(milliseconds).ok().map(Duration::from_millis))
    }

    /// Sets how long a survey lasts, in milliseconds, rounded up, for the surveys that are sent
    /// from now on; `None` for ever.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] above 2,147,483,647 ms, [`Error::Closed`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// let socket = nanomsg::Surveyor::new()?;
    /// socket.set_survey_deadline(Some(Duration::from_millis(20)))?;
    /// socket.send(b"is anybody there?")?;
    /// assert_eq!(socket.recv().map(|_| ()), Err(nanomsg::Error::TimedOut));
    /// # Ok::<(), nanomsg::Error>(())
    /// ```
    pub fn set_survey_deadline(&self, time: Option<Duration>) -> Result<(), Error> {
        let milliseconds = milliseconds_or(time, -1)?;
        self.enter()?.set_protocol_option(SURVEY_DEADLINE, Setting::Int(milliseconds))
    }
}
