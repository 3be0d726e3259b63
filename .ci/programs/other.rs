//! Rust code of somebody else's that a C program links along with libnanomsg.a: it uses threads, allocation and panics,
//! and so brings most of the standard library.

use std::collections::HashMap;
use std::panic::catch_unwind;

/// Answers 42, if threads, maps and panics work.
#[unsafe(no_mangle)]
pub extern "C" fn other_rust_code() -> i32 {
    std::panic::set_hook(Box::new(|_| ()));
    let answers = HashMap::from([(true, 42)]);
    let thread = std::thread::spawn(|| catch_unwind(|| panic!("on purpose")).is_err());
    thread.join().map_or(0, |caught| answers.get(&caught).copied().unwrap_or(0))
}
