//! See `nanomsg::fuzzing::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::frames(input));
