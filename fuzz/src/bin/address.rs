//! See `scaproust::fuzzing::address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::address(input));
