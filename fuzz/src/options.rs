//! The target `options`: any sequence of options, set and read on sockets of every type.
//!
//! The value that was set is read; a refused value changes nothing; and no read writes beyond its
//! buffer.

use std::collections::BTreeMap;
use std::ffi::c_int;

use arbitrary::{Arbitrary, Unstructured};
use nanomsg::constants::*;
use nanomsg::*;

/// The memory for a whole value.
const WHOLE: u8 = 255;
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
    let before = read(socket, level, name, WHOLE);
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
        let after = read(socket, level, name, WHOLE);
        if answer == 0 && matches!((level, name), (NN_TLS, NN_TLS_CA | NN_TLS_CRL)) {
            // It was added to those before.
        } else if answer == 0 && is_text(level, name) {
            // It ends at its first zero.
            let text =
                value.split(|byte| *byte == 0).next().map(|text| &text[..text.len().min(WHOLE.into())]);
            let is_secret = (level, name) == (NN_TLS, NN_TLS_KEY) && after.is_none();
            assert!(is_secret || after.as_deref() == text, "level {level}, option {name} is not {value:?}");
        } else if answer == 0 && (level, name) == (NN_SOL_SOCKET, NN_LINGER) {
            assert_eq!(after, before, "it is obeyed, but read as the C library does");
        } else if answer == 0 {
            assert!(
                after.is_none_or(|after| after == value),
                "level {level}, option {name} is not {value:?}"
            );
        } else {
            assert_eq!(answer, -1);
            let errno = nn_errno();
            assert!([libc::EINVAL, libc::ENOPROTOOPT].contains(&errno) || is_file(level, name), "{errno}");
            assert_eq!(after, before, "level {level}, option {name} was refused, and has changed");
        }
    }
    if let Some(now) = read(socket, level, name, step.room) {
        known.insert((level, name), read(socket, level, name, WHOLE).expect("it was read before"));
        assert!(now.len() <= usize::from(step.room));
    }
}

/// Whether the values of an option are texts.
fn is_text(level: c_int, name: c_int) -> bool {
    match level {
        NN_SOL_SOCKET => name == NN_SOCKET_NAME,
        NN_TCP => name == NN_TCP_ACCEPT,
        NN_TLS => matches!(name, NN_TLS_CERT | NN_TLS_KEY | NN_TLS_SERVER_NAME) || is_file(level, name),
        _ => false,
    }
}

/// Whether an option names a file, which is read when the option is set: then the errors are also the system's.
fn is_file(level: c_int, name: c_int) -> bool {
    const FILES: [c_int; 4] = [NN_TLS_CA_FILE, NN_TLS_CERT_FILE, NN_TLS_KEY_FILE, NN_TLS_CRL_FILE];
    level == NN_TLS && FILES.contains(&name)
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
