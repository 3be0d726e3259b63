//! Queries: whether a message could be sent or received now, and the statistics.

use super::Socket;
use super::pipes::View;
use super::statistics::Statistic;
use super::wait_policy::DROPPING;
use crate::error::Error;
use crate::pipe::Edges;
use crate::protocol::{Machine, Protocol};
use crate::sync::now;

impl Socket {
    /// Whether a message would be sent without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while it is being closed.
    pub fn can_send(&self) -> Result<bool, Error> {
        self.ask(|protocol, context| protocol.can_send(context))
    }

    /// Whether a message would be received without waiting.
    ///
    /// # Errors
    /// [`Error::Closed`] while it is being closed.
    pub fn can_recv(&self) -> Result<bool, Error> {
        if self.ask_until_sure(|protocol, context| protocol.can_recv(context))? {
            return Ok(true);
        }
        let direct_reads = {
            let mut core = self.core.lock();
            if core.fetches { core.direct_reads() } else { return Ok(false) }
        };
        self.fetch_borrowed(direct_reads);
        self.ask_until_sure(|protocol, context| protocol.can_recv(context))
    }

    /// Asks the protocol something. If it is cut short, it says no and is asked again, for a while.
    fn ask_until_sure(&self, question: impl Fn(&mut Machine, &mut View<'_>) -> bool) -> Result<bool, Error> {
        let end = now() + DROPPING;
        loop {
            let (answer, is_sure) = self.ask_once(&question)?;
            if answer || is_sure || end <= now() {
                return Ok(answer);
            }
        }
    }

    /// Asks the protocol something that no message needs to be dropped for.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut Machine, &mut View<'_>) -> R) -> Result<R, Error> {
        self.ask_once(question).map(|(answer, _)| answer)
    }

    /// Asks the protocol something. Answers also whether it was not cut short.
    fn ask_once<R>(
        &self,
        question: impl FnOnce(&mut Machine, &mut View<'_>) -> R,
    ) -> Result<(R, bool), Error> {
        let mut edges = Edges::default();
        let answer = {
            let mut core = self.core.lock();
            if core.is_closing {
                return Err(Error::Closed);
            }
            core.allow_drops();
            core.process_ready(&self.ready, &mut edges);
            let answer = core.call(&mut edges, question);
            let is_sure = !core.is_cut_short();
            // Who polls the descriptor after a no must find it saying the same.
            self.process_ready(&mut core, &mut edges);
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
        let mut edges = Edges::default();
        let value = {
            let mut core = self.core.lock();
            if !core.is_closing {
                // A connection counts as soon as a call would use it.
                self.process_ready(&mut core, &mut edges);
            }
            match statistic {
                Statistic::Connections => core.pipes.ready() as u64,
                counter => core.statistics[counter],
            }
        };
        edges.deliver();
        Ok(value)
    }
}
