//! Queries: whether a message could be sent or received now, and the statistics.

use super::Socket;
use super::core::Core;
use super::statistics::Statistic;
use super::traffic::{EndpointStatistics, PipeStatistics};
use super::view::View;
use super::wait_policy::DROP_TIME;
use crate::error::Error;
use crate::pipe::Edges;
use crate::protocol::{Machine, PipeId, Protocol};
use crate::sync::now;

impl Socket {
    /// Whether a message could be sent without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while the socket is being closed.
    pub fn can_send(&self) -> Result<bool, Error> {
        self.ask(|protocol, context| protocol.can_send(context))
    }

    /// Whether a message could be received without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while the socket is being closed.
    pub fn can_recv(&self) -> Result<bool, Error> {
        if self.ask_until_sure(|protocol, context| protocol.can_recv(context))? {
            return Ok(true);
        }
        let direct_reads = {
            let mut core = self.core.lock();
            if core.reads_directly { core.direct_reads() } else { return Ok(false) }
        };
        self.fetch_if_leased(&direct_reads);
        self.ask_until_sure(|protocol, context| protocol.can_recv(context))
    }

    /// Asks the protocol a question. Asks again after a no at the drop limit, for at most [`DROP_TIME`].
    fn ask_until_sure(&self, question: impl Fn(&mut Machine, &mut View<'_>) -> bool) -> Result<bool, Error> {
        let end = now() + DROP_TIME;
        loop {
            let (answer, is_sure) = self.ask_once(&question)?;
            if answer || is_sure || end <= now() {
                return Ok(answer);
            }
        }
    }

    /// Asks the protocol a question whose answer needs no message to be dropped.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut Machine, &mut View<'_>) -> R) -> Result<R, Error> {
        self.ask_once(question).map(|(answer, _)| answer)
    }

    /// Asks the protocol a question. Returns the answer, and whether it is certain: the protocol has not hit
    /// the drop limit.
    fn ask_once<R>(
        &self,
        question: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> Result<(R, bool), Error> {
        let mut edges = Edges::default();
        let answer = {
            let mut core = self.lock()?;
            let owner = core.owner;
            core.allow_more_drops();
            core.process_ready(&owner.ready, &mut edges);
            let answer = core.call(&mut edges, question);
            let is_sure = !core.hit_drop_limit();
            // The descriptors for polling must agree with the answer.
            owner.process_ready(&mut core, &mut edges);
            (answer, is_sure)
        };
        edges.deliver();
        Ok(answer)
    }

    /// The value of a statistic.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn statistic(&self, statistic: Statistic) -> Result<u64, Error> {
        if statistic == Statistic::SendPriority {
            let priority = self.ask(|protocol, context| protocol.send_priority(context))?;
            return Ok(priority.map_or(0, u64::from));
        }
        if let Some(parent) = self.parent() {
            return parent.statistic(statistic);
        }
        Ok(self.observe(|core| core.statistic(statistic)))
    }

    /// The statistics of an endpoint; for a context, those of its parent's.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when there is no such endpoint.
    pub fn endpoint_statistics(&self, endpoint: i32) -> Result<EndpointStatistics, Error> {
        let owner = self.parent().unwrap_or(self);
        owner.observe(|core| core.endpoint_statistics(endpoint)).ok_or(Error::InvalidArgument)
    }

    /// The statistics of the connection with this number.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such connection, and no message of it can be received any more.
    pub fn pipe_statistics(&self, pipe: u64) -> Result<PipeStatistics, Error> {
        let id = u32::try_from(pipe).map(PipeId).map_err(|_| Error::InvalidArgument)?;
        let owner = self.parent().unwrap_or(self);
        owner.observe(|core| core.pipe_statistics(id)).ok_or(Error::InvalidArgument)
    }

    /// Looks at the state, in which a connection counts as soon as a call could use it.
    pub(super) fn observe<R>(&self, look: impl FnOnce(&mut Core) -> R) -> R {
        let mut edges = Edges::default();
        let result = {
            let mut core = self.core.lock();
            if !core.is_closing {
                self.process_ready(&mut core, &mut edges);
            }
            look(&mut core)
        };
        edges.deliver();
        result
    }
}
