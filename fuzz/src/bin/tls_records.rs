//! See `scaproust::fuzzing::tls_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| scaproust::fuzzing::tls_records(input));
