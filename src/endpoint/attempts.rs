//! Which attempt to connect comes next, and when.

use std::collections::VecDeque;
use std::time::Duration;

use super::Backoff;

/// Addresses that are kept of one look-up. A name may have thousands; the others are left out until
/// the next look-up.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// What a dialer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step<A> {
    /// Find out the addresses to connect to.
    Resolve,
    /// Connect to this address.
    Connect(A),
    /// Make a pause that long; then [`Step::Resolve`].
    Wait(Duration),
}

/// The rules of a dialer: it resolves, tries one address after another, waits when none is left, and
/// begins again. Each event of the network gives the next step; none of them calls another, so a
/// row of failures is a loop of the caller's, of at most [`MAX_ADDRESSES`] turns between two pauses.
#[derive(Debug)]
pub(crate) struct Attempts<A> {
    backoff: Backoff,
    /// Addresses of the last look-up that were not tried yet.
    untried: VecDeque<A>,
}

impl<A> Attempts<A> {
    /// The first step is [`Step::Resolve`].
    pub(crate) fn new(backoff: Backoff) -> Attempts<A> {
        Attempts { backoff, untried: VecDeque::new() }
    }

    /// The addresses are known. Having none counts as a failure.
    pub(crate) fn resolved(&mut self, addresses: impl IntoIterator<Item = A>) -> Step<A> {
        self.untried = addresses.into_iter().take(MAX_ADDRESSES).collect();
        self.failed()
    }

    /// An address could not be connected to, or there is none.
    pub(crate) fn failed(&mut self) -> Step<A> {
        match self.untried.pop_front() {
            Some(address) => Step::Connect(address),
            None => Step::Wait(self.backoff.delay()),
        }
    }

    /// There is a connection. The other addresses may be out of date when it is lost.
    pub(crate) fn connected(&mut self) {
        self.untried = VecDeque::new();
    }

    /// The peer at the other end is one to talk to.
    pub(crate) fn established(&mut self) {
        self.backoff.reset();
    }

    /// The connection is lost.
    pub(crate) fn lost(&mut self) -> Step<A> {
        Step::Wait(self.backoff.delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dialer of 10 to 40 ms, in a network where `answers` says what a name stands for and
    /// `is_listening` who accepts; both are told the time in milliseconds.
    struct Simulation<N, L> {
        attempts: Attempts<u32>,
        time: u64,
        answers: N,
        is_listening: L,
    }

    impl<N: Fn(u64) -> Vec<u32>, L: Fn(u64, u32) -> bool> Simulation<N, L> {
        fn new(answers: N, is_listening: L) -> Simulation<N, L> {
            let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(40));
            Simulation { attempts: Attempts::new(backoff), time: 0, answers, is_listening }
        }

        /// Does what is next until there is a connection or it is `end`. Answers when each address
        /// was tried.
        fn run(&mut self, mut step: Step<u32>, end: u64) -> Vec<(u64, u32)> {
            let mut tried = Vec::new();
            while self.time < end {
                step = match step {
                    Step::Resolve => self.attempts.resolved((self.answers)(self.time)),
                    Step::Connect(address) => {
                        tried.push((self.time, address));
                        if (self.is_listening)(self.time, address) {
                            self.attempts.connected();
                            return tried;
                        }
                        self.attempts.failed()
                    }
                    Step::Wait(delay) => {
                        self.time += u64::try_from(delay.as_millis()).unwrap();
                        Step::Resolve
                    }
                };
            }
            tried
        }
    }

    #[test]
    fn addresses_are_tried_at_once_and_then_there_is_a_pause_that_grows() {
        let mut simulation = Simulation::new(|_| vec![1, 2], |_, _| false);
        let tried = simulation.run(Step::Resolve, 100);
        let moments = [0, 10, 30, 70];
        assert_eq!(tried, moments.map(|at| [(at, 1), (at, 2)]).concat());
    }

    #[test]
    fn a_name_without_addresses_is_looked_up_again_after_the_same_pauses() {
        let answers = |time| if time < 30 { Vec::new() } else { vec![1] };
        let mut simulation = Simulation::new(answers, |_, _| true);
        assert_eq!(simulation.run(Step::Resolve, 100), [(30, 1)]);
    }

    #[test]
    fn of_thousands_of_addresses_a_few_are_tried_between_two_pauses() {
        let mut simulation = Simulation::new(|_| (0..3_000).collect(), |_, _| false);
        let tried = simulation.run(Step::Resolve, 100);
        assert_eq!(tried.len(), 4 * MAX_ADDRESSES);
        assert_eq!(tried[MAX_ADDRESSES], (10, 0));
    }

    #[test]
    fn after_a_loss_the_name_is_looked_up_anew() {
        let answers = |time| if time < 5 { vec![1, 2, 3] } else { vec![4] };
        let mut simulation = Simulation::new(answers, |_, address| address != 1);
        assert_eq!(simulation.run(Step::Resolve, 100), [(0, 1), (0, 2)]);
        simulation.attempts.established();
        let step = simulation.attempts.lost();
        assert_eq!(simulation.run(step, 100), [(10, 4)]);
    }

    #[test]
    fn only_an_established_connection_makes_the_pauses_short_again() {
        let mut simulation = Simulation::new(|_| vec![1], |_, _| true);
        for (delay, is_established) in [(10, false), (20, false), (40, false), (40, true), (10, false)] {
            simulation.run(Step::Resolve, u64::MAX);
            assert_eq!(simulation.attempts.lost(), Step::Wait(Duration::from_millis(delay)));
            if is_established {
                simulation.attempts.established();
            }
        }
    }
}
