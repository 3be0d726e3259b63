//! The conformance kit: what every protocol must do, raw and cooked, and what every transport
//! must do.
//!
//! A check is written once, as a function of a role or of a transport, and becomes one test for
//! each of them: `protocols::flow::keeps_the_order::raw_req` is the check `keeps_the_order` for
//! the raw REQ socket. A new protocol is a row in `role.rs` and in the lists of `protocols`, a new
//! transport one in `transports`; a new check is a function and its name in a list.
//!
//! The sockets are those of the C functions, called from Rust: there the protocol is a number, so
//! that one table names them all, and there even a call that a role forbids can be made. The Rust
//! face forbids it when it is compiled.
//!
//! A check waits for events, and for nothing longer than `socket::LIMIT`. Every check has addresses
//! of its own, so they run side by side.

mod descriptor;
mod flow;
mod protocols;
mod role;
mod socket;
mod threads;
mod transports;

/// `cases!(arguments: [name …] check …)`: a module for each check, and in it a test for each name,
/// which calls the check with what `arguments` says of the name.
macro_rules! cases {
    ($arguments:path: [$($name:ident)*] $($check:ident)*) => {
        $crate::cases!(@each $arguments; [$($name)*]; $($check)*);
    };
    (@each $arguments:path; $names:tt; $($check:ident)*) => {
        $($crate::cases!(@one $arguments; $names; $check);)*
    };
    (@one $arguments:path; [$($name:ident)*]; $check:ident) => {
        mod $check {
            $(#[test]
            fn $name() {
                use $arguments as arguments;
                super::$check(arguments::$name());
            })*
        }
    };
}
pub(crate) use cases;
