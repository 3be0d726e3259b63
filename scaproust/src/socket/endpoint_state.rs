//! The state of an endpoint, for statistics and error messages.

use std::sync::Arc;

use smallvec::SmallVec;

use super::statistics::{Statistic, Statistics};
use crate::error::Error;
use crate::sync::{Mutex, rank};
use crate::transport::EndpointEvent;

/// The state of an endpoint, shared by its socket and its transport. This lock is taken before the socket's.
pub(super) type SharedEndpointState = Arc<Mutex<EndpointState, rank::Endpoint>>;

/// The state of one endpoint. It is changed under the socket's lock, together with the statistics, which sum
/// up the states of all endpoints.
#[derive(Debug, Default)]
pub(super) struct EndpointState {
    is_connecting: bool,
    /// The errors since the endpoint last had a connection, each once.
    errors: SmallVec<[Error; 1]>,
    /// The endpoint was shut down. Its last connection may still report its end, and its last attempt its
    /// outcome.
    has_ended: bool,
}

impl EndpointState {
    /// Whether an event that the transport is about to report is the first one of an attempt to connect. An attempt that
    /// succeeds or fails at once has no [`EndpointEvent::Connecting`].
    pub(super) fn begins_attempt(&self, event: EndpointEvent) -> bool {
        match event {
            EndpointEvent::Connecting => true,
            EndpointEvent::Connected | EndpointEvent::ConnectFailed(_) => !self.is_connecting,
            _ => false,
        }
    }

    /// Counts an event that the transport reports. Returns an error that has not been reported before.
    pub(super) fn report(&mut self, event: EndpointEvent, statistics: &mut Statistics) -> Option<Error> {
        statistics.count(event);
        let error = match event {
            _ if self.has_ended => return None,
            EndpointEvent::Connecting => {
                self.set_connecting(true, statistics);
                None
            }
            EndpointEvent::Connected | EndpointEvent::Accepted => {
                self.set_connecting(false, statistics);
                self.clear_errors(statistics);
                None
            }
            EndpointEvent::ConnectFailed(error) => {
                self.set_connecting(false, statistics);
                Some(error)
            }
            EndpointEvent::AcceptFailed(error) => Some(error),
            EndpointEvent::Dropped
            | EndpointEvent::Broken
            | EndpointEvent::Listening
            | EndpointEvent::Retry(..)
            | EndpointEvent::Unopened { .. } => None,
        };
        let new_error = error.filter(|error| !self.errors.contains(error))?;
        statistics[Statistic::Failing] += u64::from(self.errors.is_empty());
        self.errors.push(new_error);
        Some(new_error)
    }

    /// Whether the endpoint is making a connection.
    pub(super) fn is_connecting(&self) -> bool {
        self.is_connecting
    }

    /// The last error since the endpoint last had a connection that was not there before.
    pub(super) fn last_error(&self) -> Option<Error> {
        self.errors.last().copied()
    }

    /// The endpoint was shut down: it no longer counts as connecting or failing.
    pub(super) fn end(&mut self, statistics: &mut Statistics) {
        self.set_connecting(false, statistics);
        self.clear_errors(statistics);
        self.has_ended = true;
    }

    fn set_connecting(&mut self, is_connecting: bool, statistics: &mut Statistics) {
        statistics[Statistic::Connecting] -= u64::from(self.is_connecting);
        statistics[Statistic::Connecting] += u64::from(is_connecting);
        self.is_connecting = is_connecting;
    }

    fn clear_errors(&mut self, statistics: &mut Statistics) {
        statistics[Statistic::Failing] -= u64::from(!self.errors.is_empty());
        self.errors.clear();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const REFUSED: Error = Error::Os(libc::ECONNREFUSED);
    const UNREACHABLE: Error = Error::Os(libc::ENETUNREACH);

    #[test]
    fn an_error_is_new_once_until_the_endpoint_works_again() {
        let (mut statistics, mut one, mut other) =
            (Statistics::default(), EndpointState::default(), EndpointState::default());
        assert_eq!(one.report(EndpointEvent::ConnectFailed(REFUSED), &mut statistics), Some(REFUSED));
        // A name with several addresses, which fail in different ways again and again.
        assert_eq!(one.report(EndpointEvent::ConnectFailed(UNREACHABLE), &mut statistics), Some(UNREACHABLE));
        assert_eq!(one.report(EndpointEvent::ConnectFailed(REFUSED), &mut statistics), None);
        assert_eq!(other.report(EndpointEvent::AcceptFailed(REFUSED), &mut statistics), Some(REFUSED));
        assert_eq!(statistics[Statistic::Failing], 2);
        assert_eq!(one.report(EndpointEvent::Connected, &mut statistics), None);
        assert_eq!(other.report(EndpointEvent::Accepted, &mut statistics), None);
        assert_eq!(statistics[Statistic::Failing], 0);
        assert_eq!(one.report(EndpointEvent::ConnectFailed(REFUSED), &mut statistics), Some(REFUSED));
        one.end(&mut statistics);
        assert_eq!(one.report(EndpointEvent::ConnectFailed(UNREACHABLE), &mut statistics), None);
        assert_eq!(statistics[Statistic::Failing], 0);
    }

    #[test]
    fn an_endpoint_is_connecting_once_and_not_after_its_end() {
        let (mut statistics, mut one, mut other) =
            (Statistics::default(), EndpointState::default(), EndpointState::default());
        // A name that cannot be resolved fails before it begins to connect.
        other.report(EndpointEvent::Connecting, &mut statistics);
        one.report(EndpointEvent::ConnectFailed(UNREACHABLE), &mut statistics);
        assert_eq!(statistics[Statistic::Connecting], 1);
        one.report(EndpointEvent::Connecting, &mut statistics);
        assert_eq!(statistics[Statistic::Connecting], 2);
        one.end(&mut statistics);
        // Another thread was about to connect.
        one.report(EndpointEvent::Connecting, &mut statistics);
        other.report(EndpointEvent::Connected, &mut statistics);
        assert_eq!(statistics[Statistic::Connecting], 0);
    }
}
