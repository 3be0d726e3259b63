//! The notifier's descriptor on Windows, where WSAPoll waits for sockets only: one of a connected pair.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::windows::io::AsRawSocket;
use std::time::Duration;

use crate::sync::{Descriptor, Mutex, Polled, lock, poll, rank};

/// How long to wait for a byte that was sent to arrive: after that the host has read it.
const ARRIVAL: Duration = Duration::from_millis(20);

/// A descriptor that is readable from `set_readable` until `clear`.
#[derive(Debug)]
pub(crate) struct NotifierDescriptor {
    /// Neither end blocks: the host may have the receiver's descriptor, and read from it.
    receiver: TcpStream,
    sender: TcpStream,
    /// There is one byte in flight or received; otherwise there is none.
    is_readable: Mutex<bool, rank::NotifierDescriptor>,
}

impl NotifierDescriptor {
    /// A descriptor that is not readable.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new() -> io::Result<NotifierDescriptor> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let sender = TcpStream::connect(listener.local_addr()?)?;
        let receiver = loop {
            let (stream, from) = listener.accept()?;
            // Another program may have connected.
            if from == sender.local_addr()? {
                break stream;
            }
        };
        sender.set_nodelay(true)?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(NotifierDescriptor { receiver, sender, is_readable: Mutex::new(false) })
    }

    /// The descriptor, for WSAPoll and similar calls.
    pub(crate) fn descriptor(&self) -> Descriptor {
        self.receiver.as_raw_socket()
    }

    /// Makes the descriptor readable.
    pub(crate) fn set_readable(&self) {
        let mut is_readable = lock(&self.is_readable);
        if !std::mem::replace(&mut *is_readable, true) {
            // There is room: the last byte was taken.
            let _ = (&self.sender).write(&[0]);
        }
    }

    /// Makes the descriptor not readable, however often it was set.
    pub(crate) fn clear(&self) {
        let mut is_readable = lock(&self.is_readable);
        if !std::mem::replace(&mut *is_readable, false) {
            return;
        }
        let take = || (&self.receiver).read(&mut [0]).is_ok();
        if !take() {
            // The result does not matter: nothing more can be done.
            let _ = poll(&mut [Polled::new(self.descriptor())], Some(ARRIVAL));
            take();
        }
    }
}
