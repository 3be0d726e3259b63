//! The rows of the table: sockets, their endpoints, and the peers of these, with what has changed between two reports.

use std::collections::HashMap;

use super::escape::shown;
use super::report::{Connection, Endpoint, Report, Socket, Traffic, Waiting};

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Socket,
    Endpoint,
    Peer,
}

/// The order of the rows. Endpoints stay below their sockets, and peers below their endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The most bytes per second first, then the most bytes.
    Traffic,
    /// The most bytes that wait first.
    Waiting,
    /// The most drops per second first, then the most drops.
    Drops,
    /// As they were opened.
    Number,
}

impl Order {
    /// The order after this one.
    pub(crate) fn next(self) -> Order {
        match self {
            Order::Traffic => Order::Waiting,
            Order::Waiting => Order::Drops,
            Order::Drops => Order::Number,
            Order::Number => Order::Traffic,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Traffic => "traffic",
            Order::Waiting => "waiting",
            Order::Drops => "drops",
            Order::Number => "number",
        }
    }
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) level: Level,
    /// What it is.
    pub(crate) label: String,
    pub(crate) state: String,
    pub(crate) totals: Traffic,
    /// Per second; `None` if that is not known yet.
    pub(crate) rates: Option<Rates>,
    pub(crate) waiting: Waiting,
}

/// What has changed, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) messages_sent: f64,
    pub(crate) bytes_sent: f64,
    pub(crate) messages_received: f64,
    pub(crate) bytes_received: f64,
    pub(crate) drops: f64,
}

impl Traffic {
    /// All that were dropped.
    pub(crate) fn drops(&self) -> u64 {
        self.messages_dropped.saturating_add(self.messages_missed)
    }

    /// The rates since `before`, which was so many seconds ago; `None` if a counter has decreased, since then the number
    /// belongs to another socket.
    fn rates(&self, before: &Traffic, seconds: f64) -> Option<Rates> {
        let rate = |now: u64, before: u64| Some(now.checked_sub(before)? as f64 / seconds);
        Some(Rates {
            messages_sent: rate(self.messages_sent, before.messages_sent)?,
            bytes_sent: rate(self.bytes_sent, before.bytes_sent)?,
            messages_received: rate(self.messages_received, before.messages_received)?,
            bytes_received: rate(self.bytes_received, before.bytes_received)?,
            drops: rate(self.drops(), before.drops())?,
        })
    }
}

/// The traffic of an earlier report.
struct Earlier<'a> {
    seconds: f64,
    sockets: HashMap<i32, (&'a str, Traffic)>,
    endpoints: HashMap<(i32, i32), Traffic>,
    peers: HashMap<(i32, u64), Traffic>,
}

impl<'a> Earlier<'a> {
    /// `None` if the earlier report is not one of the same process.
    fn new(report: &Report, before: &'a Report) -> Option<Earlier<'a>> {
        let time = report.clock.checked_sub(before.clock).filter(|time| *time > 0)?;
        let mut earlier = Earlier {
            seconds: time as f64 / 1e9,
            sockets: HashMap::new(),
            endpoints: HashMap::new(),
            peers: HashMap::new(),
        };
        for socket in &before.sockets {
            let number = socket.socket;
            earlier.sockets.insert(number, (&*socket.protocol, socket_traffic(socket)));
            for endpoint in &socket.endpoints {
                earlier.endpoints.insert((number, endpoint.endpoint), endpoint.traffic);
            }
            for connection in &socket.connections {
                earlier.peers.insert((number, connection.pipe), connection.traffic);
            }
        }
        (report.pid == before.pid).then_some(earlier)
    }
}

/// The messages of a socket. Those that it has dropped after they had come are counted by its endpoints.
fn socket_traffic(socket: &Socket) -> Traffic {
    let missed = socket.endpoints.iter().map(|endpoint| endpoint.traffic.messages_missed);
    let missed = missed.fold(0, u64::saturating_add);
    Traffic { messages_missed: missed, ..socket.statistics }
}

/// The rows of a report, with rates if there is a report of the same process `before`.
pub(crate) fn rows(report: &Report, before: Option<&Report>, order: Order) -> Vec<Row> {
    let earlier = before.and_then(|before| Earlier::new(report, before));
    let mut blocks: Vec<_> =
        report.sockets.iter().map(|socket| socket_rows(socket, earlier.as_ref(), order)).collect();
    sort(&mut blocks, order);
    blocks.concat()
}

/// A socket, and what is below it.
fn socket_rows(socket: &Socket, earlier: Option<&Earlier<'_>>, order: Order) -> Vec<Row> {
    let number = socket.socket;
    let totals = socket_traffic(socket);
    let rates = earlier.and_then(|earlier| {
        let (protocol, before) = earlier.sockets.get(&number)?;
        if *protocol == socket.protocol { totals.rates(before, earlier.seconds) } else { None }
    });
    let mut peers: HashMap<i32, Vec<Vec<Row>>> = HashMap::new();
    for connection in &socket.connections {
        let before = earlier.and_then(|earlier| {
            let before = earlier.peers.get(&(number, connection.pipe))?;
            connection.traffic.rates(before, earlier.seconds)
        });
        peers.entry(connection.endpoint).or_default().push(vec![peer_row(connection, before)]);
    }
    let mut endpoints: Vec<_> = socket
        .endpoints
        .iter()
        .map(|endpoint| {
            let before = earlier.and_then(|earlier| {
                let before = earlier.endpoints.get(&(number, endpoint.endpoint))?;
                endpoint.traffic.rates(before, earlier.seconds)
            });
            with_children(endpoint_row(endpoint, before), peers.remove(&endpoint.endpoint), order)
        })
        .collect();
    // Connections of endpoints that were shut down, which still deliver.
    let mut rest: Vec<_> = peers.into_values().flatten().collect();
    sort(&mut endpoints, order);
    sort(&mut rest, order);
    endpoints.append(&mut rest);
    let row = Row {
        level: Level::Socket,
        label: socket_label(socket),
        state: socket.parent.map(|parent| format!("of {parent}")).unwrap_or_default(),
        totals,
        rates,
        waiting: Waiting::default(),
    };
    with_waiting(row, endpoints)
}

fn socket_label(socket: &Socket) -> String {
    let raw = if socket.raw { "raw " } else { "" };
    let label = format!("{} {raw}{}", socket.socket, socket.protocol.to_uppercase());
    // A socket that was not named has its number for a name.
    let label =
        if socket.name == socket.socket.to_string() { label } else { format!("{label} {}", socket.name) };
    printable(&label)
}

/// The most characters of a label that are shown: more than names and addresses have.
const LABEL: usize = 512;

/// A text of a report, for a terminal that must not be controlled by it.
fn printable(text: &str) -> String {
    shown(text).take(LABEL).collect()
}

fn endpoint_row(endpoint: &Endpoint, rates: Option<Rates>) -> Row {
    let label = match &endpoint.error {
        Some(error) => format!("{} ({error})", endpoint.address),
        None => endpoint.address.clone(),
    };
    let (state, totals) = (printable(&endpoint.state), endpoint.traffic);
    Row {
        level: Level::Endpoint,
        label: printable(&label),
        state,
        totals,
        rates,
        waiting: Waiting::default(),
    }
}

fn peer_row(connection: &Connection, rates: Option<Rates>) -> Row {
    let label = match connection.peer_pid {
        Some(pid) => format!("{} (process {pid})", connection.peer),
        None => connection.peer.clone(),
    };
    let state = if connection.ready { "" } else { "greeting" }.to_owned();
    let label = printable(&label);
    Row { level: Level::Peer, label, state, totals: connection.traffic, rates, waiting: connection.waiting }
}

/// A row with the sorted blocks of rows below it.
fn with_children(row: Row, children: Option<Vec<Vec<Row>>>, order: Order) -> Vec<Row> {
    let mut children = children.unwrap_or_default();
    sort(&mut children, order);
    with_waiting(row, children)
}

/// A row with the blocks below it. What waits for its children waits for it.
fn with_waiting(mut row: Row, children: Vec<Vec<Row>>) -> Vec<Row> {
    for child in children.iter().filter_map(|block| block.first()) {
        row.waiting += child.waiting;
    }
    let mut rows = vec![row];
    rows.extend(children.into_iter().flatten());
    rows
}

/// Sorts blocks by their first rows.
fn sort(blocks: &mut [Vec<Row>], order: Order) {
    let key = |block: &Vec<Row>| {
        let Some(row) = block.first() else { return (0.0, 0) };
        let rates = row.rates.unwrap_or_default();
        match order {
            Order::Traffic => (
                rates.bytes_sent + rates.bytes_received,
                row.totals.bytes_sent.saturating_add(row.totals.bytes_received),
            ),
            Order::Waiting => (0.0, row.waiting.sum()),
            Order::Drops => (rates.drops, row.totals.drops()),
            Order::Number => (0.0, 0),
        }
    };
    // Stable: equal blocks keep their order.
    blocks.sort_by(|one, other| {
        let (one, other) = (key(one), key(other));
        other.0.total_cmp(&one.0).then(other.1.cmp(&one.1))
    });
}

#[cfg(test)]
mod tests {
    use super::super::escape::instructions;
    use super::super::report::parse;
    use super::super::report::tests::REPORT;
    use super::*;

    fn labels(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| &*row.label).collect()
    }

    #[test]
    fn control_characters_of_a_report_do_not_reach_the_terminal() {
        let all: String = instructions().collect();
        let mut report = parse(REPORT.as_bytes()).unwrap();
        let socket = &mut report.sockets[0];
        (socket.name, socket.protocol) = (all.clone(), all.clone());
        for endpoint in &mut socket.endpoints {
            (endpoint.address, endpoint.state, endpoint.error) =
                (all.clone(), all.clone(), Some(all.clone()));
        }
        socket.connections[0].peer = all.clone();
        for row in rows(&report, None, Order::Number) {
            assert!(!row.label.contains(|letter| all.contains(letter)), "{}", row.label);
            assert!(!row.state.contains(|letter| all.contains(letter)), "{}", row.state);
        }
        assert_eq!(printable("a\u{1b}]52;c\u{7}\nb\u{e9}"), "a\\u{1b}]52;c\\u{7}\\u{a}b\u{e9}");
    }

    #[test]
    fn rates_are_the_changes_per_second_between_two_reports_of_one_process() {
        let before = parse(REPORT.as_bytes()).unwrap();
        let mut report = before.clone();
        report.clock += 500_000_000;
        report.sockets[0].statistics.messages_sent += 10;
        report.sockets[0].connections[1].traffic.bytes_sent += 100;
        let with_rates = rows(&report, Some(&before), Order::Traffic);
        assert_eq!(with_rates[0].rates.unwrap().messages_sent, 20.0);
        assert_eq!(with_rates[2].rates.unwrap(), Rates { bytes_sent: 200.0, ..Rates::default() });
        assert!(rows(&report, None, Order::Traffic).iter().all(|row| row.rates.is_none()));
        // A socket that has taken the number of another one, and another process.
        report.sockets[0].statistics.bytes_sent = 0;
        assert_eq!(rows(&report, Some(&before), Order::Traffic)[0].rates, None);
        report.pid += 1;
        assert!(rows(&report, Some(&before), Order::Traffic).iter().all(|row| row.rates.is_none()));
    }

    #[test]
    fn peers_are_below_their_endpoints_and_sorted() {
        let report = parse(REPORT.as_bytes()).unwrap();
        let by_traffic = rows(&report, None, Order::Traffic);
        let (one, other) = ("tcp://10.0.0.1:1", "ipc:// (process 99)");
        assert_eq!(labels(&by_traffic), ["0 PUB news", "tcp://*:5", other, one, "1 raw REP"]);
        assert_eq!(by_traffic[4].state, "of 0");
        for order in [Order::Waiting, Order::Drops, Order::Number] {
            assert_eq!(labels(&rows(&report, None, order))[2..4], [one, other], "{order:?}");
        }
        assert_eq!([0, 1, 2].map(|row| by_traffic[row].waiting.send_waiting), [1_234_567, 1_234_567, 0]);
        assert_eq!(by_traffic[0].totals.drops(), 5);
    }

    #[test]
    fn the_connections_of_an_endpoint_that_was_shut_down_are_shown() {
        let mut report = parse(REPORT.as_bytes()).unwrap();
        report.sockets[0].endpoints.clear();
        let rows = rows(&report, None, Order::Number);
        assert_eq!(rows.iter().filter(|row| row.level == Level::Peer).count(), 2);
    }
}
