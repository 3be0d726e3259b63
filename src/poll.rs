//! `nn_poll`.

use std::ffi::{c_int, c_short};

use super::boundary;
use super::constants::{NN_POLLIN, NN_POLLOUT};
use scaproust::ffi::error::Error;
use scaproust::ffi::option::time_limit;
use scaproust::ffi::socket::BlockingCall;
use scaproust::ffi::socket::poll::{PollEntry, Polling, room_for};
use scaproust::ffi::sync::{CancelState, Sleep};

/// The events to wait for on one socket, and those that are present.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nn_pollfd {
    /// The socket's id.
    pub fd: c_int,
    /// The events to wait for: NN_POLLIN, NN_POLLOUT or both.
    pub events: c_short,
    /// Those of them that are present.
    pub revents: c_short,
}

/// Waits for events on several sockets; returns the number of sockets with an event, 0 after the
/// timeout, or -1.
///
/// `timeout` is in milliseconds; 0: do not wait; negative: no limit. An entry without events is
/// ignored. Fails with EBADF (an id is not a socket), EFAULT (no list), EINVAL (a negative count),
/// EINTR (a signal handler ran) or ENOPROTOOPT (a socket's protocol cannot send, or receive, at
/// all); no `revents` is written then.
///
/// # Safety
/// `fds` must point to `nfds` entries, or be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn nn_poll(fds: *mut nn_pollfd, nfds: c_int, timeout: c_int) -> c_int {
    // SAFETY: no frame up to C has anything to drop.
    unsafe { CancelState::test() };
    boundary::blocking(|| {
        let count = usize::try_from(nfds).map_err(|_| Error::InvalidArgument)?;
        let fds = match count {
            0 => &mut [][..],
            _ if fds.is_null() => return Err(Error::BadPointer),
            // SAFETY: as the caller promises.
            _ => unsafe { std::slice::from_raw_parts_mut(fds, count) },
        };
        let mut entries = room_for(count)?;
        entries.extend(fds.iter().filter_map(entry_for));
        boundary::suspend(Poll { fds, polling: Polling::new(entries, time_limit(timeout), true)? })
    })
}

/// A call of `nn_poll`, and the entries to which the results are written.
struct Poll<'a> {
    fds: &'a mut [nn_pollfd],
    polling: Polling,
}

impl BlockingCall for Poll<'_> {
    type Output = c_int;

    fn proceed(&mut self) -> Result<Option<c_int>, Error> {
        let Some(count) = self.polling.proceed()? else { return Ok(None) };
        let mut entries = self.polling.entries().iter();
        for fd in &mut *self.fds {
            fd.revents = match entry_for(fd) {
                Some(_) => entries.next().map_or(0, revents),
                None => 0,
            };
        }
        Ok(Some(c_int::try_from(count).unwrap_or(c_int::MAX)))
    }

    fn sleep(&mut self) -> Option<&mut Sleep> {
        self.polling.sleep()
    }
}

/// The entry for the socket layer; `None` if it has no events.
fn entry_for(fd: &nn_pollfd) -> Option<PollEntry> {
    let has = |event: c_int| c_int::from(fd.events) & event != 0;
    let (readable, writable) = (has(NN_POLLIN), has(NN_POLLOUT));
    (readable || writable).then_some(PollEntry {
        socket: fd.fd,
        readable,
        writable,
        is_readable: false,
        is_writable: false,
    })
}

/// The bits of `revents`.
fn revents(entry: &PollEntry) -> c_short {
    let bit = |is: bool, event: c_int| if is { event as c_short } else { 0 };
    bit(entry.is_readable, NN_POLLIN) | bit(entry.is_writable, NN_POLLOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_translated_both_ways() {
        let fd = |events| nn_pollfd { fd: 3, events, revents: 0 };
        assert!(entry_for(&fd(0)).is_none());
        assert!(entry_for(&fd(8)).is_none());
        let mut entry = entry_for(&fd(3)).unwrap();
        assert_eq!((entry.socket, entry.readable, entry.writable), (3, true, true));
        assert_eq!(revents(&entry), 0);
        entry.is_writable = true;
        assert_eq!(revents(&entry), 2);
        entry.is_readable = true;
        assert_eq!(revents(&entry), 3);
    }

    #[test]
    fn a_wrong_list_is_refused() {
        // SAFETY: null is allowed.
        unsafe {
            assert_eq!((nn_poll(std::ptr::null_mut(), 1, 0), boundary::errno()), (-1, libc::EFAULT));
            assert_eq!((nn_poll(std::ptr::null_mut(), -1, 0), boundary::errno()), (-1, libc::EINVAL));
        }
    }
}
