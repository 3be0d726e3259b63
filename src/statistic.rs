//! `nn_get_statistic`, and the structures with the statistics of endpoints and connections as bytes.

use std::ffi::c_int;

use super::boundary;
use scaproust::ffi::error::Error;
use scaproust::ffi::socket::{self, EndpointStatistics, PipeStatistics, Statistic, Traffic};

/// Returns the value of one of a socket's NN_STAT_ statistics, or (uint64_t) -1 on error.
///
/// Fails with EBADF (no such socket) or EINVAL (no such statistic).
#[unsafe(no_mangle)]
pub extern "C" fn nn_get_statistic(s: c_int, stat: c_int) -> u64 {
    boundary::call(u64::MAX, || {
        let socket = socket::enter_open(s)?;
        socket.statistic(Statistic::from_number(stat).ok_or(Error::InvalidArgument)?)
    })
}

/// The bytes of a `struct nn_endpoint_statistics`.
pub(super) fn encode_endpoint(statistics: &EndpointStatistics) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(statistics.endpoint.get().to_ne_bytes());
    bytes.extend(statistics.current_connections.to_ne_bytes());
    put(&mut bytes, traffic(&statistics.traffic));
    put(
        &mut bytes,
        [
            statistics.connect_attempts,
            statistics.connect_errors,
            statistics.connections,
            statistics.refused_connections,
            statistics.handshake_errors,
            statistics.dropped_connections,
            statistics.broken_connections,
        ],
    );
    bytes
}

/// The bytes of a `struct nn_pipe_statistics`.
pub(super) fn encode_pipe(statistics: &PipeStatistics) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(statistics.pipe.to_ne_bytes());
    bytes.extend(statistics.endpoint.get().to_ne_bytes());
    bytes.extend(u32::from(statistics.is_connected).to_ne_bytes());
    put(&mut bytes, traffic(&statistics.traffic));
    bytes
}

fn traffic(traffic: &Traffic) -> [u64; 6] {
    [
        traffic.messages_sent,
        traffic.bytes_sent,
        traffic.messages_received,
        traffic.bytes_received,
        traffic.messages_dropped,
        traffic.messages_missed,
    ]
}

fn put<const N: usize>(bytes: &mut Vec<u8>, counters: [u64; N]) {
    bytes.extend(counters.iter().flat_map(|counter| counter.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::constants::{nn_endpoint_statistics, nn_pipe_statistics};

    #[test]
    fn the_bytes_are_those_of_the_structures() {
        let id = socket::open(socket::AF_SP, crate::constants::NN_PUSH).unwrap();
        let call = socket::enter(id).unwrap();
        let endpoint = call.bind(b"inproc://statistic/layout").unwrap();
        let bytes = encode_endpoint(&call.endpoint_statistics(endpoint).unwrap());
        assert_eq!(bytes.len(), size_of::<nn_endpoint_statistics>());
        assert_eq!(bytes[..4], endpoint.to_ne_bytes());
        drop(call);
        socket::close(id).unwrap();
        let offsets = [
            offset_of!(nn_endpoint_statistics, endpoint),
            offset_of!(nn_endpoint_statistics, current_connections),
            offset_of!(nn_endpoint_statistics, messages_sent),
            offset_of!(nn_endpoint_statistics, messages_missed),
            offset_of!(nn_endpoint_statistics, connect_attempts),
            offset_of!(nn_endpoint_statistics, broken_connections),
            offset_of!(nn_pipe_statistics, pipe),
            offset_of!(nn_pipe_statistics, endpoint),
            offset_of!(nn_pipe_statistics, is_connected),
            offset_of!(nn_pipe_statistics, messages_sent),
            offset_of!(nn_pipe_statistics, messages_missed),
        ];
        assert_eq!(offsets, [0, 4, 8, 48, 56, 104, 0, 8, 12, 16, 56]);
    }
}
