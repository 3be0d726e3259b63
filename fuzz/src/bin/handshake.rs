//! See `nanomsg::fuzzing::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::handshake(input));
