//! Writing JSON.

use std::fmt::Write;

use crate::error::Error;

/// A JSON value that is being written. The caller opens and closes objects and arrays in pairs.
#[derive(Debug, Default)]
pub(super) struct Json {
    text: String,
    /// Whether a value precedes in the object or array that is open.
    follows_value: bool,
}

impl Json {
    /// Makes room for so many bytes more.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<(), Error> {
        self.text.try_reserve(bytes).map_err(|_| Error::OutOfMemory)
    }

    /// Opens an object, which is a value of an array, or the whole.
    pub(super) fn open_object(&mut self) {
        self.separate();
        self.open('{');
    }

    /// Opens an array under `name`.
    pub(super) fn open_array(&mut self, name: &str) {
        self.name(name);
        self.open('[');
    }

    /// Opens an object under `name`.
    pub(super) fn open_member(&mut self, name: &str) {
        self.name(name);
        self.open('{');
    }

    /// Closes an object.
    pub(super) fn close_object(&mut self) {
        self.close('}');
    }

    /// Closes an array.
    pub(super) fn close_array(&mut self) {
        self.close(']');
    }

    /// A number under `name`.
    pub(super) fn number(&mut self, name: &str, value: impl Into<i128>) {
        self.name(name);
        // Writing to a string cannot fail.
        _ = write!(self.text, "{}", value.into());
    }

    /// `true` or `false` under `name`.
    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        self.text += if value { "true" } else { "false" };
    }

    /// A text under `name`. A backslash is written as two, and bytes that are no UTF-8, and control characters, as `\xNN`
    /// each, so the bytes can be found again, and a terminal can show the text.
    pub(super) fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.text.push('"');
        for chunk in value.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '"' => self.text += "\\\"",
                    '\\' => self.text += "\\\\\\\\",
                    letter if letter.is_control() => self.escape(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                    letter => self.text.push(letter),
                }
            }
            self.escape(chunk.invalid());
        }
        self.text.push('"');
    }

    /// The text, once all is closed.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn escape(&mut self, bytes: &[u8]) {
        for byte in bytes {
            _ = write!(self.text, "\\\\x{byte:02x}");
        }
    }

    fn name(&mut self, name: &str) {
        self.separate();
        _ = write!(self.text, "\"{name}\":");
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.follows_value, true) {
            self.text.push(',');
        }
    }

    fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.follows_value = false;
    }

    fn close(&mut self, bracket: char) {
        self.text.push(bracket);
        self.follows_value = true;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn values_are_separated_by_commas() {
        let mut json = Json::default();
        json.open_object();
        json.number("a", u64::MAX);
        json.open_array("list");
        for number in [-1, 2] {
            json.open_object();
            json.number("b", number);
            json.close_object();
        }
        json.close_array();
        json.open_member("inner");
        json.close_object();
        json.flag("c", true);
        json.close_object();
        let expected = r#"{"a":18446744073709551615,"list":[{"b":-1},{"b":2}],"inner":{},"c":true}"#;
        assert_eq!(json.into_text(), expected);
    }

    #[test]
    fn any_bytes_become_a_text_in_which_they_can_be_found_again() {
        for (bytes, text) in [
            (&b"ipc:///tmp/a b"[..], "ipc:///tmp/a b"),
            (b"it's \"x\"", "it's \\\"x\\\""),
            (b"a\\x00", "a\\\\\\\\x00"),
            (b"\n\x1b[2J\xff\xc3", "\\\\x0a\\\\x1b[2J\\\\xff\\\\xc3"),
            ("größe\u{85}".as_bytes(), "größe\\\\xc2\\\\x85"),
        ] {
            let mut json = Json::default();
            json.open_object();
            json.bytes("t", bytes);
            json.close_object();
            assert_eq!(json.into_text(), format!("{{\"t\":\"{text}\"}}"));
        }
    }
}
