//! Prints the events of the socket on standard error.

use std::fmt::Write;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use scaproust::pattern::Pattern;
use scaproust::{Error, Socket, SocketEvent};

use super::escape::push_json;
use super::standard_error;

/// A format in which events are printed, each on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFormat {
    /// The kind, and properties such as `peer=tcp://10.0.0.7:41022`.
    Text,
    /// A JSON object.
    Json,
}

impl ValueEnum for EventFormat {
    fn value_variants<'a>() -> &'a [EventFormat] {
        &[EventFormat::Text, EventFormat::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            EventFormat::Text => "text",
            EventFormat::Json => "json",
        }))
    }
}

impl EventFormat {
    /// The line for an event.
    fn line(self, event: &SocketEvent) -> String {
        match self {
            EventFormat::Text => event.to_string(),
            EventFormat::Json => json(event),
        }
    }
}

/// The thread that prints the events of a socket.
pub(crate) struct Printer {
    thread: JoinHandle<()>,
    /// Whether the socket is closed: the thread ends when it has printed the last event.
    is_closed: Box<dyn Fn() -> bool>,
}

impl Printer {
    /// Prints the events of a socket from now on.
    ///
    /// # Errors
    /// Those of [`Socket::events`].
    pub(crate) fn start<P: Pattern + 'static>(
        socket: &Arc<Socket<P>>,
        format: EventFormat,
    ) -> Result<Printer, Error> {
        let events = socket.events()?;
        let socket = Arc::downgrade(socket);
        Ok(Printer {
            thread: thread::spawn(move || {
                events.for_each(|event| standard_error::print(&format.line(&event)))
            }),
            is_closed: Box::new(move || Weak::strong_count(&socket) == 0),
        })
    }

    /// Waits for the last event, if the socket is closed.
    pub(crate) fn finish(self) {
        if (self.is_closed)() {
            // Fails if the thread has panicked, which was printed.
            let _ = self.thread.join();
        }
    }
}

fn json(event: &SocketEvent) -> String {
    let mut line = String::from("{");
    let mut member = |name: &str, value: String| {
        let comma = if line.len() > 1 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(line, "{comma}\"{name}\":{value}");
    };
    member("event", text(event.kind.name()));
    member("time", event.time.as_nanos().to_string());
    member("socket", event.socket.to_string());
    let bytes = |bytes: &Vec<u8>| text(&String::from_utf8_lossy(bytes));
    let members = [
        ("peer", event.peer.as_ref().map(bytes)),
        ("local", event.local.as_ref().map(bytes)),
        ("endpoint", event.endpoint.map(|id| id.to_string())),
        ("pipe", event.pipe.map(|id| id.to_string())),
        ("protocol", event.peer_protocol.map(|number| number.to_string())),
        ("reason", event.reason.map(|reason| text(reason.name()))),
        ("errno", event.error.map(|error| error.errno().to_string())),
        ("error", event.error.map(|error| text(&error.to_string()))),
        ("explanation", event.explanation.as_deref().map(text)),
        ("value", (event.value > 0).then(|| event.value.to_string())),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            member(name, value);
        }
    }
    line + "}"
}

/// A JSON string.
fn text(text: &str) -> String {
    let mut shown = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => shown.extend(['\\', letter]),
            letter => push_json(&mut shown, letter),
        }
    }
    shown + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use scaproust::{EventKind, Pull};

    #[test]
    fn an_event_is_a_line_of_text_or_of_json() {
        let socket = Pull::new().unwrap();
        let mut events = socket.events().unwrap();
        socket.bind("inproc://nanocat \"\\\n\u{e9}").unwrap();
        let event = events.next().unwrap();
        assert_eq!(event.kind, EventKind::Listening);
        assert_eq!(
            EventFormat::Text.line(&event),
            "listening local=inproc://nanocat \\\"\\\\\\n\\xc3\\xa9 endpoint=1"
        );
        let expected = format!(
            "{{\"event\":\"listening\",\"time\":{},\"socket\":{},\
             \"local\":\"inproc://nanocat \\\"\\\\\\u000a\u{e9}\",\"endpoint\":1}}",
            event.time.as_nanos(),
            event.socket
        );
        assert_eq!(EventFormat::Json.line(&event), expected);
    }
}
