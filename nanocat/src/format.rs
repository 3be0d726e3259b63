//! The formats in which received messages are printed, the same as those of the C library's nanocat.

use std::io::{self, Write};

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// A format in which messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// They are not printed.
    No,
    /// Unchanged.
    Raw,
    /// A line, with a dot for each byte that is not printable ASCII.
    Ascii,
    /// A line in double quotes, as in C.
    Quoted,
    /// A msgpack binary value.
    Msgpack,
    /// A line in double quotes, each byte as `\x` and two digits.
    Hex,
}

impl Format {
    /// The name in `--format`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::No => "no",
            Format::Raw => "raw",
            Format::Ascii => "ascii",
            Format::Quoted => "quoted",
            Format::Msgpack => "msgpack",
            Format::Hex => "hex",
        }
    }

    /// The message in this format.
    pub(crate) fn apply(self, message: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(message.len() + 8);
        match self {
            Format::No => {}
            Format::Raw => shown.extend_from_slice(message),
            Format::Ascii => {
                shown.extend(message.iter().map(|byte| if is_printable(*byte) { *byte } else { b'.' }));
                shown.push(b'\n');
            }
            Format::Quoted => in_quotes(&mut shown, message, quote),
            Format::Hex => in_quotes(&mut shown, message, hex),
            Format::Msgpack => {
                msgpack_head(&mut shown, message.len());
                shown.extend_from_slice(message);
            }
        }
        shown
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Format] {
        &[Format::No, Format::Raw, Format::Ascii, Format::Quoted, Format::Msgpack, Format::Hex]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

fn is_printable(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

fn in_quotes(shown: &mut Vec<u8>, message: &[u8], one: impl Fn(&mut Vec<u8>, u8)) {
    shown.push(b'"');
    for byte in message {
        one(shown, *byte);
    }
    shown.extend_from_slice(b"\"\n");
}

fn quote(shown: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\n' => shown.extend_from_slice(b"\\n"),
        b'\r' => shown.extend_from_slice(b"\\r"),
        b'\\' | b'"' => shown.extend_from_slice(&[b'\\', byte]),
        _ if is_printable(byte) => shown.push(byte),
        _ => hex(shown, byte),
    }
}

fn hex(shown: &mut Vec<u8>, byte: u8) {
    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
    shown.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
}

/// The type and the length of a msgpack binary value: the length takes one, two or four bytes.
fn msgpack_head(shown: &mut Vec<u8>, length: usize) {
    if let Ok(length) = u8::try_from(length) {
        shown.extend_from_slice(&[0xc4, length]);
    } else if let Ok(length) = u16::try_from(length) {
        shown.push(0xc5);
        shown.extend_from_slice(&length.to_be_bytes());
    } else {
        shown.push(0xc6);
        // Messages are shorter than 2 GiB.
        shown.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

/// The destination of received messages.
pub(crate) struct Output {
    format: Format,
    name: String,
    target: Box<dyn Write + Send>,
}

impl Output {
    /// Prints messages to `target`; `name` is its name in error texts.
    pub(crate) fn new(format: Format, name: String, target: Box<dyn Write + Send>) -> Output {
        Output { format, name, target }
    }

    /// Prints a message, and flushes the output.
    ///
    /// # Errors
    /// Those of the file or the pipe.
    pub(crate) fn show(&mut self, message: &[u8]) -> io::Result<()> {
        if self.format == Format::No {
            return Ok(());
        }
        self.target.write_all(&self.format.apply(message))?;
        self.target.flush()
    }

    /// The name of the output in error texts.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_each_format() {
        let message = b"a \"\\\r\n\t\x7f\x80\xff~";
        let shown = |format: Format| format.apply(message);
        assert_eq!(shown(Format::No), b"");
        assert_eq!(shown(Format::Raw), message);
        assert_eq!(shown(Format::Ascii), b"a \"\\......~\n");
        assert_eq!(shown(Format::Quoted), b"\"a \\\"\\\\\\r\\n\\x09\\x7f\\x80\\xff~\"\n");
        assert_eq!(shown(Format::Hex), b"\"\\x61\\x20\\x22\\x5c\\x0d\\x0a\\x09\\x7f\\x80\\xff\\x7e\"\n");
        assert_eq!(shown(Format::Msgpack), [&[0xc4, 11], &message[..]].concat());
    }

    #[test]
    fn msgpack_lengths_take_one_two_or_four_bytes() {
        for (length, head) in [
            (0, &[0xc4, 0][..]),
            (255, &[0xc4, 255]),
            (256, &[0xc5, 1, 0]),
            (65_535, &[0xc5, 255, 255]),
            (65_536, &[0xc6, 0, 1, 0, 0]),
        ] {
            let shown = Format::Msgpack.apply(&vec![7; length]);
            assert_eq!((&shown[..head.len()], shown.len()), (head, head.len() + length));
        }
    }
}
