//! Descriptors that are passed over a local socket.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::{mem, ptr};

use libc::{c_int, c_uint, c_void, cmsghdr, msghdr};

use crate::transport::stream::platform::{NO_SIGNAL, Stream};

/// The control message of one descriptor.
#[repr(C)]
struct OneDescriptor {
    header: cmsghdr,
    descriptor: RawFd,
}

/// The length of that message, without the padding behind it: of what does not fit, the kernel passes nothing.
const LENGTH: usize = mem::offset_of!(OneDescriptor, descriptor) + size_of::<RawFd>();

// The descriptor follows the header as the kernel has it.
// SAFETY: the macro only computes.
const _: () = assert!(LENGTH == unsafe { libc::CMSG_LEN(size_of::<RawFd>() as c_uint) } as usize);

/// A message without a name.
fn message(parts: *mut libc::iovec, count: usize, control: &mut MaybeUninit<OneDescriptor>) -> msghdr {
    // SAFETY: zeros are a valid message.
    let mut message: msghdr = unsafe { mem::zeroed() };
    message.msg_iov = parts;
    message.msg_iovlen = count as _;
    message.msg_control = control.as_mut_ptr().cast::<c_void>();
    message.msg_controllen = LENGTH as _;
    message
}

/// Writes `pieces`, with a descriptor that comes with their first byte. Returns the number of bytes.
///
/// # Errors
/// The operating system's.
pub(in crate::transport::stream) fn send_with_descriptor(
    stream: &Stream,
    pieces: &[IoSlice<'_>],
    descriptor: &OwnedFd,
) -> io::Result<usize> {
    // SAFETY: zeros are a valid header.
    let mut header: cmsghdr = unsafe { mem::zeroed() };
    header.cmsg_len = LENGTH as _;
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    let mut control = MaybeUninit::new(OneDescriptor { header, descriptor: descriptor.as_raw_fd() });
    // An `IoSlice` is an `iovec` on Unix, and sendmsg does not change what it refers to.
    let message = message(pieces.as_ptr().cast_mut().cast(), pieces.len(), &mut control);
    // SAFETY: the message refers to the pieces and the control message, which live until the call returns.
    let count = unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const message, NO_SIGNAL) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Reads into `room`. Returns the number of bytes, and the first descriptor that has come with them. The kernel closes others.
///
/// # Errors
/// The operating system's.
pub(super) fn receive_with_descriptor(
    stream: &Stream,
    room: &mut [MaybeUninit<u8>],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    let mut control = MaybeUninit::<OneDescriptor>::zeroed();
    let mut message = message(&raw mut part, 1, &mut control);
    const FLAGS: c_int = libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message refers to `room` and `control`, which live until the call returns.
    let count = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, FLAGS) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: all of it was zero, and the kernel has written a part of it, if any.
    let OneDescriptor { header, descriptor } = unsafe { ptr::read(control.as_ptr()) };
    let is_whole = message.msg_controllen >= LENGTH as _ && header.cmsg_len == LENGTH as _;
    let is_descriptor = header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS;
    // SAFETY: the kernel has just opened it, and nothing else owns it.
    let passed = (is_whole && is_descriptor).then(|| unsafe { OwnedFd::from_raw_fd(descriptor) });
    Ok((count, passed))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::transport::stream::test_support::connected_pair;

    #[test]
    fn a_descriptor_comes_with_the_first_byte() {
        let (ours, theirs) = connected_pair();
        let (ours, theirs) = (Stream::from(ours), Stream::from(theirs));
        let file = OwnedFd::from(File::open("/proc/self/exe").unwrap());
        let pieces = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(send_with_descriptor(&ours, &pieces, &file).unwrap(), 3);
        let mut room = [MaybeUninit::uninit(); 8];
        let (count, passed) = receive_with_descriptor(&theirs, &mut room[..1]).unwrap();
        let identity =
            |file: OwnedFd| File::from(file).metadata().map(|found| (found.dev(), found.ino())).unwrap();
        assert_eq!((count, identity(passed.unwrap())), (1, identity(file)));
        let (count, passed) = receive_with_descriptor(&theirs, &mut room).unwrap();
        assert!(count == 2 && passed.is_none());
    }
}
