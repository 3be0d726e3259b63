//! See `nanomsg::fuzzing::upgrade`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::upgrade(input));
