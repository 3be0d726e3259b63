//! The conformance kit: checks for every protocol, raw and cooked, and for every transport.
//!
//! A check is written once, as a function of a role or of a transport, and becomes one test for
//! each of them: `protocols::flow::keeps_the_order::raw_req` is the check `keeps_the_order` for
//! the raw REQ socket. A new protocol is a row in `role.rs` and in the lists of `protocols`, a new
//! transport one in `transports`; a new check is a function and its name in a list.
//!
//! The checks use the C functions, in which the protocol is a number and calls that a role does not
//! support can be made; with the Rust interface they do not compile.
//!
//! A check waits for events, for at most `socket::LIMIT`. Every check has addresses of its own, so
//! that checks run in parallel.

mod descriptor;
mod flow;
mod protocols;
mod role;
mod socket;
mod threads;
mod transports;

/// `cases!(arguments: [name …] check …)`: a module for each check, and in it a test for each name,
/// which calls the check with the value of the function of that name in `arguments`. A name may have attributes.
macro_rules! cases {
    ($arguments:path: $names:tt $($check:ident)*) => {
        $crate::cases!(@each $arguments; $names; $($check)*);
    };
    (@each $arguments:path; $names:tt; $($check:ident)*) => {
        $($crate::cases!(@one $arguments; $names; $check);)*
    };
    (@one $arguments:path; [$($(#[$attribute:meta])* $name:ident)*]; $check:ident) => {
        mod $check {
            $($(#[$attribute])*
            #[test]
            fn $name() {
                use $arguments as arguments;
                super::$check(arguments::$name());
            })*
        }
    };
}
pub(crate) use cases;
