//! Fuzz targets that look inside: functions that take any bytes, and panic if what they try does
//! what it must not.
//!
//! The package in fuzz/ gives them to a fuzzer, and has their first inputs; each of those is a test
//! here as well. It is not part of the library as it is built for use. Owns no checks of whole
//! calls: those see of the library what a C program sees, and stand in fuzz/.

mod address;
mod trie;
mod wire;

pub use address::address;
pub use trie::trie;
pub use wire::{frames, framing, handshake, upgrade};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Gives a target every input that is kept for it.
    fn replay(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let seeds = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let seeds: Vec<_> = seeds.map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect();
        assert!(!seeds.is_empty(), "{} is empty", folder.display());
        seeds.iter().for_each(|seed| target(seed));
    }

    #[test]
    fn every_input_that_was_kept_is_still_harmless() {
        replay("address", address);
        replay("trie", trie);
        replay("handshake", handshake);
        replay("framing", framing);
        replay("upgrade", upgrade);
        replay("frames", frames);
    }
}
