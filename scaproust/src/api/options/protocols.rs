//! The options of single protocols.

use std::time::Duration;

use super::super::pattern;
use super::super::socket::Socket;
use super::milliseconds_or;
use crate::error::Error;
use crate::option::{Setting, time_limit};
use crate::protocol::{FILTER, RESEND_INTERVAL, SUBSCRIBE, SURVEY_DEADLINE, UNSUBSCRIBE};

impl Socket<pattern::Pub> {
    /// Whether subscribers that have [`Socket::set_filter_upstream`] get only the messages that they have subscribed to;
    /// `false` by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(!scaproust::Pub::new()?.filter()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn filter(&self) -> Result<bool, Error> {
        Ok(self.enter()?.protocol_option(FILTER)? == 1)
    }

    /// Sets whether subscribers that have [`Socket::set_filter_upstream`] get only the messages that they have subscribed
    /// to. It holds for connections that are made afterwards.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::{Pub, Sub};
    /// let (publisher, subscriber) = (Pub::new()?, Sub::new()?);
    /// publisher.set_filter(true)?;
    /// subscriber.set_filter_upstream(true)?;
    /// subscriber.subscribe("weather/")?;
    /// publisher.bind("inproc://doc/filter")?;
    /// subscriber.connect("inproc://doc/filter")?;
    /// publisher.send(b"sports/2:1")?; // Is not sent.
    /// publisher.send(b"weather/rain")?;
    /// assert_eq!(*subscriber.recv()?, *b"weather/rain");
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_filter(&self, filters: bool) -> Result<(), Error> {
        self.enter()?.set_protocol_option(FILTER, Setting::Int(filters.into()))
    }
}

impl Socket<pattern::Sub> {
    /// Whether subscriptions are sent to publishers that filter; `false` by default.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// assert!(!scaproust::Sub::new()?.filter_upstream()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn filter_upstream(&self) -> Result<bool, Error> {
        Ok(self.enter()?.protocol_option(FILTER)? == 1)
    }

    /// Sets whether subscriptions are sent to publishers that filter ([`Socket::set_filter`]), so that unwanted messages do
    /// not use the network. It holds for connections that are made afterwards. Other publishers, also those of other
    /// libraries, send everything, as always.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// let socket = scaproust::Sub::new()?;
    /// socket.set_filter_upstream(true)?;
    /// assert!(socket.filter_upstream()?);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_filter_upstream(&self, filters: bool) -> Result<(), Error> {
        self.enter()?.set_protocol_option(FILTER, Setting::Int(filters.into()))
    }

    /// Subscribes to messages that begin with `prefix`, text or bytes; an empty prefix subscribes to all messages.
    /// Without a subscription no message is received.
    ///
    /// # Errors
    /// [`Error::Closed`].
    ///
    /// ```
    /// # use scaproust::Sub;
    /// Sub::new()?.subscribe("weather/")?;
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.enter()?.set_protocol_option(SUBSCRIBE, Setting::Bytes(prefix.as_ref()))
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
    /// subscriber.subscribe("a")?;
    /// subscriber.unsubscribe("a")?;
    /// publisher.send(b"abc")?;
    /// assert_eq!(subscriber.try_recv().err(), Some(Error::WouldBlock));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), Error> {
        self.enter()?.set_protocol_option(UNSUBSCRIBE, Setting::Bytes(prefix.as_ref()))
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
    /// assert_eq!(socket.survey("is anybody there?")?.count(), 0);
    /// # Ok::<(), scaproust::Error>(())
    /// ```
    pub fn set_survey_deadline(&self, time: Option<Duration>) -> Result<(), Error> {
        let milliseconds = milliseconds_or(time, -1)?;
        self.enter()?.set_protocol_option(SURVEY_DEADLINE, Setting::Int(milliseconds))
    }
}
