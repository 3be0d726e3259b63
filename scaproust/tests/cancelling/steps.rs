//! The steps at which futures are dropped, and the count of what has come.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use scaproust::Message;

/// A pseudo-random sequence.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// When a future is dropped.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// After it was pending so many times; at once if that is zero.
    Pending(u64),
    /// When it was woken after it was pending so many times, before it is polled again.
    Woken(u64),
    /// Not before it is ready.
    Never,
}

impl Step {
    pub(crate) fn choose(random: &mut Random) -> Step {
        match random.below(6) {
            0..3 => Step::Pending(random.below(3)),
            3..5 => Step::Woken(1 + random.below(2)),
            _ => Step::Never,
        }
    }
}

/// A future that is dropped at a step: it is then `None`.
pub(crate) struct Dropped<F> {
    /// `None` after it was dropped.
    future: Option<F>,
    step: Step,
    pending: u64,
}

pub(crate) fn dropped<F: Future + Unpin>(future: F, step: Step) -> Dropped<F> {
    Dropped { future: Some(future), step, pending: 0 }
}

impl<F: Future + Unpin> Future for Dropped<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Dropped { future, step, pending } = &mut *self;
        let ends = match step {
            Step::Pending(times) => *times == 0,
            Step::Woken(times) => *pending == *times,
            Step::Never => false,
        };
        if !ends
            && let Some(future) = future
            && let Poll::Ready(output) = Pin::new(future).poll(context)
        {
            return Poll::Ready(Some(output));
        }
        *pending += 1;
        if ends || matches!(step, Step::Pending(times) if *pending == *times) {
            *future = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// Counts the messages with these numbers.
pub(crate) struct Ledger {
    pub(crate) came: Vec<AtomicU8>,
    left: AtomicUsize,
}

impl Ledger {
    pub(crate) fn new(count: usize) -> Ledger {
        Ledger { came: (0..count).map(|_| AtomicU8::new(0)).collect(), left: AtomicUsize::new(count) }
    }

    /// Notes a message. Returns whether it was the last one.
    pub(crate) fn note(&self, message: &Message) -> bool {
        self.note_number(number(message))
    }

    /// Notes the message with this number. Returns whether it was the last one.
    pub(crate) fn note_number(&self, number: usize) -> bool {
        self.came[number].fetch_add(1, Ordering::Relaxed);
        self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }

    pub(crate) fn assert_each_once(&self) {
        let wrong: Vec<_> =
            self.came.iter().enumerate().filter(|(_, count)| count.load(Ordering::Relaxed) != 1).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

pub(crate) fn number(message: &Message) -> usize {
    u32::from_le_bytes(message[..4].try_into().unwrap()) as usize
}

/// A message with this number.
pub(crate) fn numbered(number: usize) -> [u8; 4] {
    (number as u32).to_le_bytes()
}
