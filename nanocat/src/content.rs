//! The messages that are sent: one message repeatedly, or the lines of a text.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use scaproust::Message;

use super::failure::Failure;

/// The source of the messages, from the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContentSource {
    /// The argument itself.
    Data(Vec<u8>),
    /// All of a file, as one message.
    File(PathBuf),
    /// Each line of a file, or of standard input.
    Lines(Option<PathBuf>),
}

/// The messages.
pub(crate) enum Content {
    /// This message, repeatedly.
    Same(Message),
    /// Each line.
    Lines(Lines),
}

/// The lines of a text.
pub(crate) struct Lines {
    name: String,
    text: Box<dyn BufRead + Send>,
}

impl Content {
    /// Opens the source; a file that is one message is read as a whole.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub(crate) fn open(source: &ContentSource) -> Result<Content, Failure> {
        match source {
            ContentSource::Data(bytes) => Content::same(bytes),
            ContentSource::File(path) => {
                let mut bytes = Vec::new();
                let read = open(path)?.read_to_end(&mut bytes);
                read.map_err(|error| Failure::file(format!("Can't read {}", name_of(path)), &error))?;
                Content::same(&bytes)
            }
            ContentSource::Lines(path) => {
                let path = path.as_deref().unwrap_or(Path::new("-"));
                let text = Box::new(BufReader::new(open(path)?));
                Ok(Content::Lines(Lines { name: name_of(path), text }))
            }
        }
    }

    fn same(bytes: &[u8]) -> Result<Content, Failure> {
        Message::copy_of(bytes).map(Content::Same).map_err(Failure::socket("Can't hold the message"))
    }

    /// The next message; `None` when there are no more lines.
    ///
    /// # Errors
    /// The text cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Failure> {
        match self {
            Content::Same(message) => Ok(Some(message.clone())),
            Content::Lines(lines) => lines.next(),
        }
    }
}

impl Lines {
    fn next(&mut self) -> Result<Option<Message>, Failure> {
        let mut line = Vec::new();
        let read = self.text.read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::file(format!("Can't read {}", self.name), &error))? == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        Message::copy_of(line).map(Some).map_err(Failure::socket("Can't hold the message"))
    }
}

fn open(path: &Path) -> Result<Box<dyn Read + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path);
    let file = file.map_err(|error| Failure::file(format!("Can't open {}", name_of(path)), &error))?;
    Ok(Box::new(file))
}

/// The name of a file in error texts.
fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8]) -> Vec<Vec<u8>> {
        let mut content = Content::Lines(Lines { name: "text".into(), text: Box::new(text) });
        std::iter::from_fn(|| content.next().unwrap()).map(|message| message.to_vec()).collect()
    }

    #[test]
    fn a_message_is_a_line_without_its_end() {
        assert_eq!(lines(b"one\n\ntwo \r\n\xff"), [&b"one"[..], b"", b"two \r", b"\xff"]);
        assert_eq!(lines(b"\n"), [b""]);
        assert!(lines(b"").is_empty());
    }
}
