//! A Rust socket belongs to the process that opened it.

// Other systems have no fork.
#![cfg(unix)]

use scaproust::{Error, Pair};

#[test]
fn a_child_neither_reaches_nor_closes_the_sockets_of_its_parent() {
    let parent = Pair::new().unwrap();
    // SAFETY: the child allocates, which the C library allows, and ends without returning.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // The child's first socket has the same number as its parent's.
        let own = Pair::new().and_then(|own| own.bind("inproc://own").map(|_| own));
        let refused = parent.send(b"hello") == Err(Error::Closed) && parent.close() == Err(Error::Closed);
        drop(parent);
        let holds = refused && own.is_ok_and(|own| own.try_recv().err() == Some(Error::WouldBlock));
        // SAFETY: a plain call.
        unsafe { libc::_exit(i32::from(!holds)) };
    }
    let mut status = -1;
    // SAFETY: `status` is valid for writing.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));
    assert_eq!(parent.try_recv().err(), Some(Error::WouldBlock));
}

// The simulated machine has no transports of the program.
#[cfg(not(simulated))]
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
    // SAFETY: as above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let bind = || Pair::new().and_then(|own| own.bind("inherited://x").map(drop));
        let forgotten = bind() == Err(Error::UnknownTransport);
        let again = add_transport("inherited", Failing).is_ok() && bind() == Err(Error::NoSuchInterface);
        // SAFETY: a plain call.
        unsafe { libc::_exit(i32::from(!(forgotten && again))) };
    }
    let mut status = -1;
    // SAFETY: `status` is valid for writing.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));
}

#[test]
fn a_child_opens_no_socket_in_a_context_of_its_parent() {
    use scaproust::Context;

    let context = Context::builder().io_threads(2).build().unwrap();
    let parent: Pair = context.socket().unwrap();
    parent.bind("tcp://127.0.0.1:0").unwrap();
    // SAFETY: as above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let refused = context.socket::<scaproust::pattern::Pair>().err() == Some(Error::Closed);
        drop((parent, context));
        let own = Context::builder().build().and_then(|own| own.socket::<scaproust::pattern::Pair>());
        let works = own.is_ok_and(|own| own.bind("tcp://127.0.0.1:0").is_ok());
        // SAFETY: a plain call.
        unsafe { libc::_exit(i32::from(!(refused && works))) };
    }
    let mut status = -1;
    // SAFETY: `status` is valid for writing.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));
    assert!(parent.bind("tcp://127.0.0.1:0").is_ok());
}
