//! A report as text, for a file or a pipe.

use super::figures::{SUMS, sums};
use super::report::Report;
use super::rows::{Level, Order, Row, rows};

/// The least width of the first column.
const WIDTH: usize = 40;

/// The lines for a report, with sums.
pub(crate) fn text(report: &Report) -> String {
    let rows = rows(report, None, Order::Number);
    let widest = rows.iter().map(|row| label(row).chars().count()).max().unwrap_or_default();
    let line = |label: &str, state: &str, cells: [String; 6]| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>8}")).collect();
        format!("{label:<width$} {state:<10}{cells}\n", width = widest.max(WIDTH))
    };
    let heading = line("socket, endpoint, peer", "state", SUMS.map(str::to_owned));
    let lines = rows.iter().map(|row| line(&label(row), &row.state, sums(row)));
    format!("process {}\n{heading}", report.pid) + &lines.collect::<String>()
}

/// What a row is about, indented below what it belongs to.
pub(crate) fn label(row: &Row) -> String {
    let indent = match row.level {
        Level::Socket => "",
        Level::Endpoint => "  ",
        Level::Peer => "    ",
    };
    format!("{indent}{}", row.label)
}

#[cfg(test)]
mod tests {
    use super::super::report::parse;
    use super::super::report::tests::REPORT;
    use super::*;

    #[test]
    fn every_row_has_a_line_with_sums() {
        let text = text(&parse(REPORT.as_bytes()).unwrap());
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["process", "7"]);
        assert_eq!(lines[2], ["0", "PUB", "news", "0", "0", "30", "3.00k", "1.23M", "5"]);
        assert_eq!(lines[3], ["tcp://*:5", "listening", "0", "0", "60", "6.00k", "1.23M", "5"]);
        assert_eq!(lines[4][0], "tcp://10.0.0.1:1");
        assert_eq!(lines.len(), 7);
    }
}
