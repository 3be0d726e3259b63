//! Signals during blocked calls of the Rust face: by default a call goes on after a handler has run.

#![cfg(all(unix, not(any(loom, simulated))))]

use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use scaproust::{Error, Pull, Push};

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

fn install_handler() {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler only adds to an atomic.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
}

fn interrupt<T>(thread: &JoinHandle<T>) {
    // SAFETY: the thread is not joined yet.
    unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
}

#[test]
fn a_signal_ends_a_blocked_call_only_if_the_socket_is_interruptible() {
    install_handler();
    let (push, pull) = (Push::new().unwrap(), Arc::new(Pull::new().unwrap()));
    pull.bind("inproc://signals").unwrap();
    push.connect("inproc://signals").unwrap();

    let own = pull.clone();
    let receiver = std::thread::spawn(move || own.recv());
    for count in 1..=20 {
        interrupt(&receiver);
        while HANDLED.load(Ordering::SeqCst) < count {
            std::thread::yield_now();
        }
    }
    assert!(!receiver.is_finished());
    push.send("after the signals").unwrap();
    assert_eq!(receiver.join().unwrap().unwrap(), "after the signals");

    pull.set_interruptible(true);
    let own = pull.clone();
    let receiver = std::thread::spawn(move || own.recv());
    // The first ones may come before the call.
    while !receiver.is_finished() {
        interrupt(&receiver);
        std::thread::yield_now();
    }
    assert_eq!(receiver.join().unwrap(), Err(Error::Interrupted));
}
