//! What is sent: one message again and again, or the lines of a text, one after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use nanomsg::Message;

use super::failure::Failure;

/// Where that comes from, as the arguments say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The argument itself.
    Data(Vec<u8>),
    /// All of a file, as one message.
    File(PathBuf),
    /// Each line of a file, or of standard input.
    Lines(Option<PathBuf>),
}

/// What is sent.
pub enum Payload {
    /// This message, again and again.
    Same(Message),
    /// Each line.
    Lines(Lines),
}

/// The lines of a text.
pub struct Lines {
    name: String,
    text: Box<dyn BufRead + Send>,
}

impl Payload {
    /// Opens the source; a file that is one message is read as a whole.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn open(source: &Source) -> Result<Payload, Failure> {
        match source {
            Source::Data(bytes) => Payload::same(bytes),
            Source::File(path) => {
                let mut bytes = Vec::new();
                let read = open(path)?.read_to_end(&mut bytes);
                read.map_err(|error| Failure::file(format!("Can't read {}", name_of(path)), &error))?;
                Payload::same(&bytes)
            }
            Source::Lines(path) => {
                let path = path.as_deref().unwrap_or(Path::new("-"));
                let text = Box::new(BufReader::new(open(path)?));
                Ok(Payload::Lines(Lines { name: name_of(path), text }))
            }
        }
    }

    fn same(bytes: &[u8]) -> Result<Payload, Failure> {
        Message::copy_of(bytes).map(Payload::Same).map_err(Failure::socket("Can't hold the message"))
    }

    /// The next message; `None` when there are no more lines.
    ///
    /// # Errors
    /// The text cannot be read.
    pub fn next(&mut self) -> Result<Option<Message>, Failure> {
        match self {
            Payload::Same(message) => Ok(Some(message.clone())),
            Payload::Lines(lines) => lines.next(),
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

/// What people know a file as.
fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".into() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8]) -> Vec<Vec<u8>> {
        let mut payload = Payload::Lines(Lines { name: "text".into(), text: Box::new(text) });
        std::iter::from_fn(|| payload.next().unwrap()).map(|message| message.to_vec()).collect()
    }

    #[test]
    fn a_message_is_a_line_without_its_end() {
        assert_eq!(lines(b"one\n\ntwo \r\n\xff"), [&b"one"[..], b"", b"two \r", b"\xff"]);
        assert_eq!(lines(b"\n"), [b""]);
        assert!(lines(b"").is_empty());
    }
}
