//! The order of a listener's calls to accept.

use std::io::ErrorKind;
use std::time::Duration;

use super::Rate;

/// The pause after a failure that the next call would repeat, such as a lack of descriptors.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);
/// The pause when the rate is used up: time for four connections, or eight over a local socket.
const RATE_PAUSE: Duration = Duration::from_micros(250);

/// The next step of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptStep {
    /// Call accept, then [`Accepting::finished`].
    Accept,
    /// Do nothing until the poller or a timer reports that connections may be pending.
    Await,
    /// Wait for this time, then [`Accepting::resume`]. The poller does not report again what is pending already.
    Pause(Duration),
}

/// The state machine of a listener: accept until no connection is pending, at a bounded rate, with a pause after a
/// failure.
#[derive(Debug)]
pub(crate) struct Accepting {
    rate: Rate,
    /// Between an [`AcceptStep::Pause`] and the call to [`Accepting::resume`].
    is_paused: bool,
}

impl Accepting {
    /// A listener that has not accepted anything.
    pub(crate) fn new(rate: Rate) -> Accepting {
        Accepting { rate, is_paused: false }
    }

    /// Connections may be pending at `now`, the time since any fixed origin.
    pub(crate) fn next(&mut self, now: Duration) -> AcceptStep {
        if self.is_paused {
            AcceptStep::Await
        } else if self.rate.allows(now) {
            AcceptStep::Accept
        } else {
            self.pause(RATE_PAUSE)
        }
    }

    /// The call to accept has returned a connection, or failed with an error of this kind.
    pub(crate) fn finished(&mut self, outcome: Result<(), ErrorKind>) -> AcceptStep {
        match outcome {
            // A peer that has left before its turn took as much time, and says nothing about the next one.
            Ok(()) | Err(ErrorKind::ConnectionAborted) => {
                self.rate.count();
                AcceptStep::Accept
            }
            Err(ErrorKind::Interrupted) => AcceptStep::Accept,
            Err(ErrorKind::WouldBlock) => AcceptStep::Await,
            Err(_) => self.pause(FAILURE_PAUSE),
        }
    }

    /// The pause is over: connections may be pending again.
    pub(crate) fn resume(&mut self) {
        self.is_paused = false;
    }

    fn pause(&mut self, time: Duration) -> AcceptStep {
        self.is_paused = true;
        AcceptStep::Pause(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener with a backlog and simulated time.
    struct Simulation {
        accepting: Accepting,
        now: Duration,
        pending: usize,
        /// The next calls fail with these.
        failures: Vec<ErrorKind>,
    }

    impl Simulation {
        fn new(pending: usize, failures: &[ErrorKind]) -> Simulation {
            let failures = failures.iter().rev().copied().collect();
            Simulation {
                accepting: Accepting::new(Rate::network()),
                now: Duration::from_secs(1),
                pending,
                failures,
            }
        }

        fn accept(&mut self) -> Result<(), ErrorKind> {
            match self.failures.pop() {
                Some(failure) => Err(failure),
                None if self.pending == 0 => Err(ErrorKind::WouldBlock),
                None => {
                    self.pending -= 1;
                    Ok(())
                }
            }
        }

        /// Performs the steps until no connection is pending. Returns the pauses.
        fn run(&mut self) -> Vec<Duration> {
            let mut pauses = Vec::new();
            let mut step = self.accepting.next(self.now);
            loop {
                match step {
                    AcceptStep::Accept => {
                        let outcome = self.accept();
                        step = self.accepting.finished(outcome);
                        if step == AcceptStep::Accept {
                            step = self.accepting.next(self.now);
                        }
                    }
                    AcceptStep::Pause(time) => {
                        pauses.push(time);
                        assert_eq!(self.accepting.next(self.now), AcceptStep::Await, "the pause is not over");
                        self.now += time;
                        self.accepting.resume();
                        step = self.accepting.next(self.now);
                    }
                    AcceptStep::Await => return pauses,
                }
            }
        }
    }

    #[test]
    fn a_backlog_is_accepted_without_a_pause() {
        let mut simulation = Simulation::new(100, &[]);
        assert_eq!(simulation.run(), []);
        assert_eq!(simulation.pending, 0);
    }

    #[test]
    fn a_flood_is_accepted_at_a_bounded_rate() {
        let mut simulation = Simulation::new(256 + 4 * 4000, &[]);
        let pauses = simulation.run();
        assert!(pauses.iter().all(|pause| *pause == RATE_PAUSE));
        // The last one ends with an empty backlog.
        assert_eq!((simulation.pending, pauses.len()), (0, 4000 + 1));
    }

    #[test]
    fn peers_that_leave_before_their_turn_do_not_delay_the_others() {
        let mut simulation = Simulation::new(1, &[ErrorKind::ConnectionAborted, ErrorKind::Interrupted]);
        assert_eq!(simulation.run(), []);
        assert_eq!(simulation.pending, 0);
    }

    #[test]
    fn a_flood_of_peers_that_leave_before_their_turn_is_bounded_too() {
        let mut simulation = Simulation::new(1, &[ErrorKind::ConnectionAborted; 256 + 40]);
        assert_eq!(simulation.run(), [RATE_PAUSE; 10 + 1]);
        assert_eq!(simulation.pending, 0);
    }

    #[test]
    fn an_interrupted_call_does_not_count() {
        let mut simulation = Simulation::new(255, &[ErrorKind::Interrupted; 100]);
        assert_eq!(simulation.run(), []);
        assert_eq!(simulation.pending, 0);
    }

    #[test]
    fn a_lack_of_descriptors_is_followed_by_a_pause() {
        let mut simulation = Simulation::new(1, &[ErrorKind::Other, ErrorKind::Other]);
        assert_eq!(simulation.run(), [FAILURE_PAUSE; 2]);
        assert_eq!(simulation.pending, 0);
    }
}
