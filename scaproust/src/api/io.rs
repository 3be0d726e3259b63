//! Sockets for code that reads and writes bytes.

use std::io::{self, BufRead, Read, Write};

use super::message::Message;
use super::pattern::{Receives, Sends};
use super::socket::Socket;
use super::transfer::unless_closed;

impl<P: Receives> Socket<P> {
    /// A reader of the bytes that the socket receives, for code that reads a stream. A message may be read in pieces; that
    /// one ends and the next begins is not seen.
    ///
    /// The end is reached when the socket is closed. Each reader has the message that it is reading: one that is dropped
    /// takes the rest of it along.
    ///
    /// ```
    /// # use scaproust::{Pull, Push};
    /// use std::io::{BufRead, Read, Write};
    ///
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/reader")?;
    /// worker.connect("inproc://doc/reader")?;
    /// source.writer().write_all(b"a task\na se")?;
    /// source.writer().write_all(b"cond task\n")?;
    ///
    /// let mut lines = worker.reader().lines();
    /// assert_eq!(lines.next().unwrap()?, "a task");
    /// assert_eq!(lines.next().unwrap()?, "a second task");
    /// worker.close()?;
    /// assert!(lines.next().is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reader(&self) -> Reader<'_, P> {
        Reader { socket: self, message: Message::new(), position: 0 }
    }
}

impl<P: Sends> Socket<P> {
    /// A writer that sends, for code that writes a stream: one write is one message. `write!` writes each piece of its text
    /// by itself; a [`BufWriter`](io::BufWriter) around the writer makes one message of all that is written between two
    /// flushes, as long as it fits into its buffer.
    ///
    /// ```
    /// # use scaproust::{Pull, Push};
    /// use std::io::{BufWriter, Write};
    ///
    /// let (source, worker) = (Push::new()?, Pull::new()?);
    /// source.bind("inproc://doc/writer")?;
    /// worker.connect("inproc://doc/writer")?;
    /// let mut writer = BufWriter::new(source.writer());
    /// write!(writer, "task {} of {}", 1, 2)?;
    /// writer.flush()?;
    /// assert_eq!(worker.recv()?, "task 1 of 2");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writer(&self) -> Writer<'_, P> {
        Writer { socket: self }
    }
}

/// Reads the bytes that a socket receives; from [`Socket::reader`].
///
/// Its errors are those of [`Socket::recv`], as [`io::Error`]s.
#[derive(Debug)]
pub struct Reader<'a, P: Receives> {
    socket: &'a Socket<P>,
    /// The message that is being read.
    message: Message,
    /// The number of its bytes that were read.
    position: usize,
}

impl<P: Receives> BufRead for Reader<'_, P> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // An empty message would be taken for the end.
        while self.position == self.message.len() {
            let Some(received) = unless_closed(self.socket.recv()) else { return Ok(&[]) };
            self.message = received?;
            self.position = 0;
        }
        Ok(&self.message[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position = self.message.len().min(self.position + count);
    }
}

impl<P: Receives> Read for Reader<'_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

/// Sends what is written; from [`Socket::writer`].
///
/// Its errors are those of [`Socket::send`], as [`io::Error`]s.
#[derive(Debug)]
pub struct Writer<'a, P: Sends> {
    socket: &'a Socket<P>,
}

impl<P: Sends> Write for Writer<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.send(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: a message is sent when it is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::{Error, Pair};
    use std::time::Duration;

    fn pair(address: &str) -> (Pair, Pair) {
        let (one, other) = (Pair::new().unwrap(), Pair::new().unwrap());
        one.bind(address).unwrap();
        other.connect(address).unwrap();
        (one, other)
    }

    #[test]
    fn a_message_is_read_in_pieces_and_an_empty_one_is_not_the_end() {
        let (one, other) = pair("inproc://io/pieces");
        for message in ["", "abc", "", "defgh"] {
            one.send(message).unwrap();
        }
        let (mut reader, mut buffer) = (other.reader(), [0; 2]);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        while pieces.concat().len() < 8 {
            let count = reader.read(&mut buffer).unwrap();
            pieces.push(buffer[..count].to_vec());
        }
        assert_eq!(pieces, [&b"ab"[..], b"c", b"de", b"fg", b"h"]);
    }

    #[test]
    fn errors_are_those_of_the_socket() {
        let (one, other) = pair("inproc://io/errors");
        other.set_recv_timeout(Some(Duration::from_millis(1))).unwrap();
        let error = other.reader().read(&mut [0]).unwrap_err();
        assert_eq!((error.kind(), Error::from(error)), (io::ErrorKind::TimedOut, Error::TimedOut));
        other.close().unwrap();
        assert_eq!(other.reader().read(&mut [0]).unwrap(), 0);
        one.close().unwrap();
        assert_eq!(Error::from(one.writer().write(b"text").unwrap_err()), Error::Closed);
    }
}
