//! See `scaproust::fuzzing::tls_handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::tls_handshake(input));
