//! The report of a process; nn_monitor(7) describes it.

use std::fmt;
use std::ops::AddAssign;

use serde::Deserialize;

use super::escape::{push_json, shown};

/// The version that this program can read.
const VERSION: u32 = 1;

/// The most characters that are shown of the reason why an answer is no report.
const LONGEST_REASON: usize = 300;

/// The report of a process.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    /// The process id.
    pub(crate) pid: u32,
    /// When it was begun, in nanoseconds of a clock that does not jump.
    pub(crate) clock: u64,
    pub(crate) sockets: Vec<Socket>,
}

/// A socket.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Socket {
    /// Its number.
    pub(crate) socket: i32,
    pub(crate) protocol: String,
    #[serde(default)]
    pub(crate) raw: bool,
    pub(crate) name: String,
    /// The number of the parent, if the socket is a context.
    pub(crate) parent: Option<i32>,
    #[serde(default)]
    pub(crate) statistics: Traffic,
    #[serde(default)]
    pub(crate) endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub(crate) connections: Vec<Connection>,
}

/// An endpoint of a socket.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Endpoint {
    /// Its id.
    pub(crate) endpoint: i32,
    pub(crate) address: String,
    pub(crate) state: String,
    /// The text of its last error.
    pub(crate) error: Option<String>,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
}

/// A connection of a socket.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Connection {
    /// Its number.
    pub(crate) pipe: u64,
    /// The id of its endpoint.
    pub(crate) endpoint: i32,
    /// The address of the peer.
    pub(crate) peer: String,
    /// The process id of the peer.
    pub(crate) peer_pid: Option<u32>,
    /// Whether both sides have accepted it.
    pub(crate) ready: bool,
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
    #[serde(flatten)]
    pub(crate) waiting: Waiting,
}

/// Messages, and the bytes of their bodies.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Traffic {
    pub(crate) messages_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_received: u64,
    pub(crate) bytes_received: u64,
    /// Not sent, because the receiver had no room.
    pub(crate) messages_dropped: u64,
    /// Dropped after they had come.
    pub(crate) messages_missed: u64,
}

/// The bytes in queues.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) send_waiting: u64,
    pub(crate) receive_waiting: u64,
}

impl Waiting {
    /// All that waits.
    pub(crate) fn sum(&self) -> u64 {
        self.send_waiting.saturating_add(self.receive_waiting)
    }
}

impl AddAssign for Waiting {
    fn add_assign(&mut self, other: Waiting) {
        self.send_waiting = self.send_waiting.saturating_add(other.send_waiting);
        self.receive_waiting = self.receive_waiting.saturating_add(other.receive_waiting);
    }
}

/// Why an answer is no report.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is of this version.
    Version(u32),
    /// It has another form.
    Form(serde_json::Error),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Version(version) => {
                write!(f, "it has version {version}, and this program reads version {VERSION}")
            }
            // It may quote the answer.
            Unreadable::Form(error) => {
                f.write_str(&shown(&error.to_string()).take(LONGEST_REASON).collect::<String>())
            }
        }
    }
}

/// The report in an answer.
///
/// # Errors
/// [`Unreadable`].
pub(crate) fn parse(answer: &[u8]) -> Result<Report, Unreadable> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = serde_json::from_slice(answer).map_err(Unreadable::Form)?;
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    serde_json::from_slice(answer).map_err(Unreadable::Form)
}

/// The text of an answer that was [parsed](parse), for a terminal that must not be controlled by it.
pub(crate) fn json(answer: &[u8]) -> String {
    let mut text = String::with_capacity(answer.len());
    for letter in String::from_utf8_lossy(answer).chars() {
        match letter {
            // A string has none of these: they stand between members.
            '\n' | '\t' => text.push(letter),
            '\r' => text.push(' '),
            letter => push_json(&mut text, letter),
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::escape::instructions;
    use super::*;

    /// A report of a socket with two connections and of a context, with members that are not known.
    pub(crate) const REPORT: &str = r#"{"version":1,"pid":7,"time":5,"clock":2000000000,"new":[{}],"sockets":[
        {"socket":0,"protocol":"pub","raw":false,"name":"news","statistics":{"messages_sent":30,"bytes_sent":3000,
          "messages_received":0,"bytes_received":0,"messages_dropped":5,"current_subscriptions":0},
         "endpoints":[{"endpoint":1,"address":"tcp://*:5","bound":true,"state":"listening","current_connections":2,
          "messages_sent":60,"bytes_sent":6000,"messages_received":0,"bytes_received":0,"messages_dropped":5,
          "messages_missed":0}],
         "connections":[
          {"pipe":11,"endpoint":1,"peer":"tcp://10.0.0.1:1","ready":true,"messages_sent":20,"bytes_sent":2000,
           "messages_received":0,"bytes_received":0,"messages_dropped":5,"messages_missed":0,
           "send_waiting":1234567,"send_limit":131072,"receive_waiting":0,"receive_limit":131072},
          {"pipe":12,"endpoint":1,"peer":"ipc://","peer_pid":99,"ready":true,"messages_sent":40,"bytes_sent":4000,
           "messages_received":0,"bytes_received":0,"messages_dropped":0,"messages_missed":0,"send_waiting":0}]},
        {"socket":1,"protocol":"rep","raw":true,"name":"1","parent":0}]}"#;

    #[test]
    fn a_report_is_read_and_unknown_members_are_skipped() {
        let report = parse(REPORT.as_bytes()).unwrap();
        assert_eq!((report.pid, report.sockets.len()), (7, 2));
        let socket = &report.sockets[0];
        assert_eq!((&*socket.name, socket.statistics.messages_dropped), ("news", 5));
        assert_eq!(
            (socket.endpoints[0].traffic.bytes_sent, &*socket.endpoints[0].state),
            (6000, "listening")
        );
        let [one, other] = &socket.connections[..] else { panic!("{socket:?}") };
        assert_eq!((one.waiting.send_waiting, one.peer_pid), (1_234_567, None));
        assert_eq!((other.traffic.messages_sent, other.peer_pid), (40, Some(99)));
        assert_eq!((report.sockets[1].parent, report.sockets[1].raw), (Some(0), true));
    }

    #[test]
    fn a_report_is_printed_as_json_without_control_characters() {
        let all: Vec<char> = instructions().filter(|letter| *letter >= ' ').collect();
        let name: String = all.iter().chain(&['\u{e9}']).collect();
        let answer = REPORT.replace("news", &name).replace(",\"time\"", "\r\n,\t\"time\"");
        let text = json(answer.as_bytes());
        assert!(!text.contains(|letter: char| all.contains(&letter) || letter == '\r'), "{text}");
        assert_eq!(parse(text.as_bytes()).unwrap().sockets[0].name, name);
        // A member that is skipped may have any bytes.
        let answer = [b"{\"version\":1,\"pid\":7,\"clock\":0,\"sockets\":[],\"new\":\"\xc2\x9b\xff\x9b\"}"];
        assert!(parse(answer[0]).is_ok());
        assert!(json(answer[0]).ends_with("\"new\":\"\\u009b\u{fffd}\u{fffd}\"}"));
        // A character within a string that has to be escaped there is no report.
        for letter in '\0'..' ' {
            let answer = REPORT.replace("news", &letter.to_string());
            assert!(parse(answer.as_bytes()).is_err(), "{letter:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_report_is_refused() {
        for end in 0..REPORT.len() {
            assert!(parse(&REPORT.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for (member, wrong) in [
            ("\"pid\":7", "\"pid\":-7"),
            ("\"pid\":7", "\"pid\":4294967296"),
            ("\"clock\":2000000000", "\"clock\":18446744073709551616"),
            ("\"clock\":2000000000", "\"clock\":1e400"),
            ("\"socket\":0", "\"socket\":2147483648"),
            ("\"messages_sent\":20", "\"messages_sent\":-1"),
            ("\"send_waiting\":1234567", "\"send_waiting\":1.5"),
        ] {
            assert!(REPORT.contains(member));
            assert!(parse(REPORT.replace(member, wrong).as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = "[".repeat(1_000_000);
        assert!(parse(REPORT.replace("[{}]", &deep).as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_report_or_of_another_version_is_refused() {
        for (answer, reason) in [
            (&b"hello"[..], "expected value"),
            (b"{}", "missing field `version`"),
            (b"{\"version\":1}", "missing field `pid`"),
            (b"{\"version\":2,\"all\":\"new\"}", "it has version 2, and this program reads version 1"),
            (b"\xff", "expected value"),
        ] {
            let error = parse(answer).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
