//! See `nanomsg::fuzzing::trie`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nanomsg::fuzzing::trie(input));
