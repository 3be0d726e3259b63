//! Failures that end the program: an error text and an exit status.

use std::fmt::Display;
use std::io;
use std::process;

use super::standard_error;

/// The arguments are wrong.
const USAGE: u8 = 1;
/// A file cannot be read or written.
const FILE: u8 = 2;
/// A socket operation failed.
const SOCKET: u8 = 3;
/// The reader has closed the output: the status that a shell reports for SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;

/// A failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit status.
    pub status: u8,
    text: String,
}

impl Failure {
    /// The arguments are wrong.
    pub(crate) fn usage(text: impl Display) -> Failure {
        Failure { status: USAGE, text: text.to_string() }
    }

    /// A file could not be read or written; `what` describes the operation.
    pub(crate) fn file(what: impl Display, error: &io::Error) -> Failure {
        let status = if error.kind() == io::ErrorKind::BrokenPipe { BROKEN_PIPE } else { FILE };
        Failure { status, text: format!("{what}: {}", plain(error)) }
    }

    /// A socket operation, described by `what`, failed.
    pub(crate) fn socket<E: Display>(what: &str) -> impl Fn(E) -> Failure {
        move |error| Failure { status: SOCKET, text: format!("{what}: {}", plain(error)) }
    }

    /// Prints the text on standard error, unless the reader has closed the output.
    pub(crate) fn print(&self) {
        if self.status != BROKEN_PIPE {
            standard_error::print(self.text.trim_end());
        }
    }

    /// Prints the text and ends the program, from any thread.
    pub(crate) fn exit(&self) -> ! {
        self.print();
        process::exit(self.status.into())
    }
}

/// The text of an error, without the number that Rust adds to errors of the operating system.
fn plain(error: impl Display) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaproust::Error;

    #[test]
    fn errors_of_the_system_have_its_texts() {
        let failure = Failure::socket("Can't bind")(Error::AddressInUse);
        let text = io::Error::from_raw_os_error(Error::AddressInUse.errno()).to_string();
        assert_eq!(failure.status, 3);
        assert!(format!("Can't bind: {text}").starts_with(&failure.text), "{}", failure.text);
        let failure = Failure::file("Can't read it", &io::ErrorKind::BrokenPipe.into());
        assert_eq!(failure.status, 141);
    }
}
