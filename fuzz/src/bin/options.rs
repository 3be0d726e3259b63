//! See `nanomsg_fuzz::options::options`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg_fuzz::options::options(input));
