//! `nn_get_statistic`.

use std::ffi::c_int;

use super::boundary;
use scaproust::ffi::error::Error;
use scaproust::ffi::socket::{self, Statistic};

/// Returns the value of one of a socket's NN_STAT_ statistics, or (uint64_t) -1 on error.
///
/// Fails with EBADF (no such socket) or EINVAL (no such statistic).
#[unsafe(no_mangle)]
pub extern "C" fn nn_get_statistic(s: c_int, stat: c_int) -> u64 {
    boundary::call(u64::MAX, || {
        let socket = socket::enter(s)?;
        socket.statistic(Statistic::from_number(stat).ok_or(Error::InvalidArgument)?)
    })
}
