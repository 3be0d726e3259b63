//! Signals during blocked calls of the Rust face: by default a call goes on after a handler has run.

#![cfg(all(unix, not(any(loom, simulated))))]

use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use scaproust::{Error, Poller, Pull, Push};

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn install_handler() {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler only adds to an atomic.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
}

/// Runs the handler this many times in the thread.
fn interrupt_often<T>(thread: &JoinHandle<T>, times: u32) {
    let before = HANDLED.load(Ordering::SeqCst);
    for count in 1..=times {
        interrupt(thread);
        while HANDLED.load(Ordering::SeqCst) < before + count {
            std::thread::yield_now();
        }
    }
}

/// Runs the handler in the thread until that ends: the first times may come before the call.
fn interrupt_until_it_ends<T>(thread: &JoinHandle<T>) {
    while !thread.is_finished() {
        interrupt(thread);
        std::thread::yield_now();
    }
}

fn interrupt<T>(thread: &JoinHandle<T>) {
    // SAFETY: the thread is not joined yet.
    unsafe { libc::pthread_kill(thread.as_pthread_t() as libc::pthread_t, libc::SIGUSR1) };
}

#[test]
fn a_signal_ends_a_blocked_call_only_if_the_socket_is_interruptible() {
    install_handler();
    let (push, pull) = (Push::new().unwrap(), Arc::new(Pull::new().unwrap()));
    pull.bind("inproc://signals").unwrap();
    push.connect("inproc://signals").unwrap();

    let own = pull.clone();
    let receiver = std::thread::spawn(move || own.recv());
    interrupt_often(&receiver, 20);
    assert!(!receiver.is_finished());
    push.send("after the signals").unwrap();
    assert_eq!(receiver.join().unwrap().unwrap(), "after the signals");

    pull.set_interruptible(true);
    let own = pull.clone();
    let receiver = std::thread::spawn(move || own.recv());
    interrupt_until_it_ends(&receiver);
    assert_eq!(receiver.join().unwrap(), Err(Error::Interrupted));

    // The same test, since only one at a time may count the calls of the handler.
    pull.set_interruptible(false);
    let own = pull.clone();
    let poller =
        std::thread::spawn(move || Poller::new().readable(&own).wait(None).map(|ready| ready.is_empty()));
    interrupt_often(&poller, 20);
    assert!(!poller.is_finished());
    push.send("after the signals").unwrap();
    assert_eq!(poller.join().unwrap(), Ok(false));
    assert_eq!(pull.recv().unwrap(), "after the signals");

    let own = pull.clone();
    let poller = std::thread::spawn(move || {
        Poller::new().readable(&own).interruptible(true).wait(None).map(|ready| ready.is_empty())
    });
    interrupt_until_it_ends(&poller);
    assert_eq!(poller.join().unwrap(), Err(Error::Interrupted));
}
