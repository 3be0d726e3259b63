//! Options that the environment sets, for programs that do not set them.

use std::ffi::OsStr;

use super::MOST_SHARED;
use crate::sync::trusted;

/// `NN_IPC_SHM`; zero if the variable is not set, is not a number in the range of the option, or does not count. To be called
/// by a thread of the program: no other may read variables while it sets some.
pub(super) fn shared_memory() -> i32 {
    trusted(std::env::var_os("NN_IPC_SHM")).and_then(|value| bytes(&value)).unwrap_or(0)
}

/// A number of bytes in the range of the option.
fn bytes(value: &OsStr) -> Option<i32> {
    value.to_str()?.parse().ok().filter(|bytes| (0..=MOST_SHARED).contains(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_in_the_range_of_the_option() {
        for (value, expected) in [("0", Some(0)), ("1048576", Some(1 << 20)), ("67108864", Some(MOST_SHARED))]
        {
            assert_eq!(bytes(value.as_ref()), expected);
        }
        for value in ["", "-1", "1M", "67108865", " 4096"] {
            assert_eq!(bytes(value.as_ref()), None, "{value}");
        }
    }
}
