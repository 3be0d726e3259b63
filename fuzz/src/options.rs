//! The target `options`: any sequence of options, set and read on sockets of every type.
//!
//! The value that was set is read; a refused value changes nothing; and no read writes beyond its
//! buffer.

use std::collections::BTreeMap;
use std::ffi::c_int;

use arbitrary::{Arbitrary, Unstructured};
use nanomsg::constants::*;
use nanomsg::*;

/// The content of memory that a read must not change.
const UNTOUCHED: u8 = 0xa5;

#[derive(Arbitrary, Debug)]
struct Step {
    level: i8,
    name: i8,
    room: u8,
    value: Value,
}

#[derive(Arbitrary, Debug)]
enum Value {
    None,
    Int(c_int),
    Small(i8),
    Bytes(Vec<u8>),
}

/// The first two bytes select the socket.
pub fn options(input: &[u8]) {
    let Some((&[raw, protocol], rest)) = input.split_first_chunk() else { return };
    let protocols = [
        NN_PAIR,
        NN_PUB,
        NN_SUB,
        NN_REQ,
        NN_REP,
        NN_PUSH,
        NN_PULL,
        NN_SURVEYOR,
        NN_RESPONDENT,
        NN_BUS,
        NN_PAIR_V1,
        NN_STAR,
    ];
    let domain = if raw & 1 == 0 { AF_SP } else { AF_SP_RAW };
    let socket = nn_socket(domain, protocols[usize::from(protocol) % protocols.len()]);
    assert!(socket >= 0);
    let mut known = BTreeMap::new();
    let mut bytes = Unstructured::new(rest);
    while !bytes.is_empty() {
        let Ok(step) = bytes.arbitrary::<Step>() else { break };
        take(socket, &step, &mut known);
    }
    assert_eq!(nn_close(socket), 0);
}

/// Sets an option, and reads it. `known` has the known values of options that can be read.
fn take(socket: c_int, step: &Step, known: &mut BTreeMap<(c_int, c_int), Vec<u8>>) {
    let (level, name) = (step.level.into(), step.name.into());
    let before = read(socket, level, name, 64);
    if let (Some(expected), Some(before)) = (known.get(&(level, name)), &before) {
        assert_eq!(before, expected, "level {level}, option {name}");
    }
    let value = match &step.value {
        Value::None => None,
        Value::Int(number) => Some(number.to_ne_bytes().to_vec()),
        Value::Small(number) => Some(c_int::from(*number).to_ne_bytes().to_vec()),
        Value::Bytes(bytes) => Some(bytes.clone()),
    };
    if let Some(value) = value {
        // SAFETY: so many bytes are there.
        let answer = unsafe { nn_setsockopt(socket, level, name, value.as_ptr().cast(), value.len()) };
        let after = read(socket, level, name, 64);
        if answer == 0 && (level, name) == (NN_SOL_SOCKET, NN_SOCKET_NAME) {
            // A name ends at its first zero.
            let name = value.split(|byte| *byte == 0).next();
            assert_eq!(after.as_deref(), name);
        } else if answer == 0 && (level, name) == (NN_SOL_SOCKET, NN_LINGER) {
            assert_eq!(after, before, "it is obeyed, but read as the C library does");
        } else if answer == 0 {
            assert!(
                after.is_none_or(|after| after == value),
                "level {level}, option {name} is not {value:?}"
            );
        } else {
            assert_eq!(answer, -1);
            assert!([libc::EINVAL, libc::ENOPROTOOPT].contains(&nn_errno()), "{}", nn_errno());
            assert_eq!(after, before, "level {level}, option {name} was refused, and has changed");
        }
    }
    if let Some(now) = read(socket, level, name, step.room) {
        known.insert((level, name), read(socket, level, name, 64).expect("it was read before"));
        assert!(now.len() <= usize::from(step.room));
    }
}

/// The value of an option, read into a buffer of the given length.
fn read(socket: c_int, level: c_int, name: c_int, room: u8) -> Option<Vec<u8>> {
    let mut bytes = vec![UNTOUCHED; room.into()];
    let mut length = bytes.len();
    // SAFETY: there is that much room.
    let answer = unsafe { nn_getsockopt(socket, level, name, bytes.as_mut_ptr().cast(), &mut length) };
    if answer != 0 {
        assert!(nn_errno() == libc::ENOPROTOOPT || nn_errno() == libc::EMFILE, "{}", nn_errno());
        assert!(bytes.iter().all(|byte| *byte == UNTOUCHED) && length == room.into());
        return None;
    }
    bytes.truncate(length);
    Some(bytes)
}
