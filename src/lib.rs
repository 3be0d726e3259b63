//! The C interface: the functions that C programs link to, one file for each noun of the interface.
//!
//! Owns everything that only C has: raw pointers, `errno`, `NN_MSG`, control messages, and the
//! numbers of the headers. An entry point checks its pointers, makes slices of them, calls the
//! socket layer, and converts the result. It has no state, and no behaviour that a Rust program
//! needs too. Every entry point runs inside `boundary::call` or `boundary::blocking`, which catch
//! panics and set `errno`.
//!
//! The headers in `include/nanomsg/` are generated from these files with their doc comments, so
//! the comments on public items are written for C programmers.

mod body;
mod boundary;
pub mod constants;
mod control;
mod device;
mod endpoint;
mod error;
mod message;
mod option;
mod poll;
mod socket;
mod statistic;
mod symbol;
mod term;
mod transfer;
mod vector;

pub use control::{nn_cmsg_nxthdr_, nn_cmsghdr};
pub use device::nn_device;
pub use endpoint::{nn_bind, nn_connect, nn_shutdown};
pub use error::{nn_errno, nn_strerror};
pub use message::{nn_allocmsg, nn_freemsg, nn_reallocmsg};
pub use poll::{nn_poll, nn_pollfd};
pub use socket::{nn_close, nn_getsockopt, nn_setsockopt, nn_socket};
pub use statistic::nn_get_statistic;
pub use symbol::{nn_symbol, nn_symbol_info, nn_symbol_properties};
pub use term::nn_term;
pub use transfer::{nn_recv, nn_recvmsg, nn_send, nn_sendmsg};
pub use vector::{nn_iovec, nn_msghdr};
