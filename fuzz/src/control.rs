//! The target `control`: any bytes as a control buffer, sent and received.
//!
//! Control messages are within their buffer, in ascending order, for any lengths in it, and a walk
//! through them ends. A protocol header that a raw socket has sent is received unchanged or not at
//! all, into a buffer of any size, and nothing follows it that was not written.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use nanomsg::constants::*;
use nanomsg::*;

const EMPTY: usize = size_of::<nn_cmsghdr>();
const WORD: usize = size_of::<usize>();

/// The first two bytes select the size of the receive buffer and the sockets.
pub fn control(input: &[u8]) {
    let Some((&[room, kind], buffer)) = input.split_first_chunk() else { return };
    // A buffer of exactly the given length, with the alignment of C programs.
    let mut words = vec![0_usize; buffer.len().div_ceil(WORD)];
    // SAFETY: there is that much room.
    unsafe { words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(buffer.as_ptr(), buffer.len()) };
    let mut out = nn_msghdr {
        msg_iov: null_mut(),
        msg_iovlen: 0,
        msg_control: words.as_mut_ptr().cast(),
        msg_controllen: buffer.len(),
    };
    let listed = walk(&out);

    let protocols = [
        [NN_REP, NN_REQ],
        [NN_SURVEYOR, NN_RESPONDENT],
        [NN_BUS, NN_BUS],
        [NN_PAIR, NN_PAIR],
        [NN_PAIR_V1, NN_PAIR_V1],
        [NN_STAR, NN_STAR],
    ];
    let pair = protocols[usize::from(kind) % protocols.len()].map(|protocol| nn_socket(AF_SP_RAW, protocol));
    // SAFETY: the addresses are texts, and all pointers are valid for the given lengths.
    unsafe {
        assert!(pair.iter().all(|socket| *socket >= 0));
        assert!(nn_bind(pair[0], c"inproc://control".as_ptr()) > 0);
        assert!(nn_connect(pair[1], c"inproc://control".as_ptr()) > 0);
        for [from, to] in [pair, [pair[1], pair[0]]] {
            if nn_sendmsg(from, &out, NN_DONTWAIT) < 0 {
                assert!([libc::EINVAL, libc::EAGAIN].contains(&nn_errno()), "{}", nn_errno());
            }
            let mut place = vec![usize::MAX; usize::from(room)];
            let mut header = nn_msghdr { msg_control: place.as_mut_ptr().cast(), ..out };
            header.msg_controllen = usize::from(room);
            if nn_recvmsg(to, &mut header, NN_DONTWAIT) >= 0 {
                check_received(&header, &place);
            }
        }
        // In a message of the library (NN_MSG).
        let mut message = nn_allocmsg(buffer.len(), 0);
        message.cast::<u8>().copy_from_nonoverlapping(buffer.as_ptr(), buffer.len());
        out.msg_control = (&raw mut message).cast();
        out.msg_controllen = NN_MSG;
        assert_eq!(walk(&out), listed);
        if nn_sendmsg(pair[0], &out, NN_DONTWAIT) < 0 {
            assert_eq!(nn_freemsg(message), 0);
        }
        let mut message: *mut c_void = null_mut();
        let mut header = nn_msghdr { msg_control: (&raw mut message).cast(), ..out };
        if nn_recvmsg(pair[1], &mut header, NN_DONTWAIT) >= 0 {
            assert_eq!(walk(&header).first().map(|first| (first.1, first.2)), Some((PROTO_SP, SP_HDR)));
            assert_eq!(nn_freemsg(message), 0);
        }
    }
    for socket in pair {
        assert_eq!(nn_close(socket), 0);
    }
}

/// Checks that only whole control messages were written, the protocol header first, and nothing after
/// the room.
fn check_received(header: &nn_msghdr, place: &[usize]) {
    let room = header.msg_controllen;
    let listed = walk(header);
    if let [first, ..] = listed[..] {
        assert_eq!((first.1, first.2), (PROTO_SP, SP_HDR));
        assert!(first.0 >= EMPTY + WORD && first.0 <= room);
        assert!(place[EMPTY / WORD] <= first.0 - EMPTY - WORD, "longer than its control message");
    }
    // A type stays with its message, over inproc too.
    let is_known = |&(length, level, kind): &(usize, c_int, c_int)| {
        (level, kind) == (NN_WS, NN_WS_MSG_TYPE) && length > EMPTY && length <= room
    };
    assert!(listed.iter().skip(1).all(is_known) && listed.len() <= 2, "not sent: {listed:?}");
    let behind = room.div_ceil(WORD);
    assert!(place[behind..].iter().all(|word| *word == usize::MAX), "more was written than there is room");
}

/// Length, level and type of all control messages of a valid buffer.
fn walk(header: &nn_msghdr) -> Vec<(usize, c_int, c_int)> {
    let mut listed = Vec::new();
    let mut at: *mut nn_cmsghdr = null_mut();
    loop {
        // SAFETY: the buffer is there, and the place is null or in it.
        let next = unsafe { nn_cmsg_nxthdr_(header, at) };
        if next.is_null() {
            return listed;
        }
        assert!(at.is_null() || next.addr() >= at.addr() + EMPTY, "they overlap");
        // SAFETY: a control message is there as far as its first bytes go.
        let nn_cmsghdr { cmsg_len, cmsg_level, cmsg_type } = unsafe { next.read_unaligned() };
        listed.push((cmsg_len, cmsg_level, cmsg_type));
        at = next;
    }
}
