//! Fuzz targets for parts of the library: functions that take arbitrary bytes and panic if a check fails.
//!
//! The package in fuzz/ runs them with a fuzzer, and has their seeds; the test below runs them on the
//! seeds. The module is compiled only for tests and fuzzing. The targets for the C interface are in
//! fuzz/.

mod address;
#[cfg(feature = "tls")]
mod tls;
mod trie;
mod wire;

pub use address::address;
#[cfg(feature = "tls")]
pub use tls::tls_handshake;
#[cfg(all(feature = "tls", unix, not(any(loom, simulated))))]
pub use tls::tls_records;
pub use trie::trie;
pub use wire::{frames, framing, handshake, upgrade};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Runs a target on each of its seeds, in the repository: the published package does not have them.
    fn replay(name: &str, target: fn(&[u8])) {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        if !fuzz.exists() {
            return;
        }
        let folder = fuzz.join("seeds").join(name);
        let seeds = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let seeds: Vec<_> = seeds.map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect();
        assert!(!seeds.is_empty(), "{} is empty", folder.display());
        seeds.iter().for_each(|seed| target(seed));
    }

    #[test]
    fn every_seed_passes() {
        replay("address", address);
        replay("trie", trie);
        replay("handshake", handshake);
        replay("framing", framing);
        replay("upgrade", upgrade);
        replay("frames", frames);
    }

    #[test]
    #[cfg(feature = "tls")]
    fn every_seed_of_a_handshake_passes() {
        replay("tls_handshake", tls_handshake);
    }

    #[test]
    #[cfg(all(feature = "tls", unix, not(any(loom, simulated))))]
    fn every_seed_of_records_passes() {
        replay("tls_records", tls_records);
    }
}
