//! Random numbers from a seed (SplitMix64), for simulations: each run of a seed has the same.

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number from 0 to `most`.
    #[cfg(simulated)]
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        if most == u64::MAX { self.next() } else { self.below(most + 1) }
    }

    /// Whether the one of so many cases is met; never with 0.
    pub(crate) fn one_in(&mut self, count: u32) -> bool {
        count > 0 && self.below(count.into()) == 0
    }
}
