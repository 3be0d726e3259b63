//! The texts that options take: C passes them as bytes with a length, which may include the zero at the end.

use crate::address::Networks;
use crate::error::Error;

/// What a text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextRule {
    /// Any bytes; those from the first zero on are ignored, as the C library does.
    EndsAtZero,
    /// Any bytes but zeros. One zero at the end is not part of the text.
    WithoutZero,
    /// A list of networks, or nothing. One zero at the end is not part of the text.
    Networks,
}

impl TextRule {
    /// The text that is given as these bytes, of at most `longest` bytes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if it is longer, or not as the rule says.
    pub(super) fn apply(self, bytes: &[u8], longest: usize) -> Result<&[u8], Error> {
        let text = match self {
            // What is ignored counts, as in the C library.
            TextRule::EndsAtZero if bytes.len() > longest => return Err(Error::InvalidArgument),
            TextRule::EndsAtZero => bytes.split(|byte| *byte == 0).next().unwrap_or_default(),
            TextRule::WithoutZero => text_without_zero(bytes)?,
            TextRule::Networks => {
                let text = text_without_zero(bytes)?;
                Networks::parse(text)?;
                text
            }
        };
        if text.len() > longest { Err(Error::InvalidArgument) } else { Ok(text) }
    }
}

/// The text that is given as these bytes. One zero at the end is not part of it.
///
/// # Errors
/// [`Error::InvalidArgument`] if there is a zero before the end: what follows it would be ignored.
pub(crate) fn text_without_zero(bytes: &[u8]) -> Result<&[u8], Error> {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if text.contains(&0) { Err(Error::InvalidArgument) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_within_a_text_is_refused_except_where_the_c_library_ignores_the_rest() {
        const INVALID: Result<&[u8], Error> = Err(Error::InvalidArgument);
        for (bytes, until_zero, without_zero) in [
            (&b""[..], &b""[..], Ok(&b""[..])),
            (b"\0", b"", Ok(b"")),
            (b"::1", b"::1", Ok(b"::1")),
            (b"::1\0", b"::1", Ok(b"::1")),
            (b"::1\0\0", b"::1", INVALID),
            (b"::\0:2", b"::", INVALID),
            (b"\0::1", b"", INVALID),
        ] {
            assert_eq!(TextRule::EndsAtZero.apply(bytes, 5), Ok(until_zero));
            assert_eq!(TextRule::WithoutZero.apply(bytes, 5), without_zero);
            assert_eq!(TextRule::Networks.apply(bytes, 5), without_zero);
        }
        assert_eq!(TextRule::WithoutZero.apply(b"here", 4), Ok(&b"here"[..]));
        assert_eq!(TextRule::Networks.apply(b"here", 4), INVALID);
    }

    #[test]
    fn a_zero_at_the_end_counts_only_in_the_c_library() {
        let rules = [TextRule::EndsAtZero, TextRule::WithoutZero, TextRule::Networks];
        for (bytes, are_valid) in [(&b"::1"[..], [true, true, true]), (b"::1\0", [false, true, true])] {
            assert_eq!(rules.map(|rule| rule.apply(bytes, 3) == Ok(b"::1")), are_valid);
            assert_eq!(rules.map(|rule| rule.apply(bytes, 2).is_ok()), [false; 3]);
        }
    }
}
