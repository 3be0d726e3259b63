//! The layer of a system that has no sealed memory: there is none.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

use super::Side;
use crate::transport::SharedMemory;
use crate::transport::stream::platform;

/// A layer that does not exist.
pub(in crate::transport::stream) enum Shared {}

impl Shared {
    /// Whether this system has it.
    pub(in crate::transport::stream) const EXISTS: bool = false;

    pub(in crate::transport::stream) fn new(_side: Side, _memory: &SharedMemory) -> Option<Shared> {
        None
    }

    pub(in crate::transport::stream) fn read(
        &self,
        _raw: &platform::Stream,
        _direct: Option<&mut [MaybeUninit<u8>]>,
        _spill: &mut [MaybeUninit<u8>],
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(in crate::transport::stream) fn write(
        &self,
        _raw: &platform::Stream,
        _pieces: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        match *self {}
    }

    pub(in crate::transport::stream) fn flush(&self, _raw: &platform::Stream) -> io::Result<()> {
        match *self {}
    }

    pub(in crate::transport::stream) fn wants_flush(&self) -> bool {
        match *self {}
    }

    pub(in crate::transport::stream) fn is_free(&self) -> bool {
        match *self {}
    }

    pub(in crate::transport::stream) fn is_in_use(&self) -> bool {
        match *self {}
    }

    pub(in crate::transport::stream) fn tells_of_input(&self) -> bool {
        match *self {}
    }

    pub(in crate::transport::stream) fn has_unread(&self) -> Option<bool> {
        match *self {}
    }
}
