//! See `scaproust::fuzzing::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::handshake(input));
