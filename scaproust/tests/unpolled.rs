//! Futures that are woken and not polled: what they were woken for reaches the next one that waits.

#![cfg(not(any(loom, simulated)))]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use scaproust::{Pull, Push};

/// A socket that sends and one that receives, which is bound, and the address to connect to.
fn sockets(address: &str) -> (Push, Pull, String) {
    let (sender, receiver) = (Push::new().unwrap(), Pull::new().unwrap());
    let address = receiver.bind(address).unwrap().address().unwrap();
    (sender, receiver, address)
}

fn addresses(test: &str) -> [String; 2] {
    [format!("inproc://unpolled/{test}"), "tcp://127.0.0.1:0".into()]
}

/// A waker that reports that it was called.
struct Report(mpsc::Sender<()>);

impl Wake for Report {
    fn wake(self: Arc<Self>) {
        _ = self.0.send(());
    }
}

/// Polls a future that is not ready. Returns where its waker reports.
fn poll_pending<F: Future + Unpin>(future: &mut F) -> mpsc::Receiver<()> {
    let (sender, woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(Report(sender)));
    assert!(Pin::new(future).poll(&mut Context::from_waker(&waker)).is_pending());
    woken
}

/// Longer than any test takes: a wake-up that is lost fails the test and does not hang it.
const LOST: Duration = Duration::from_secs(60);

/// Each future leaves the message to the next one.
#[test]
fn a_receiver_that_is_woken_and_not_polled_leaves_the_message_to_others() {
    for address in addresses("receiver") {
        let (sender, receiver, address) = sockets(&address);
        sender.connect(&address).unwrap();
        let [mut first, mut second, mut third] = [(); 3].map(|()| receiver.recv_async());
        let woken = [&mut first, &mut second, &mut third].map(poll_pending);
        sender.send("a message").unwrap();
        for woken in woken {
            woken.recv_timeout(LOST).unwrap();
        }
        assert_eq!(smol::block_on(third).unwrap(), "a message");
    }
}

#[test]
fn a_sender_that_is_woken_and_not_polled_leaves_the_room_to_others() {
    for address in addresses("sender") {
        let (sender, receiver, address) = sockets(&address);
        let [mut first, mut second] = ["unsent", "sent"].map(|text| sender.send_async(text));
        let woken = [&mut first, &mut second].map(poll_pending);
        sender.connect(&address).unwrap();
        for woken in woken {
            woken.recv_timeout(LOST).unwrap();
        }
        smol::block_on(second).unwrap();
        assert_eq!(receiver.recv().unwrap(), "sent");
    }
}

#[cfg(feature = "futures")]
#[test]
fn a_stream_of_which_a_next_was_dropped_leaves_the_message_to_others() {
    use futures_util::StreamExt;
    for address in addresses("next") {
        let (sender, receiver, address) = sockets(&address);
        sender.connect(&address).unwrap();
        let (mut stream, mut future) = (receiver.stream(), receiver.recv_async());
        let stream_woken = poll_pending(&mut stream.next());
        let woken = poll_pending(&mut future);
        sender.send("a message").unwrap();
        stream_woken.recv_timeout(LOST).unwrap();
        woken.recv_timeout(LOST).unwrap();
        assert_eq!(smol::block_on(future).unwrap(), "a message");
    }
}
