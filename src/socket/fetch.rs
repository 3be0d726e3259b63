//! Receiving without another thread: a call that would sleep reads from the connections itself.
//!
//! Owns how a blocked receiver waits. It borrows the reading of its socket's connections, waits
//! for their descriptors and for the socket's event, and reads into the lanes; after that it is as
//! if the I/O thread had done so. One thread of a socket does this, the others sleep. Sockets with
//! many connections, and those whose descriptors somebody polls, leave reading to the I/O thread.

use std::sync::Arc;

use smallvec::SmallVec;

use super::transfer::Patience;
use super::{Core, Socket};
use crate::error::Error;
use crate::pipe::Remote;
use crate::sync::{Ticket, Watched};

/// With more connections than this, waiting for all of them costs more than another thread.
const MOST: usize = 16;

/// The connections of a socket that are worth reading from.
pub(super) type Remotes = SmallVec<[Arc<dyn Remote>; 2]>;

impl Core {
    /// The connections that a call may read from itself.
    pub(super) fn remotes(&self) -> Remotes {
        if self.receivable.is_some() || self.pipes.open() > MOST {
            return Remotes::new();
        }
        self.pipes.peers().filter_map(|peer| peer.clone().remote()).collect()
    }

    /// As `remotes`, and remembers that a call is going to borrow from them.
    pub(super) fn lend(&mut self) -> Remotes {
        let remotes = self.remotes();
        self.fetches = !remotes.is_empty();
        remotes
    }
}

/// Connections whose reading was borrowed; it is given back when this goes.
struct Borrowed {
    remotes: Remotes,
    watched: SmallVec<[Watched; 2]>,
}

impl Borrowed {
    fn from(mut remotes: Remotes) -> Borrowed {
        let mut watched = SmallVec::new();
        remotes.retain(|remote| {
            let descriptor = remote.clone().borrow();
            watched.extend(descriptor.map(|descriptor| Watched { descriptor, is_ready: false }));
            descriptor.is_some()
        });
        Borrowed { remotes, watched }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        for remote in self.remotes.drain(..) {
            remote.give_back();
        }
    }
}

impl Socket {
    /// Waits until there may be a message that was not there when the ticket was drawn.
    ///
    /// # Errors
    /// [`Error::TimedOut`], or [`Error::Interrupted`].
    pub(super) fn await_message(
        &self,
        remotes: Remotes,
        ticket: Ticket,
        patience: &Patience,
    ) -> Result<(), Error> {
        let watch = if remotes.is_empty() { None } else { self.receivers.watch() };
        let Some(watch) = watch else { return patience.wait(&self.receivers, ticket) };
        let Borrowed { remotes, watched } = &mut Borrowed::from(remotes);
        let fetch = || remotes.iter().for_each(|remote| remote.clone().fetch());
        fetch();
        if self.receivers.has_changed(ticket) {
            return Ok(());
        }
        patience.result(watch.wait(ticket, patience.deadline, watched, fetch))?;
        for (remote, _) in remotes.iter().zip(watched).filter(|(_, watched)| watched.is_ready) {
            remote.clone().fetch();
        }
        Ok(())
    }

    /// Reads from the connections that are not read in the background, for a call that does not
    /// wait.
    pub(super) fn fetch_borrowed(&self, remotes: Remotes) {
        let mut any = false;
        for remote in remotes {
            any |= remote.fetch_if_borrowed();
        }
        if !any {
            // A call may be about to borrow. Then what comes is read when that call ends, or
            // shortly after by the I/O thread, as if this call had come a moment earlier.
            self.core.lock().fetches = false;
        }
    }
}
