//! See `scaproust::fuzzing::trie`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::trie(input));
