//! Calls that concern one conversation of a socket: the reply to any request that was received, and the end of a request or
//! survey that nothing is expected of any more.

use super::lending::own_long;
use super::registry::SocketRef;
use super::view::ReceiverCheck;
use crate::error::Error;
use crate::message::Outgoing;
use crate::pipe::Edges;
use crate::protocol::{Protocol, ReplyRoute};
use crate::sync::run_then_wake;

/// Sends the reply to a request that this socket has received, on its route. Never blocks: the reply is dropped if the
/// connection of the request is closed or has no room.
///
/// # Errors
/// [`Error::Closed`], [`Error::OutOfMemory`].
pub(crate) fn reply_at(
    socket: &SocketRef,
    route: ReplyRoute,
    message: &mut Outgoing<'_>,
) -> Result<(), Error> {
    own_long(&mut message.body)?;
    let call = socket.enter_locked()?;
    // SAFETY: the call has taken the lock by entering.
    let own = unsafe { call.core.assume_locked() };
    let mut core = call.lock_more(own)?;
    let owner = core.owner;
    let mut edges = Edges::default();
    let mut route = Some(route);
    let outcome =
        owner.try_send_by(&mut core, message, ReceiverCheck::NONE, &mut edges, |_, message, context| {
            ReplyRoute::reply(&mut route, message, context)
        });
    if core.is_context {
        drop(core);
        drop(call);
    } else {
        core.keep_locked();
        call.unlock_and_leave();
    }
    edges.deliver_and_wake();
    outcome.map(drop)
}

/// Gives up the open request or survey of a socket or context. Does nothing if the socket is closed.
pub(crate) fn give_up_at(socket: &SocketRef) {
    run_then_wake(|| {
        let Ok(call) = socket.enter() else { return };
        let mut edges = Edges::default();
        {
            let Ok(mut core) = call.lock() else { return };
            let owner = core.owner;
            core.call(&mut edges, |protocol, context| protocol.give_up(context));
            owner.process_ready(&mut core, &mut edges);
        }
        drop(call);
        edges.deliver();
    });
}
