//! See `nanomsg_fuzz::control::control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg_fuzz::control::control(input));
