//! The order of a dialer's attempts to connect.

use std::collections::VecDeque;
use std::time::Duration;

use super::Backoff;

/// The most addresses of one look-up that are tried; a name may have thousands. The rest are ignored.
const MAX_ADDRESSES: usize = 16;

/// The next step of a dialer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DialStep<A> {
    /// Look up the addresses to connect to.
    Resolve,
    /// Connect to this address.
    Connect(A),
    /// Wait for this time, then [`DialStep::Resolve`].
    Wait(Duration),
}

/// The state machine of a dialer: look up the addresses, try one after another, wait when none is left,
/// and begin again. Each method takes an event and returns the next step, so the caller loops. There are
/// at most `MAX_ADDRESSES` attempts between two waits.
#[derive(Debug)]
pub(crate) struct Attempts<A> {
    backoff: Backoff,
    /// Addresses of the last look-up that have not been tried.
    untried: VecDeque<A>,
}

impl<A> Attempts<A> {
    /// A dialer whose first step is [`DialStep::Resolve`].
    pub(crate) fn new(backoff: Backoff) -> Attempts<A> {
        Attempts { backoff, untried: VecDeque::new() }
    }

    /// The look-up has found these addresses. Returns the one to connect to; if there is none, the look-up has failed.
    pub(crate) fn resolved(&mut self, addresses: impl IntoIterator<Item = A>) -> Option<A> {
        self.untried = addresses.into_iter().take(MAX_ADDRESSES).collect();
        self.untried.pop_front()
    }

    /// The attempt or the look-up has failed.
    pub(crate) fn failed(&mut self) -> DialStep<A> {
        match self.untried.pop_front() {
            Some(address) => DialStep::Connect(address),
            None => DialStep::Wait(self.backoff.delay()),
        }
    }

    /// A connection is established. The addresses that are left are dropped: they may be outdated when it
    /// is lost.
    pub(crate) fn connected(&mut self) {
        self.untried = VecDeque::new();
    }

    /// The peer's greeting is valid: the next delay is the first one again.
    pub(crate) fn established(&mut self) {
        self.backoff.reset();
    }

    /// The connection is lost.
    pub(crate) fn lost(&mut self) -> DialStep<A> {
        DialStep::Wait(self.backoff.delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dialer with delays of 10 to 40 ms, and a simulated network: `addresses_at` gives the addresses of
    /// the name, and `is_listening` says whether an address accepts, both at a time in milliseconds.
    struct Simulation<N, L> {
        attempts: Attempts<u32>,
        time: u64,
        addresses_at: N,
        is_listening: L,
    }

    impl<N: Fn(u64) -> Vec<u32>, L: Fn(u64, u32) -> bool> Simulation<N, L> {
        fn new(addresses_at: N, is_listening: L) -> Simulation<N, L> {
            let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(40));
            Simulation { attempts: Attempts::new(backoff), time: 0, addresses_at, is_listening }
        }

        /// Performs the steps until a connection is established or the time is `end`. Returns the attempts:
        /// time and address.
        fn run(&mut self, mut step: DialStep<u32>, end: u64) -> Vec<(u64, u32)> {
            let mut tried = Vec::new();
            while self.time < end {
                step = match step {
                    DialStep::Resolve => match self.attempts.resolved((self.addresses_at)(self.time)) {
                        Some(address) => DialStep::Connect(address),
                        None => self.attempts.failed(),
                    },
                    DialStep::Connect(address) => {
                        tried.push((self.time, address));
                        if (self.is_listening)(self.time, address) {
                            self.attempts.connected();
                            return tried;
                        }
                        self.attempts.failed()
                    }
                    DialStep::Wait(delay) => {
                        self.time += u64::try_from(delay.as_millis()).unwrap();
                        DialStep::Resolve
                    }
                };
            }
            tried
        }
    }

    #[test]
    fn all_addresses_are_tried_and_then_the_delay_doubles() {
        let mut simulation = Simulation::new(|_| vec![1, 2], |_, _| false);
        let tried = simulation.run(DialStep::Resolve, 100);
        let moments = [0, 10, 30, 70];
        assert_eq!(tried, moments.map(|at| [(at, 1), (at, 2)]).concat());
    }

    #[test]
    fn a_name_without_addresses_is_looked_up_again_after_the_same_delays() {
        let addresses_at = |time| if time < 30 { Vec::new() } else { vec![1] };
        let mut simulation = Simulation::new(addresses_at, |_, _| true);
        assert_eq!(simulation.run(DialStep::Resolve, 100), [(30, 1)]);
    }

    #[test]
    fn of_thousands_of_addresses_only_the_first_are_tried() {
        let mut simulation = Simulation::new(|_| (0..3_000).collect(), |_, _| false);
        let tried = simulation.run(DialStep::Resolve, 100);
        assert_eq!(tried.len(), 4 * MAX_ADDRESSES);
        assert_eq!(tried[MAX_ADDRESSES], (10, 0));
    }

    #[test]
    fn after_a_lost_connection_the_name_is_looked_up_again() {
        let addresses_at = |time| if time < 5 { vec![1, 2, 3] } else { vec![4] };
        let mut simulation = Simulation::new(addresses_at, |_, address| address != 1);
        assert_eq!(simulation.run(DialStep::Resolve, 100), [(0, 1), (0, 2)]);
        simulation.attempts.established();
        let step = simulation.attempts.lost();
        assert_eq!(simulation.run(step, 100), [(10, 4)]);
    }

    #[test]
    fn a_failure_after_a_lost_connection_tries_no_address_of_the_look_up_before() {
        let mut simulation = Simulation::new(|_| vec![1, 2], |_, _| true);
        simulation.run(DialStep::Resolve, 100);
        assert_eq!(simulation.attempts.lost(), DialStep::Wait(Duration::from_millis(10)));
        // The look-up that follows fails.
        assert_eq!(simulation.attempts.failed(), DialStep::Wait(Duration::from_millis(20)));
    }

    #[test]
    fn only_a_valid_greeting_resets_the_delay() {
        let mut simulation = Simulation::new(|_| vec![1], |_, _| true);
        for (delay, is_established) in [(10, false), (20, false), (40, false), (40, true), (10, false)] {
            simulation.run(DialStep::Resolve, u64::MAX);
            assert_eq!(simulation.attempts.lost(), DialStep::Wait(Duration::from_millis(delay)));
            if is_established {
                simulation.attempts.established();
            }
        }
    }
}
