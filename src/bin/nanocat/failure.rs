//! Why the program ends early: the text for people, and the status for the shell.

use std::fmt::Display;
use std::io;
use std::process;

use nanomsg::Error;

/// The arguments are wrong.
const USAGE: u8 = 1;
/// A file cannot be read or written.
const FILE: u8 = 2;
/// A socket cannot do what it should.
const SOCKET: u8 = 3;
/// Nobody reads the output any more: what a shell calls the end by SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;

/// An end that is not a success.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status for the shell.
    pub status: u8,
    text: String,
}

impl Failure {
    /// The arguments are wrong.
    pub fn usage(text: impl Display) -> Failure {
        Failure { status: USAGE, text: text.to_string() }
    }

    /// A file could not be read or written; `what` says which, and what was tried.
    pub fn file(what: impl Display, error: &io::Error) -> Failure {
        let status = if error.kind() == io::ErrorKind::BrokenPipe { BROKEN_PIPE } else { FILE };
        Failure { status, text: format!("{what}: {}", plain(error)) }
    }

    /// A socket could not do `what`.
    pub fn socket(what: &str) -> impl Fn(Error) -> Failure {
        move |error| Failure { status: SOCKET, text: format!("{what}: {}", plain(error)) }
    }

    /// Says what has happened. That nobody reads the output is no news to whoever stopped.
    pub fn tell(&self) {
        if self.status != BROKEN_PIPE {
            eprintln!("{}", self.text.trim_end());
        }
    }

    /// Ends the program from whichever thread this is.
    pub fn exit(&self) -> ! {
        self.tell();
        process::exit(self.status.into())
    }
}

/// An error's text without the number that Rust adds to those of the operating system.
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

    #[test]
    fn texts_are_those_of_the_system() {
        let failure = Failure::socket("Can't bind")(Error::AddressInUse);
        assert_eq!((failure.status, &*failure.text), (3, "Can't bind: Address already in use"));
        let failure = Failure::file("Can't read it", &io::ErrorKind::BrokenPipe.into());
        assert_eq!(failure.status, 141);
    }
}
