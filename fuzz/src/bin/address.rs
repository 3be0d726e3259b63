//! See `nanomsg::fuzzing::address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::address(input));
