//! See `nanomsg_fuzz::calls`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg_fuzz::calls::run(input));
