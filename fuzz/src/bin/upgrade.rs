//! See `scaproust::fuzzing::upgrade`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::upgrade(input));
