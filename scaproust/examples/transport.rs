//! A transport of the program: `counted://path` is a local socket, and its bytes are counted.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(all(unix, not(simulated)))]
    counted::run()?;
    Ok(())
}

#[cfg(all(unix, not(simulated)))]
mod counted {
    use std::ffi::OsStr;
    use std::io::{self, IoSlice, Read, Write};
    use std::net::Shutdown;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use scaproust::custom::{ByteStream, StreamListener, Transport, add_transport};
    use scaproust::{Pull, Push};

    /// Makes the streams.
    struct Counted {
        received: Arc<AtomicUsize>,
    }

    impl Transport for Counted {
        fn listen(&self, address: &[u8]) -> io::Result<Box<dyn StreamListener>> {
            let listener = UnixListener::bind(OsStr::from_bytes(address))?;
            Ok(Box::new(Listener { listener, received: self.received.clone() }))
        }

        fn connect(&self, address: &[u8]) -> io::Result<Box<dyn ByteStream>> {
            // A local socket is connected at once, or not at all.
            let stream = UnixStream::connect(OsStr::from_bytes(address))?;
            Ok(Box::new(Stream { stream, received: self.received.clone() }))
        }
    }

    struct Listener {
        listener: UnixListener,
        received: Arc<AtomicUsize>,
    }

    impl AsFd for Listener {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.listener.as_fd()
        }
    }

    impl StreamListener for Listener {
        fn accept(&self) -> io::Result<Box<dyn ByteStream>> {
            let (stream, _) = self.listener.accept()?;
            Ok(Box::new(Stream { stream, received: self.received.clone() }))
        }
    }

    struct Stream {
        stream: UnixStream,
        received: Arc<AtomicUsize>,
    }

    impl AsFd for Stream {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.stream.as_fd()
        }
    }

    impl ByteStream for Stream {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = (&self.stream).read(buffer)?;
            self.received.fetch_add(count, Ordering::Relaxed);
            Ok(count)
        }

        fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            // The standard library's streams ignore SIGPIPE in a Rust program.
            (&self.stream).write_vectored(pieces)
        }

        fn shutdown(&self, how: Shutdown) {
            // Fails if the peer was first.
            _ = self.stream.shutdown(how);
        }
    }

    pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
        let received = Arc::new(AtomicUsize::new(0));
        add_transport("counted", Counted { received: received.clone() })?;
        let path = std::env::temp_dir().join(format!("counted-{}", std::process::id()));
        let address = format!("counted://{}", path.display());

        let (source, worker) = (Push::new()?, Pull::new()?);
        worker.bind(&address)?;
        source.connect(&address)?;
        source.send("a task")?;
        assert_eq!(worker.recv()?, "a task");
        std::fs::remove_file(path)?;

        // Both have read a greeting of 8 bytes; a message has its length in front, as 8 bytes.
        let received = received.load(Ordering::Relaxed);
        println!("{received} bytes were received");
        assert_eq!(received, 8 + 8 + 8 + "a task".len());
        Ok(())
    }
}
