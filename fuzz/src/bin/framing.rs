//! See `scaproust::fuzzing::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::framing(input));
