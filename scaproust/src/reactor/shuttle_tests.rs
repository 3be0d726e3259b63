//! Random schedules of the reactor's thread and of threads that use it.

use super::*;
use crate::machine::exploring::{choose, explore, quick, quick_or_slow};
use crate::machine::spawn;
use crate::sync::Event;

/// A source that counts its calls.
struct Probe {
    woken: AtomicUsize,
    timeouts: AtomicUsize,
    called: Event,
}

impl Probe {
    fn new() -> Arc<Probe> {
        Arc::new(Probe { woken: AtomicUsize::new(0), timeouts: AtomicUsize::new(0), called: Event::new() })
    }

    fn wait_until(&self, is_met: impl Fn(&Probe) -> bool) {
        loop {
            let epoch = self.called.epoch();
            if is_met(self) {
                return;
            }
            self.called.wait(epoch, None);
        }
    }
}

impl Source for Probe {
    fn woken(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.called.notify_all();
    }

    fn timeout(self: Arc<Self>, _now: Duration) {
        self.timeouts.fetch_add(1, Ordering::SeqCst);
        self.called.notify_all();
    }
}

/// The thread finds mail and timers before its longest sleep is over.
#[test]
fn shuttle_mail_and_timers_are_found_at_once() {
    explore(10_000, quick, || {
        let began = now();
        let reactor = Reactor::new(Duration::ZERO).unwrap();
        let own = reactor.clone();
        let thread = spawn("reactor", move || own.run());
        let probe = Probe::new();
        let users: Vec<_> = (0..2)
            .map(|_| {
                let (reactor, probe) = (reactor.clone(), probe.clone());
                spawn("user", move || {
                    let never = reactor.at(now() + Duration::from_secs(3600), probe.clone());
                    for _ in 0..2 {
                        reactor.wake(probe.clone());
                    }
                    let soon = Duration::from_micros([0, 300, 5000][choose(3) as usize]);
                    reactor.at(now() + soon, probe.clone());
                    reactor.cancel(never);
                })
            })
            .collect();
        probe.wait_until(|probe| {
            probe.woken.load(Ordering::SeqCst) == 4 && probe.timeouts.load(Ordering::SeqCst) == 2
        });
        users.into_iter().for_each(crate::machine::Thread::join);
        assert!(now() - began < Duration::from_secs(1), "the thread has slept in spite of work");
        reactor.stop().wake();
        thread.join();
        assert_eq!(Arc::strong_count(&probe), 1);
    });
}

/// A stop comes at any moment, announced or not, and leaves nothing.
#[test]
fn shuttle_stop_at_any_moment() {
    explore(10_000, quick_or_slow, || {
        let reactor = Reactor::new(Duration::ZERO).unwrap();
        let own = reactor.clone();
        let thread = spawn("reactor", move || own.run());
        let probe = Probe::new();
        let own = (reactor.clone(), probe.clone());
        let user = spawn("user", move || {
            let (reactor, probe) = own;
            reactor.wake(probe.clone());
            let timer = reactor.at(now() + Duration::from_micros(choose(100)), probe.clone());
            reactor.cancel(timer);
            reactor.at(now(), probe.clone());
        });
        for _ in 0..choose(20) {
            crate::machine::point();
        }
        if choose(2) == 0 {
            reactor.announce_stop();
        }
        reactor.stop().wake();
        user.join();
        thread.join();
        assert_eq!(Arc::strong_count(&reactor), 1, "the thread has ended");
    });
}
