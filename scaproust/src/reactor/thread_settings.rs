//! What an I/O thread is like.

use std::borrow::Cow;
use std::ffi::CStr;
use std::time::Duration;

/// The settings of an I/O thread.
#[derive(Clone, Debug)]
pub(crate) struct ThreadSettings {
    /// The name that the system shows.
    pub(crate) name: Cow<'static, CStr>,
    /// The processors that it may run on; empty: all.
    pub(crate) processors: Box<[usize]>,
    /// How long it looks for events before it sleeps.
    pub(crate) spin: Duration,
}

impl Default for ThreadSettings {
    fn default() -> ThreadSettings {
        ThreadSettings { name: Cow::Borrowed(c"nanomsg"), processors: Box::default(), spin: Duration::ZERO }
    }
}
