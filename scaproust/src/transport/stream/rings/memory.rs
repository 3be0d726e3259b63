//! The memory that two processes share: a sealed memfd, mapped by both.
//!
//! The side that connects makes it and passes its descriptor; the side that accepts checks it, reserves its pages and says how
//! much of it is used. It is sealed against shrinking, so that no access can fault because the peer has cut it off. A
//! forked child does not inherit the mapping.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};

use libc::{c_int, c_uint, off_t};

use super::Side;
use super::ring::{Control, RingReader, RingWriter};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{CachePadded, above_standard, is_standard};
use crate::transport::shared_memory::{MOST_BYTES, ring_size};

/// The version of the layout. Another one is refused.
const VERSION: u32 = 1;
/// Where the rings begin in the file.
const RINGS_START: usize = 4096;
/// The name that the file has in `/proc`.
const NAME: &CStr = c"nanomsg-ipc";
/// The seals that the file must have: its size does not change, and no seal is added.
const SEALS: c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
/// The seal that keeps the file from being executed, and the flag for it; since Linux 6.3.
const NOEXEC_SEAL: c_uint = 8;

/// The beginning of the file.
#[repr(C)]
struct Header {
    version: AtomicU32,
    /// Zero until the side that accepts has accepted; then the bytes of each ring that are used.
    accepted: AtomicU32,
    /// From the side that connects to the one that accepts.
    forth: CachePadded<Control>,
    /// In the other direction.
    back: CachePadded<Control>,
}

const _: () = assert!(size_of::<Header>() <= RINGS_START);

/// The size of a file with rings of `size` bytes each.
fn file_size(size: u32) -> usize {
    RINGS_START + 2 * size as usize
}

/// A mapping of the file. Dropping it ends the mapping.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    /// The bytes of each ring for which the file has room.
    size: u32,
}

// SAFETY: the mapping belongs to the process, and what is in it is reached as `Ring` says.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Makes a file with rings of `size` bytes, for the peer. Its pages are not reserved yet.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn create(size: u32) -> io::Result<(Memory, OwnedFd)> {
        let file = File::from(above_standard(new_file, is_standard)?);
        file.set_len(file_size(size) as u64)?;
        // Reserves the first page: if there is no memory this fails, where a store would end the process.
        file.write_all_at(&[0; RINGS_START], 0)?;
        let descriptor = OwnedFd::from(file);
        // SAFETY: the call has no preconditions.
        if unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let memory = Memory::map(&descriptor, size)?;
        let header = memory.header();
        header.forth.0.initialise();
        header.back.0.initialise();
        header.version.store(VERSION, Ordering::Relaxed);
        Ok((memory, descriptor))
    }

    /// Maps a file that the peer has made, and reserves the pages of rings of at most `most` bytes. Returns the mapping and the
    /// bytes of each ring to be used.
    ///
    /// # Errors
    /// The operating system's; `InvalidInput` if the file is not one that [`Memory::create`] makes.
    pub(super) fn open(descriptor: &OwnedFd, most: u32) -> io::Result<(Memory, u32)> {
        if !is_sealed(descriptor) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let length = length(descriptor)?;
        let size = u32::try_from(length.saturating_sub(RINGS_START) / 2).unwrap_or(0);
        if !is_valid(size) || length != file_size(size) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let used = size.min(most);
        reserve(descriptor, 0, RINGS_START + used as usize)?;
        reserve(descriptor, RINGS_START + size as usize, used as usize)?;
        let memory = Memory::map(descriptor, size)?;
        if memory.header().version.load(Ordering::Relaxed) != VERSION {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok((memory, used))
    }

    fn map(descriptor: &OwnedFd, size: u32) -> io::Result<Memory> {
        let length = file_size(size);
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses the place, so no memory that is in use is replaced.
        let start = unsafe {
            libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, descriptor.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let memory = Memory { start, size };
        // SAFETY: the range is the mapping that was just made.
        if unsafe { libc::madvise(start.as_ptr().cast(), length, libc::MADV_DONTFORK) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(memory)
    }

    fn header(&self) -> &Header {
        // SAFETY: the mapping begins with it, page-aligned, and lives as long as `self`. All of it is atomic.
        unsafe { self.start.cast::<Header>().as_ref() }
    }

    /// Says to the peer that rings of `used` bytes are used from now on.
    pub(super) fn accept(&self, used: u32) {
        self.header().accepted.store(used, Ordering::Release);
    }

    /// The bytes of each ring that the peer has accepted; `None` if it has not, or the number is not valid.
    pub(super) fn accepted(&self) -> Option<u32> {
        let used = self.header().accepted.load(Ordering::Acquire);
        Some(used).filter(|used| is_valid(*used) && *used <= self.size)
    }

    /// The two rings, of `used` bytes each, as one side sees them. They are valid as long as the mapping.
    pub(super) fn rings(&self, side: Side, used: u32) -> (RingReader, RingWriter) {
        assert!(is_valid(used) && used <= self.size);
        let header = self.header();
        let ring = |control: &CachePadded<Control>, number: usize| {
            // SAFETY: the file has room for two rings of `size` bytes.
            let bytes = unsafe { self.start.add(RINGS_START + number * self.size as usize) };
            (NonNull::from(&control.0), bytes)
        };
        let (forth, back) = (ring(&header.forth, 0), ring(&header.back, 1));
        let (inbound, outbound) = if side == Side::Connected { (back, forth) } else { (forth, back) };
        // SAFETY: both are inside the mapping, and each half is made once. The caller keeps the mapping.
        unsafe {
            (RingReader::new(inbound.0, inbound.1, used), RingWriter::new(outbound.0, outbound.1, used))
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, and nothing is in it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), file_size(self.size)) };
    }
}

/// Whether rings may have this size.
fn is_valid(size: u32) -> bool {
    size == ring_size(size) && size > 0 && size <= MOST_BYTES
}

fn new_file() -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a text that ends with a zero.
    let make = |flags| unsafe { libc::memfd_create(NAME.as_ptr(), flags) };
    let made = [flags | NOEXEC_SEAL, flags].into_iter().map(make).find(|descriptor| *descriptor >= 0);
    // SAFETY: the descriptor was just made, and nothing else owns it.
    made.map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) }).ok_or_else(io::Error::last_os_error)
}

/// Whether the file is a memfd that keeps its size. One of huge pages is not accepted: an access to it could fault.
fn is_sealed(descriptor: &OwnedFd) -> bool {
    // SAFETY: the call has no preconditions. It fails for any other kind of file.
    let seals = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GET_SEALS) };
    seals >= 0 && seals & SEALS == SEALS && is_of_tmpfs(descriptor)
}

/// Whether the file can be sealed at all: it is memory, and closing it waits for nothing.
pub(super) fn is_memory(descriptor: &OwnedFd) -> bool {
    // SAFETY: the call has no preconditions.
    unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_GET_SEALS) >= 0 }
}

fn is_of_tmpfs(descriptor: &OwnedFd) -> bool {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the call writes one such structure.
    let result = unsafe { libc::fstatfs(descriptor.as_raw_fd(), found.as_mut_ptr()) };
    // SAFETY: it has succeeded.
    result == 0 && unsafe { found.assume_init() }.f_type == libc::TMPFS_MAGIC as _
}

/// The length of the file in bytes.
fn length(descriptor: &OwnedFd) -> io::Result<usize> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call writes one such structure.
    if unsafe { libc::fstat(descriptor.as_raw_fd(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it has succeeded.
    Ok(usize::try_from(unsafe { found.assume_init() }.st_size).unwrap_or(0))
}

/// Gives the file its pages, so that no later access has to.
fn reserve(descriptor: &OwnedFd, start: usize, length: usize) -> io::Result<()> {
    // SAFETY: the call has no preconditions.
    match unsafe { libc::fallocate(descriptor.as_raw_fd(), 0, start as off_t, length as off_t) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u32 = 64 * 1024;

    #[test]
    fn what_one_side_writes_the_other_one_reads() {
        let (made, descriptor) = Memory::create(SIZE).unwrap();
        let (opened, used) = Memory::open(&descriptor, SIZE / 2).unwrap();
        assert_eq!((used, made.accepted()), (SIZE / 2, None));
        opened.accept(used);
        assert_eq!(made.accepted(), Some(SIZE / 2));
        let (reader, writer) = made.rings(Side::Connected, used);
        let (their_reader, their_writer) = opened.rings(Side::Accepted, used);
        for (writer, reader) in [(writer, their_reader), (their_writer, reader)] {
            let bytes = vec![7; SIZE as usize];
            assert_eq!(writer.put([&bytes[..]].into_iter()), Ok(SIZE as usize / 2));
            assert!(writer.owes_wake_up() && !writer.owes_wake_up());
            let mut room = vec![MaybeUninit::uninit(); SIZE as usize];
            assert_eq!(reader.take(&mut [&mut room]), Ok(SIZE as usize / 2));
            // SAFETY: so many bytes were written.
            assert!(room[..SIZE as usize / 2].iter().all(|byte| unsafe { byte.assume_init() } == 7));
        }
    }

    #[test]
    fn an_answer_that_no_valid_peer_gives_is_none() {
        let (made, _descriptor) = Memory::create(SIZE).unwrap();
        for invalid in [0, 1, 4095, SIZE - 1, SIZE + 1, 2 * SIZE, u32::MAX] {
            made.accept(invalid);
            assert_eq!(made.accepted(), None, "{invalid}");
        }
    }

    #[test]
    fn a_file_that_could_be_cut_off_is_refused() {
        let file = File::from(new_file().unwrap());
        file.set_len(file_size(SIZE) as u64).unwrap();
        let descriptor = OwnedFd::from(file);
        let refused = |descriptor| Memory::open(descriptor, SIZE).unwrap_err().kind();
        assert_eq!(refused(&descriptor), io::ErrorKind::InvalidInput);
        let plain = OwnedFd::from(File::open("/proc/self/exe").unwrap());
        assert_eq!((refused(&plain), is_memory(&plain)), (io::ErrorKind::InvalidInput, false));
    }

    #[test]
    fn a_file_of_another_size_or_version_is_refused() {
        let sealed = |length: usize| {
            let file = File::from(new_file().unwrap());
            file.set_len(length as u64).unwrap();
            let descriptor = OwnedFd::from(file);
            // SAFETY: the call has no preconditions.
            assert_eq!(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_ADD_SEALS, SEALS) }, 0);
            descriptor
        };
        let small = RINGS_START + 2 * 4096;
        for length in [0, 1, RINGS_START, RINGS_START + 2, small - 1, small + 1, small + 4096, small] {
            let refused = Memory::open(&sealed(length), SIZE).unwrap_err().kind();
            assert_eq!(refused, io::ErrorKind::InvalidInput, "{length}");
        }
    }

    #[test]
    fn the_file_keeps_its_size() {
        let (_made, descriptor) = Memory::create(SIZE).unwrap();
        let file = File::from(descriptor);
        assert!(file.set_len(0).is_err() && file.set_len(1 << 30).is_err());
    }
}
