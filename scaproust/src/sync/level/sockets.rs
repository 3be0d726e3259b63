//! The descriptor on Windows, where one can wait for nothing but sockets: one of two that are
//! connected with each other.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::AsRawSocket;
use std::time::Duration;

use crate::sync::{Descriptor, Mutex, Polled, lock, poll};

/// What was sent may take a moment to arrive; after this time the host has taken it.
const ARRIVAL: Duration = Duration::from_millis(20);

/// A descriptor that is readable while it is raised.
#[derive(Debug)]
pub(crate) struct Level {
    /// Neither end blocks: the host may have this one's descriptor, and do with it what it likes.
    receiver: TcpStream,
    sender: TcpStream,
    /// There is one byte under way, or else none.
    is_raised: Mutex<bool>,
}

impl Level {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<Level> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sender = TcpStream::connect(listener.local_addr()?)?;
        let receiver = loop {
            let (stream, from) = listener.accept()?;
            // Any program may connect here.
            if from == sender.local_addr()? {
                break stream;
            }
        };
        sender.set_nodelay(true)?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Level { receiver, sender, is_raised: Mutex::new(false) })
    }

    /// The descriptor, for WSAPoll and its like.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.receiver.as_raw_socket()
    }

    /// Makes the descriptor readable.
    pub(crate) fn raise(&self) {
        let mut is_raised = lock(&self.is_raised);
        if !std::mem::replace(&mut *is_raised, true) {
            // There is room: the one byte before this one is not there any more.
            let _ = (&self.sender).write(&[0]);
        }
    }

    /// Undoes [`Level::raise`], however often it was called.
    pub(crate) fn lower(&self) {
        let mut is_raised = lock(&self.is_raised);
        if !std::mem::replace(&mut *is_raised, false) {
            return;
        }
        let take = || (&self.receiver).read(&mut [0]).is_ok();
        if !take() {
            // Whether it has come or not, nothing more can be done.
            let _ = poll(&mut [Polled::new(self.descriptor())], Some(ARRIVAL));
            take();
        }
    }
}
