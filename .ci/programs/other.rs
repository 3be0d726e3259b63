//! Other Rust code that a C program links together with libnanomsg.a. It uses threads, allocation and panics, and so
//! contains most of the standard library.

use std::collections::HashMap;
use std::panic::catch_unwind;

/// Returns 42 if threads, maps and panics work.
#[unsafe(no_mangle)]
pub extern "C" fn other_rust_code() -> i32 {
    std::panic::set_hook(Box::new(|_| ()));
    let answers = HashMap::from([(true, 42)]);
    let thread = std::thread::spawn(|| catch_unwind(|| panic!("on purpose")).is_err());
    thread.join().map_or(0, |caught| answers.get(&caught).copied().unwrap_or(0))
}
