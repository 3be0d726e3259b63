//! Waiting for several sockets with a `Poller`, beside threads that use them.

#![cfg(not(any(loom, simulated)))]

use std::time::Duration;

use scaproust::{Error, Poller, Pull, Push};

#[test]
fn every_message_of_several_sockets_is_found() {
    const EACH: usize = 2000;
    let workers: Vec<Pull> = (0..3).map(|_| Pull::new().unwrap()).collect();
    let addresses: Vec<String> =
        workers.iter().map(|worker| worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).collect();
    std::thread::scope(|scope| {
        for address in &addresses {
            scope.spawn(move || {
                let source = Push::new().unwrap();
                source.connect(address).unwrap();
                (0..EACH).for_each(|number| source.send(number.to_string()).unwrap());
            });
        }
        let poller = workers.iter().fold(Poller::new(), |poller, worker| poller.readable(worker));
        let mut received = [0; 3];
        while received != [EACH; 3] {
            let ready = poller.wait(None).unwrap();
            assert!(!ready.is_empty());
            for (worker, count) in
                workers.iter().zip(&mut received).filter(|(worker, _)| ready.is_readable(worker))
            {
                assert_eq!(worker.try_recv().unwrap(), count.to_string());
                *count += 1;
            }
        }
        assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    });
}

#[test]
fn one_socket_may_be_waited_for_in_both_directions() {
    let (one, other) = (scaproust::Pair::new().unwrap(), scaproust::Pair::new().unwrap());
    one.bind("inproc://poller/both").unwrap();
    other.connect("inproc://poller/both").unwrap();
    let poller = Poller::new().readable(&one).writable(&one);
    let ready = poller.wait(None).unwrap();
    assert!(ready.is_writable(&one) && !ready.is_readable(&one) && !ready.is_writable(&other));
    other.send("hello").unwrap();
    let ready = poller.wait(None).unwrap();
    assert!(ready.is_writable(&one) && ready.is_readable(&one));
}

#[test]
fn closing_a_socket_ends_the_wait_for_it() {
    let (one, other) = (Pull::new().unwrap(), Pull::new().unwrap());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Poller::new().readable(&one).readable(&other).wait(None).err());
        other.close().unwrap();
        assert_eq!(waiting.join().unwrap(), Some(Error::Closed));
    });
}
