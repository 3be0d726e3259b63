//! The report of the process: all its sockets, their endpoints and connections, as JSON. The manual page nn_monitor(7) has its
//! form.

use std::vec;

use super::json::Json;
use super::monitor::time;
use super::registry::{SOCKETS, enter};
use super::snapshot::{EndpointSnapshot, PipeSnapshot, Snapshot};
use super::traffic::Traffic;
use crate::error::Error;
use crate::sync::{nanoseconds, now};

/// The version of the form. It increases when a member changes its meaning or is removed; members may be added.
const REPORT_VERSION: i32 = 1;

/// How many sockets and connections one step reports: about 100 µs of work.
const PER_STEP: usize = 16;
/// More bytes than a socket, an endpoint or a connection takes in the report, without what depends on it.
const PER_ITEM: usize = 3 * 1024;

/// A report that is being written.
pub(super) struct Report {
    json: Json,
    /// The number of the next socket.
    next: i32,
    /// The end of the numbers to report; sockets that are opened later are left out.
    end: i32,
    /// The connections that are still to be written of the socket before the next one, whose object is open.
    pipes: Option<vec::IntoIter<PipeSnapshot>>,
}

impl Report {
    /// A report with nothing in it yet.
    pub(super) fn begin() -> Report {
        let mut json = Json::default();
        json.open_object();
        json.number("version", REPORT_VERSION);
        json.number("pid", std::process::id());
        json.number("time", nanoseconds(time()));
        json.number("clock", nanoseconds(now()));
        json.open_array("sockets");
        Report { json, next: 0, end: SOCKETS.get().end(), pipes: None }
    }

    /// Writes some more. Returns whether all is written. It holds the lock of one socket at a time, and does not wait for the
    /// table of sockets, whose lock is held while the I/O thread is stopped.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]: the report must be given up.
    pub(super) fn proceed(&mut self) -> Result<bool, Error> {
        for _ in 0..PER_STEP {
            match self.pipes.as_mut().map(Iterator::next) {
                Some(Some(pipe)) => {
                    self.json.reserve(PER_ITEM)?;
                    write_connection(&mut self.json, &pipe);
                }
                Some(None) => {
                    self.pipes = None;
                    self.json.close_array();
                    self.json.close_object();
                }
                None if self.next < self.end => self.begin_socket()?,
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Writes the next socket, if it is open, up to its connections.
    fn begin_socket(&mut self) -> Result<(), Error> {
        let snapshot = match enter(self.next) {
            Ok(socket) => socket.snapshot()?,
            Err(_) => None,
        };
        self.next += 1;
        let Some(snapshot) = snapshot else { return Ok(()) };
        self.json.reserve((1 + snapshot.endpoints.len()) * PER_ITEM)?;
        write_socket(&mut self.json, &snapshot);
        if snapshot.parent.is_some() {
            self.json.close_object();
        } else {
            self.json.open_array("connections");
            self.pipes = Some(snapshot.pipes.into_iter());
        }
        Ok(())
    }

    /// The text, when all is reported.
    pub(super) fn finish(mut self) -> String {
        self.json.close_array();
        self.json.close_object();
        self.json.into_text()
    }
}

/// Writes a socket without its connections; its object stays open.
fn write_socket(json: &mut Json, socket: &Snapshot) {
    json.open_object();
    json.number("socket", socket.number);
    json.bytes("protocol", socket.protocol.name.as_bytes());
    json.flag("raw", socket.is_raw);
    json.bytes("name", &socket.name);
    if let Some(parent) = socket.parent {
        return json.number("parent", parent);
    }
    json.open_member("statistics");
    for (name, value) in &socket.statistics {
        json.number(name, *value);
    }
    json.close_object();
    json.open_array("endpoints");
    socket.endpoints.iter().for_each(|endpoint| write_endpoint(json, endpoint));
    json.close_array();
}

fn write_endpoint(json: &mut Json, endpoint: &EndpointSnapshot) {
    let (state, error) = endpoint.state();
    let statistics = &endpoint.statistics;
    json.open_object();
    json.number("endpoint", statistics.endpoint.get());
    json.bytes("address", endpoint.name.address());
    json.flag("bound", endpoint.name.is_bound);
    json.bytes("state", state.as_bytes());
    if let Some(error) = error {
        json.bytes("error", error.to_string().as_bytes());
    }
    json.number("current_connections", statistics.current_connections);
    for (name, value) in [
        ("connect_attempts", statistics.connect_attempts),
        ("connect_errors", statistics.connect_errors),
        ("connections", statistics.connections),
        ("refused_connections", statistics.refused_connections),
        ("handshake_errors", statistics.handshake_errors),
        ("dropped_connections", statistics.dropped_connections),
        ("broken_connections", statistics.broken_connections),
    ] {
        json.number(name, value);
    }
    write_traffic(json, statistics.traffic);
    json.close_object();
}

fn write_connection(json: &mut Json, pipe: &PipeSnapshot) {
    let peer = pipe.describe();
    json.open_object();
    json.number("pipe", peer.pipe);
    json.number("endpoint", peer.endpoint.get());
    json.bytes("peer", &peer.address);
    if let Some(local) = &peer.local_address {
        json.bytes("local", local);
    }
    if let Some(process) = peer.credentials.filter(|process| process.pid != 0) {
        json.number("peer_pid", process.pid);
    }
    if peer.shared_memory {
        json.flag("shared_memory", true);
    }
    json.flag("ready", pipe.is_ready);
    write_traffic(json, pipe.traffic);
    for (name, value) in [
        ("send_waiting", pipe.send_queue.0),
        ("send_limit", pipe.send_queue.1),
        ("receive_waiting", pipe.receive_queue.0),
        ("receive_limit", pipe.receive_queue.1),
    ] {
        json.number(name, value as u64);
    }
    json.close_object();
}

fn write_traffic(json: &mut Json, traffic: Traffic) {
    for (name, value) in [
        ("messages_sent", traffic.messages_sent),
        ("bytes_sent", traffic.bytes_sent),
        ("messages_received", traffic.messages_received),
        ("bytes_received", traffic.bytes_received),
        ("messages_dropped", traffic.messages_dropped),
        ("messages_missed", traffic.messages_missed),
    ] {
        json.number(name, value);
    }
}

#[cfg(all(test, not(any(loom, simulated))))]
mod tests {
    use super::*;
    use crate::message::{Outgoing, Payload};
    use crate::option::{Setting, SocketOption};
    use crate::protocol;
    use crate::socket::{AF_SP, AF_SP_RAW, close, open, recv, send};

    /// The part of the report about a socket. Other tests open and close sockets meanwhile.
    fn report_of(id: i32) -> Option<String> {
        let mut report = Report::begin();
        // The table's lock may be taken by another test.
        while !report.proceed().unwrap() {}
        let report = report.finish();
        assert!(report.starts_with(&format!("{{\"version\":1,\"pid\":{},", std::process::id())), "{report}");
        assert!(report.ends_with("]}"));
        let start = report.find(&format!("{{\"socket\":{id},"))?;
        let length =
            report[start + 1..].find("{\"socket\":").map_or(report.len() - start, |length| length + 1);
        Some(report[start..start + length].to_owned())
    }

    /// The number under a name, where it stands last.
    fn number(report: &str, name: &str) -> u64 {
        let (_, rest) = report.rsplit_once(&format!("\"{name}\":")).unwrap();
        rest.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
    }

    #[test]
    fn a_socket_is_reported_with_its_endpoints_and_connections_while_it_is_open() {
        let raw_pull = open(AF_SP_RAW, protocol::PULL.number.into());
        let (push, pull) = (open(AF_SP, protocol::PUSH.number.into()).unwrap(), raw_pull.unwrap());
        let name = Setting::Bytes(b"up\"stream\xff");
        enter(push).unwrap().set_option(SocketOption::SocketName, name).unwrap();
        enter(pull).unwrap().bind(b"inproc://report").unwrap();
        enter(push).unwrap().connect(b"inproc://report").unwrap();
        for _ in 0..3 {
            send(push, &mut Outgoing::new(Payload::Borrowed(&[7; 100])), false).unwrap();
        }
        recv(pull, false, |_| ()).unwrap();

        let expect = |report: &str, part: &str| assert!(report.contains(part), "{part}: {report}");
        let report = report_of(push).unwrap();
        expect(
            &report,
            "\"protocol\":\"push\",\"raw\":false,\"name\":\"up\\\"stream\\\\xff\",\"statistics\":{",
        );
        expect(&report, "\"endpoints\":[{\"endpoint\":1,\"address\":\"inproc://report\",\"bound\":false,");
        expect(&report, "\"current_connections\":1,\"connect_attempts\":");
        expect(&report, "\"endpoint\":1,\"peer\":\"inproc://report\",\"ready\":true,\"messages_sent\":3,");
        // Two records with their prefixes wait.
        assert!((200..400).contains(&number(&report, "send_waiting")), "{report}");
        assert_eq!((number(&report, "receive_waiting"), number(&report, "bytes_sent")), (0, 300));

        let report = report_of(pull).unwrap();
        expect(&report, "\"protocol\":\"pull\",\"raw\":true,");
        expect(&report, "\"address\":\"inproc://report\",\"bound\":true,\"state\":\"listening\",");
        assert!((200..400).contains(&number(&report, "receive_waiting")), "{report}");
        assert_eq!((number(&report, "messages_received"), number(&report, "bytes_received")), (1, 100));

        close(push).unwrap();
        assert!(!report_of(push).is_some_and(|report| report.contains("stream")));
        close(pull).unwrap();
    }

    #[test]
    fn a_context_names_its_parent_and_has_no_counters() {
        let (parent, context) = (open(AF_SP, 49).unwrap(), open(AF_SP, 49).unwrap());
        enter(context).unwrap().share(parent).unwrap();
        let report = report_of(context).unwrap();
        assert!(
            report.contains(&format!("\"parent\":{parent}}}")) && !report.contains("statistics"),
            "{report}"
        );
        assert!(!report_of(parent).unwrap().contains("\"parent\""));
        close(context).unwrap();
        close(parent).unwrap();
    }
}
