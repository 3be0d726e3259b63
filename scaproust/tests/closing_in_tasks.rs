//! Closing a socket in a task: the thread goes on while messages are delivered.

#![cfg(not(any(loom, simulated)))]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use scaproust::{Error, Pull, Push, Req};

/// Two such messages are more than a kernel takes of a connection that is not read from: 36 MiB on some machines.
const LENGTH: usize = 24 << 20;
const COUNT: usize = 3;

/// A sender with unlimited linger that has something to deliver until its receiver receives: all but the first message,
/// since the receiver has no room beside that.
fn stuffed() -> (Push, Pull) {
    let (source, worker) = (Push::new().unwrap(), Pull::new().unwrap());
    worker.set_max_message_size(None).unwrap();
    let endpoint = worker.bind("tcp://127.0.0.1:0").unwrap();
    source.connect(endpoint.address().unwrap()).unwrap();
    source.set_linger(None).unwrap();
    (0..COUNT).for_each(|_| source.send(vec![7; LENGTH]).unwrap());
    (source, worker)
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn the_thread_receives_what_its_closing_socket_delivers() {
    let (source, worker) = stuffed();
    let mut closing = source.close_async();
    assert!(poll(&mut closing).is_pending());
    assert_eq!(smol::block_on(source.close_async()), Err(Error::Closed));
    for _ in 0..COUNT {
        assert_eq!(worker.recv().unwrap().len(), LENGTH);
    }
    smol::block_on(closing).unwrap();
}

/// Linux lists the threads of a process.
#[cfg(target_os = "linux")]
#[test]
fn many_closings_have_one_thread() {
    let senders: Vec<_> = (0..6).map(|_| stuffed()).collect();
    let mut closings: Vec<_> = senders.iter().map(|(source, _)| source.close_async()).collect();
    for closing in &mut closings {
        assert!(poll(closing).is_pending());
    }
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        let name = |task: std::path::PathBuf| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        tasks.filter(|task| name(task.clone()).trim() == "nanomsg-close").count()
    };
    // One of another test, which has ended, may still be listed.
    assert!(threads() < senders.len() - 2, "{} threads", threads());
    // The last one is the first that is done.
    for ((_, worker), closing) in senders.iter().zip(closings).rev() {
        for _ in 0..COUNT {
            assert_eq!(worker.recv().unwrap().len(), LENGTH);
        }
        smol::block_on(closing).unwrap();
    }
}

#[test]
fn a_closing_that_is_dropped_goes_on() {
    let (source, worker) = stuffed();
    assert!(poll(&mut source.close_async()).is_pending());
    drop(source);
    for _ in 0..COUNT {
        assert_eq!(worker.recv().unwrap().len(), LENGTH);
    }
}

#[test]
fn a_closing_that_is_not_polled_does_nothing() {
    let client = Req::new().unwrap();
    drop(client.close_async());
    let pending = client.request("unanswered").unwrap();
    smol::block_on(client.close_async()).unwrap();
    assert_eq!(pending.wait(), Err(Error::Closed));
    assert_eq!(client.close(), Err(Error::Closed));
}
