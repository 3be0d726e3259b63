//! A descriptor that is readable or not, as we say.
//!
//! On Linux it is an eventfd, on Windows a socket, elsewhere the end of a pipe; `--cfg portable` has
//! Linux do the same.

#[cfg(all(target_os = "linux", not(portable)))]
mod eventfd;
#[cfg(all(unix, any(not(target_os = "linux"), portable)))]
mod pipe;
#[cfg(windows)]
mod sockets;

#[cfg(all(target_os = "linux", not(portable)))]
pub(super) use eventfd::Level;
#[cfg(all(unix, any(not(target_os = "linux"), portable)))]
pub(super) use pipe::Level;
#[cfg(windows)]
pub(super) use sockets::Level;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn once_lowered_it_is_low_however_often_it_was_raised() {
        let level = Level::new().unwrap();
        let is_high = || {
            let mut entry = [crate::sync::Polled::new(level.descriptor())];
            crate::sync::poll(&mut entry, Some(Duration::ZERO)).unwrap() == 1 && entry[0].is_ready()
        };
        assert!(!is_high());
        // More often than a pipe has room for.
        for _ in 0..100_000 {
            level.raise();
        }
        assert!(is_high());
        level.lower();
        assert!(!is_high());
        level.lower();
        assert!(!is_high());
    }
}
