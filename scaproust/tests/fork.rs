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
