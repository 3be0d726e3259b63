//! Waiting for several sockets with a `Poller`, beside threads that use them.

#![cfg(not(any(loom, simulated)))]

use std::sync::Barrier;
use std::time::Duration;

use scaproust::{AnySocket, Error, Poller, Protocol, Pull, Push, Rep, Req, Respondent, Surveyor, raw};

/// Longer than any wait here takes.
const LONGEST: Duration = Duration::from_secs(60);

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
        let mut poller = workers.iter().fold(Poller::new(), |poller, worker| poller.readable(worker));
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
    let mut poller = Poller::new().readable(&one).writable(&one);
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

#[test]
fn requests_replies_and_answers_are_waited_for_at_the_same_time() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    let (surveyor, respondent) = (Surveyor::new().unwrap(), Respondent::new().unwrap());
    server.bind("inproc://poller/server").unwrap();
    client.connect("inproc://poller/server").unwrap();
    surveyor.bind("inproc://poller/surveyor").unwrap();
    respondent.connect("inproc://poller/surveyor").unwrap();
    surveyor.set_survey_deadline(None).unwrap();
    // The first of each is the socket's own conversation, the second one that of a context.
    let mut requests = ["a", "b"].map(|text| client.request(text).unwrap());
    let mut surveys = ["c", "d"].map(|text| surveyor.survey(text).unwrap());
    let mut both = Poller::new().readable(&server).readable(&respondent);
    let ready = both.wait(None).unwrap();
    assert!(ready.is_readable(&server) && ready.is_readable(&respondent));

    // In this order, so that the one that is answered second must not be ready.
    for (answered, open) in [(0, vec![0, 1]), (1, vec![1])] {
        let (request, survey) = (&mut requests, &mut surveys);
        let replies = [server.accept().unwrap().1, respondent.accept().unwrap().1];
        let mut of_requests = open.iter().fold(Poller::new(), |poller, one| poller.readable(&request[*one]));
        let mut of_surveys = open.iter().fold(Poller::new(), |poller, one| poller.readable(&survey[*one]));
        assert!(of_requests.wait(Duration::ZERO).unwrap().is_empty());
        assert!(of_surveys.wait(Duration::ZERO).unwrap().is_empty());
        std::thread::scope(|scope| {
            scope.spawn(|| replies.into_iter().for_each(|reply| reply.send("answer").unwrap()));
            let ready = of_requests.wait(None).unwrap();
            assert_eq!([0, 1].map(|one| ready.is_readable(&request[one])), [answered == 0, answered == 1]);
            let ready = of_surveys.wait(None).unwrap();
            assert_eq!([0, 1].map(|one| ready.is_readable(&survey[one])), [answered == 0, answered == 1]);
        });
        assert_eq!(requests[answered].try_wait().unwrap(), "answer");
        assert_eq!(surveys[answered].next().unwrap().unwrap(), "answer");
    }
}

#[test]
fn a_protocol_that_is_known_at_run_time_is_waited_for_as_far_as_it_goes() {
    let poll = |protocol, is_readable| {
        let any = AnySocket::open(protocol).unwrap();
        let mut poller =
            if is_readable { Poller::new().readable(&any) } else { Poller::new().writable(&any) };
        poller.wait(Duration::ZERO).map(|ready| ready.is_empty())
    };
    for protocol in Protocol::ALL {
        let asks = matches!(protocol, Protocol::Req | Protocol::Surveyor);
        let readable = poll(protocol, true);
        assert_eq!(readable.is_ok(), protocol.receives() && !asks, "{protocol}");
        let writable = poll(protocol, false);
        assert_eq!(writable.is_ok(), protocol.sends() && !protocol.has_conversations(), "{protocol}");
        for refused in [readable, writable].into_iter().filter(Result::is_err) {
            assert_eq!(refused, Err(Error::NotSupported));
        }
    }
    let device = raw::AnySocket::open(Protocol::Req).unwrap();
    assert!(Poller::new().readable(&device).writable(&device).wait(Duration::ZERO).unwrap().is_empty());
    let source = raw::AnySocket::open(Protocol::Push).unwrap();
    assert_eq!(Poller::new().readable(&source).wait(None).err(), Some(Error::NotSupported));
}

/// What takes a message from one of these does not block, so a wait for it would have no end.
#[test]
fn what_is_over_is_ready_at_once() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind("inproc://poller/over").unwrap();
    client.connect("inproc://poller/over").unwrap();
    // The first of each is the socket's own conversation, the second one that of a context.
    let mut pending = ["a", "b"].map(|text| client.request(text).unwrap());
    for pending in &mut pending {
        server.accept().unwrap().1.send("reply").unwrap();
        assert!(Poller::new().readable(&*pending).wait(None).unwrap().is_readable(&*pending));
        assert_eq!(pending.try_wait().unwrap(), "reply");
        assert!(Poller::new().readable(&*pending).wait(None).unwrap().is_readable(&*pending));
        assert_eq!(pending.try_wait(), Err(Error::WrongState));
    }

    let mut events = server.events().unwrap();
    server.close().unwrap();
    while events.next().is_some() {}
    assert!(Poller::new().readable(&events).wait(None).unwrap().is_readable(&events));
    assert!(events.try_next().is_none());

    let surveyor = Surveyor::new().unwrap();
    surveyor.set_survey_deadline(Some(Duration::from_millis(5))).unwrap();
    for mut answers in ["a", "b"].map(|text| surveyor.survey(text).unwrap()) {
        for _ in 0..2 {
            assert!(Poller::new().readable(&answers).wait(None).unwrap().is_readable(&answers));
            assert!(answers.next().is_none());
        }
    }
}

#[test]
fn a_deadline_of_ones_own_ends_the_wait() {
    let (client, surveyor) = (Req::new().unwrap(), Surveyor::new().unwrap());
    surveyor.set_survey_deadline(None).unwrap();
    let soon = Duration::from_millis(5);
    let (unlimited, limited) = (client.request("a").unwrap(), client.request("b").unwrap().timeout(soon));
    let mut poller = Poller::new().readable(&unlimited).readable(&limited);
    for _ in 0..2 {
        let ready = poller.wait(None).unwrap();
        assert!(ready.is_readable(&limited) && !ready.is_readable(&unlimited));
    }
    assert_eq!(limited.wait().err(), Some(Error::TimedOut));

    let mut answers = surveyor.survey("who is there?").unwrap().timeout(soon);
    assert!(Poller::new().readable(&answers).wait(None).unwrap().is_readable(&answers));
    assert!(answers.next().is_none());
}

/// Sockets come and go between the waits, and no message is missed.
#[test]
fn a_poller_lives_longer_than_its_sockets() {
    const EACH: usize = 200;
    let mut poller = Poller::new();
    let mut random = 1_u64;
    let mut below = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % bound
    };
    let silent: Vec<Pull> = (0..20).map(|_| Pull::new().unwrap()).collect();
    silent.iter().for_each(|socket| poller.add_readable(socket).unwrap());
    std::thread::scope(|scope| {
        let mut workers: Vec<(Pull, usize)> = Vec::new();
        let mut left = 30;
        while left > 0 || !workers.is_empty() {
            if left > 0 && (workers.is_empty() || below(4) == 0) {
                let worker = Pull::new().unwrap();
                let address = match left % 2 {
                    0 => worker.bind("tcp://127.0.0.1:0").unwrap().address().unwrap(),
                    _ => worker.bind(format!("inproc://poller/lives/{left}")).unwrap().address().unwrap(),
                };
                scope.spawn(move || {
                    let source = Push::new().unwrap();
                    source.connect(address).unwrap();
                    (0..EACH).for_each(|number| source.send(number.to_string()).unwrap());
                });
                poller.add_readable(&worker).unwrap();
                workers.push((worker, 0));
                left -= 1;
            }
            let ready = poller.wait(None).unwrap();
            assert!(!ready.is_empty() && !silent.iter().any(|socket| ready.is_readable(socket)));
            for (worker, count) in workers.iter_mut().filter(|(worker, _)| ready.is_readable(worker)) {
                // A part of what is there, sometimes.
                for _ in 0..1 + below(3) {
                    match worker.try_recv() {
                        Ok(message) => assert_eq!(message, count.to_string()),
                        outcome => {
                            assert_eq!(outcome, Err(Error::WouldBlock));
                            break;
                        }
                    }
                    *count += 1;
                }
            }
            // Half of them are removed, the others are only dropped.
            let finished = workers.extract_if(.., |(_, count)| *count == EACH);
            finished.filter(|_| below(2) == 0).for_each(|(worker, _)| assert!(poller.remove(&worker)));
        }
    });
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    assert!(silent.iter().all(|socket| poller.remove(socket) && !poller.remove(socket)));
}

#[test]
fn a_poller_forgets_what_is_dropped() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind("inproc://poller/dropped").unwrap();
    client.connect("inproc://poller/dropped").unwrap();
    let mut poller = Poller::new();
    let dropped = Pull::new().unwrap();
    poller.add_readable(&dropped).unwrap();
    let mut pending = ["a", "b"].map(|text| client.request(text).unwrap());
    pending.iter().for_each(|pending| poller.add_readable(pending).unwrap());
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    drop(dropped);
    // The request that takes the place of the second one is not that for which the poller waits.
    pending[1] = client.request("c").unwrap();
    for _ in 0..3 {
        let (request, reply) = server.accept().unwrap();
        reply.send(request).unwrap();
    }
    let ready = poller.wait(None).unwrap();
    assert!(ready.is_readable(&pending[0]));
    assert_eq!(pending[0].try_wait().unwrap(), "a");
    let [first, second] = pending;
    drop(first);
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    poller.add_readable(&second).unwrap();
    assert!(poller.wait(None).unwrap().is_readable(&second));
    assert_eq!(second.wait().unwrap(), "c");
}

#[test]
fn what_ends_in_another_thread_ends_the_wait() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind("inproc://poller/ends").unwrap();
    client.connect("inproc://poller/ends").unwrap();
    for _ in 0..50 {
        // One of them is the socket's own conversation.
        for mut pending in ["a", "b"].map(|text| client.request(text).unwrap()) {
            let mut poller = Poller::new().readable(&pending);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    server.accept().unwrap().1.send("reply").unwrap();
                    // The poller may find the reply, or that it was taken.
                    while pending.try_wait().is_err() {
                        std::thread::yield_now();
                    }
                });
                assert!(!poller.wait(None).unwrap().is_empty());
            });
            assert!(poller.wait(None).unwrap().is_readable(&pending));
        }
    }
}

/// Also where the poller reads from the connection itself.
#[test]
fn a_deadline_ends_the_wait_for_a_connection() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    client.connect(server.bind("tcp://127.0.0.1:0").unwrap().address().unwrap()).unwrap();
    let mut poller = Poller::new();
    for _ in 0..20 {
        let pending = client.request("unanswered").unwrap().timeout(Duration::from_millis(5));
        assert_eq!(server.accept().unwrap().0, "unanswered");
        poller.add_readable(&pending).unwrap();
        assert!(poller.wait(None).unwrap().is_readable(&pending));
        assert_eq!(pending.wait().err(), Some(Error::TimedOut));
    }
}

#[test]
fn a_deadline_may_be_set_while_a_poller_waits() {
    let (client, surveyor) = (Req::new().unwrap(), Surveyor::new().unwrap());
    surveyor.set_survey_deadline(None).unwrap();
    let soon = Duration::from_millis(1);
    for _ in 0..30 {
        // One of each is the socket's own conversation.
        let [pending, other] = [(); 2].map(|()| client.request("unanswered").unwrap());
        let [answers, others] = [(); 2].map(|()| surveyor.survey("unanswered").unwrap());
        let mut poller = [&pending, &other].into_iter().fold(Poller::new(), Poller::readable);
        poller = [&answers, &others].into_iter().fold(poller, Poller::readable);
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                barrier.wait();
                (poller.wait(LONGEST).unwrap(), poller.wait(LONGEST).unwrap())
            });
            barrier.wait();
            // Put off, and then not.
            let pending = pending.timeout(LONGEST).timeout(soon);
            let answers = answers.timeout(LONGEST * 2).timeout(soon);
            let (first, second) = waiting.join().unwrap();
            for ready in [first, second] {
                assert!(ready.is_readable(&pending) || ready.is_readable(&answers));
                assert!(!ready.is_readable(&other) && !ready.is_readable(&others));
            }
        });
    }
}

#[test]
fn a_deadline_may_be_put_off_while_a_poller_waits() {
    let (client, server) = (Req::new().unwrap(), Rep::new().unwrap());
    server.bind("inproc://poller/put_off").unwrap();
    client.connect("inproc://poller/put_off").unwrap();
    for round in 0..30 {
        let pending = client.request("patience").unwrap().timeout(Duration::from_micros(100 * round));
        let (_, reply) = server.accept().unwrap();
        let mut poller = Poller::new().readable(&pending);
        let barrier = Barrier::new(2);
        let pending = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                barrier.wait();
                poller.wait(LONGEST).unwrap()
            });
            barrier.wait();
            let pending = pending.timeout(LONGEST);
            reply.send("at last").unwrap();
            // At its end if the wait was faster.
            assert!(waiting.join().unwrap().is_readable(&pending));
            pending
        });
        assert_eq!(pending.wait().unwrap(), "at last");
    }
}
