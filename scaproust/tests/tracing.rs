//! The events that a subscriber of `tracing` gets: in an own program, since there is one subscriber in a process.

#![cfg(not(any(loom, simulated)))]

use std::fmt::{Debug, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scaproust::{Pull, Push};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Sends each event as a line of text, and then calls `react`.
struct Lines {
    lines: Mutex<Sender<String>>,
    react: fn(),
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "scaproust"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        _ = lock(&self.lines).send(line.0);
        (self.react)();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}").unwrap(),
            "socket" | "pipe" | "endpoint" => {}
            name => write!(self.0, " {name}={value:?}").unwrap(),
        }
    }
}

/// A subscriber may use sockets: it is called without a lock.
fn open_and_close() {
    drop(Push::new().unwrap());
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn a_subscriber_gets_the_connections_of_all_sockets() {
    let (sender, lines) = mpsc::channel();
    let subscriber = Lines { lines: Mutex::new(sender), react: open_and_close };
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (worker, source) = (Pull::new().unwrap(), Push::new().unwrap());
    let address = "inproc://tracing";
    worker.bind(address).unwrap();
    assert_eq!(next(&lines), format!("DEBUG listening local={address:?}"));
    source.connect(address).unwrap();
    let mut connection = [next(&lines), next(&lines), next(&lines)];
    connection.sort();
    let kinds = connection.map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "));
    assert_eq!(kinds, ["DEBUG accepted", "DEBUG connected", "TRACE connecting"]);

    worker.bind(address).unwrap_err();
    assert_eq!(next(&lines), format!("WARN bind-failed local={address:?} error=Address already in use"));

    source.close().unwrap();
    let line = next(&lines);
    assert!(line.starts_with("DEBUG disconnected peer="), "{line}");
}
