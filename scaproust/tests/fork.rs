//! A Rust socket belongs to the process that opened it.

// Other systems have no fork, nor has the simulated machine.
#![cfg(all(unix, not(any(loom, simulated))))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scaproust::{Error, Pair};

/// Longer than any child takes that does not wait for a thread which it does not have.
const LONGEST: Duration = Duration::from_secs(60);

/// Forks. The child has to call [`end`], and is killed if it takes too long.
fn fork() -> libc::pid_t {
    // SAFETY: the child allocates, which the C library allows, and ends without returning.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a plain call.
        unsafe { libc::alarm(LONGEST.as_secs() as u32) };
    }
    child
}

/// Ends a child.
fn end(success: bool) -> ! {
    // SAFETY: a plain call.
    unsafe { libc::_exit(i32::from(!success)) };
}

/// Waits for the end of a child. Returns its status.
fn wait(child: libc::pid_t) -> i32 {
    let mut status = -1;
    // SAFETY: `status` is valid for writing.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

#[test]
fn a_child_neither_reaches_nor_closes_the_sockets_of_its_parent() {
    let parent = Pair::new().unwrap();
    let child = fork();
    if child == 0 {
        // The child's first socket has the same number as its parent's.
        let own = Pair::new().and_then(|own| own.bind("inproc://own").map(|_| own));
        let refused = parent.send(b"hello") == Err(Error::Closed) && parent.close() == Err(Error::Closed);
        drop(parent);
        let holds = refused && own.is_ok_and(|own| own.try_recv().err() == Some(Error::WouldBlock));
        end(holds);
    }
    assert_eq!(wait(child), 0);
    assert_eq!(parent.try_recv().err(), Some(Error::WouldBlock));
}

#[test]
fn a_child_begins_without_the_transports_of_its_parent() {
    use scaproust::custom::{ByteStream, StreamListener, Transport, add_transport};
    use std::io;

    struct Failing;

    impl Transport for Failing {
        fn listen(&self, _address: &[u8]) -> io::Result<Box<dyn StreamListener>> {
            Err(Error::NoSuchInterface.into())
        }

        fn connect(&self, _address: &[u8]) -> io::Result<Box<dyn ByteStream>> {
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    add_transport("inherited", Failing).unwrap();
    let child = fork();
    if child == 0 {
        let bind = || Pair::new().and_then(|own| own.bind("inherited://x").map(drop));
        let forgotten = bind() == Err(Error::UnknownTransport);
        let again = add_transport("inherited", Failing).is_ok() && bind() == Err(Error::NoSuchInterface);
        end(forgotten && again);
    }
    assert_eq!(wait(child), 0);
}

#[test]
fn a_child_opens_no_socket_in_a_context_of_its_parent() {
    use scaproust::Context;

    let context = Context::builder().io_threads(2).build().unwrap();
    let parent: Pair = context.socket().unwrap();
    parent.bind("tcp://127.0.0.1:0").unwrap();
    let child = fork();
    if child == 0 {
        let refused = context.socket::<scaproust::pattern::Pair>().err() == Some(Error::Closed);
        drop((parent, context));
        let own = Context::builder().build().and_then(|own| own.socket::<scaproust::pattern::Pair>());
        let works = own.is_ok_and(|own| own.bind("tcp://127.0.0.1:0").is_ok());
        end(refused && works);
    }
    assert_eq!(wait(child), 0);
    assert!(parent.bind("tcp://127.0.0.1:0").is_ok());
}

#[test]
fn a_child_uses_the_poller_of_its_parent_for_its_own_sockets() {
    use scaproust::Poller;

    let (parent, peer) = (Pair::new().unwrap(), Pair::new().unwrap());
    parent.bind("inproc://fork/poller").unwrap();
    peer.connect("inproc://fork/poller").unwrap();
    let mut poller = Poller::new().readable(&parent);
    assert!(poller.wait(Duration::from_millis(10)).unwrap().is_empty());
    let child = fork();
    if child == 0 {
        let refused = poller.wait(LONGEST).err() == Some(Error::Closed);
        let removed =
            poller.remove(&parent) && poller.wait(Duration::ZERO).is_ok_and(|ready| ready.is_empty());
        let (own, other) = (Pair::new().unwrap(), Pair::new().unwrap());
        own.bind("inproc://fork/poller").unwrap();
        other.connect("inproc://fork/poller").unwrap();
        poller.add_readable(&own).unwrap();
        let found = std::thread::scope(|scope| {
            scope.spawn(|| other.send("to the child").unwrap());
            poller.wait(LONGEST).is_ok_and(|ready| ready.is_readable(&own))
        });
        drop((parent, peer, poller));
        end(refused && removed && found);
    }
    peer.send("to the parent").unwrap();
    assert!(poller.wait(LONGEST).unwrap().is_readable(&parent));
    assert_eq!(wait(child), 0);
}

/// What a child has of its parent may be in use by another thread at the moment of the fork: the child waits for no lock in it.
#[test]
fn a_child_drops_what_its_parent_uses() {
    use scaproust::{Context, Pull, Req};
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{self, Poll, Waker};

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut task::Context::from_waker(Waker::noop()))
    }

    let (client, worker) = (Req::new().unwrap(), Pull::new().unwrap());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drop(client.request("given up").unwrap());
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Sets a timer, and cancels it.
                assert!(poll(pin!(worker.recv_async().timeout(LONGEST))).is_pending());
            }
        });
        let fork_once = || {
            let context = Context::builder().build().unwrap();
            let pending = client.request("dropped in the child").unwrap();
            let mut received = Box::pin(worker.recv_async().timeout(LONGEST));
            assert!(poll(received.as_mut()).is_pending());
            let child = fork();
            if child == 0 {
                let refused = client.request("refused").err() == Some(Error::Closed)
                    && matches!(poll(received.as_mut()), Poll::Ready(Err(Error::Closed)));
                drop((pending, received, context));
                end(refused && client.close() == Err(Error::Closed));
            }
            wait(child)
        };
        let failed = (0..300).map(|_| fork_once()).find(|status| *status != 0);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(failed, None);
    });
}

/// The thread that closes is one of the parent.
#[test]
fn a_closing_of_the_parent_fails_in_the_child() {
    use scaproust::{Pull, Push};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    let (source, worker) = (Push::new().unwrap(), Pull::new().unwrap());
    worker.set_max_message_size(None).unwrap();
    source.connect(worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    source.set_linger(None).unwrap();
    // More than the receiver and the kernel take before the first one was received.
    (0..3).for_each(|_| source.send(vec![7; 24 << 20]).unwrap());
    let mut closing = pin!(source.close_async());
    let mut poll = || closing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    let child = fork();
    if child == 0 {
        end(poll() == Poll::Ready(Err(Error::Closed)));
    }
    assert_eq!(wait(child), 0);
    (0..3).for_each(|_| assert_eq!(worker.recv().unwrap().len(), 24 << 20));
    assert_eq!(smol::block_on(closing), Ok(()));
}

/// A device, or a peer that outlives a child, could take what is for one process for what is for another.
#[test]
fn requests_of_forked_processes_have_different_numbers() {
    use scaproust::{Req, raw};

    let server = raw::Rep::new().unwrap();
    server.set_recv_timeout(Some(LONGEST)).unwrap();
    let address = server.bind("tcp://127.0.0.1:0").unwrap().address().unwrap();
    let ask = || {
        let client = Req::new()?;
        client.connect(&address)?;
        client.request("which number?")?.timeout(LONGEST).wait()
    };
    let children = [(); 3].map(|()| {
        let child = fork();
        if child == 0 {
            end(ask().is_ok());
        }
        child
    });
    let mut numbers = children.map(|_| {
        let request = server.recv().unwrap();
        let number = *request.header().last_chunk::<4>().unwrap();
        server.send(request).unwrap();
        number
    });
    children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]), "{numbers:?}");
}

#[test]
fn upgrades_of_forked_processes_have_different_keys() {
    use std::io::{BufRead, BufReader, Read};

    let first = Pair::new().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    // The thread connects once before it forks, so that it has keys.
    first.connect(&address).unwrap();
    // The children end when all copies of one end of the pipe are closed.
    let (mut told, tell) = std::io::pipe().unwrap();
    let mut tell = Some(tell);
    let children = [(); 2].map(|()| {
        let child = fork();
        if child == 0 {
            let own = Pair::new().and_then(|own| own.connect(&address).map(|_| own));
            drop(tell.take());
            let is_told = told.read(&mut [0]).is_ok_and(|count| count == 0);
            end(is_told && own.is_ok());
        }
        child
    });
    // A stream that is closed would be followed by another one of the same process.
    let streams = [(); 3].map(|()| listener.accept().unwrap().0);
    let keys = streams.each_ref().map(|stream| {
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let key = |line: String| Some(line.split_once("Sec-WebSocket-Key: ")?.1.to_owned());
        lines.take_while(|line| !line.is_empty()).find_map(key).unwrap()
    });
    drop(tell);
    children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
    assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[1] != keys[2], "{keys:?}");
}
