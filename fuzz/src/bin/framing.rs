//! See `nanomsg::fuzzing::framing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::framing(input));
