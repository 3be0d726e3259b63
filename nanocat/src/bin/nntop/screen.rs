//! Draws the view.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row as TableRow, Table, TableState};

use super::figures::{RATES, rates};
use super::plain::label;
use super::rows::{Level, Row};
use super::view::View;

/// From this width on there is a column for the state.
const WIDE: u16 = 100;

/// Draws the view into a frame, whatever its size.
pub(crate) fn draw(view: &View, frame: &mut Frame<'_>) {
    let lines = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [top, middle, bottom] = Layout::vertical(lines).areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(view.headline(), bold), top);
    frame.render_widget(Line::styled(view.help(), Style::new().add_modifier(Modifier::DIM)), bottom);

    let is_wide = middle.width >= WIDE;
    let mut widths = vec![Constraint::Fill(1)];
    let mut heading = vec![Cell::new("socket, endpoint, peer")];
    if is_wide {
        widths.push(Constraint::Length(10));
        heading.push(Cell::new("state"));
    }
    for name in RATES {
        widths.push(Constraint::Length(u16::try_from(name.len()).unwrap_or(u16::MAX)));
        heading.push(right(name));
    }
    let rows = view.rows().iter().map(|row| table_row(row, is_wide));
    let style = if view.is_stale() { Style::new().add_modifier(Modifier::DIM) } else { Style::new() };
    let table = Table::new(rows, widths)
        .style(style)
        .header(TableRow::new(heading).style(bold.add_modifier(Modifier::UNDERLINED)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    // The table scrolls as far as the selected row requires.
    let mut state = TableState::new().with_selected(Some(view.selected()));
    frame.render_stateful_widget(table, middle, &mut state);
}

fn table_row(row: &Row, is_wide: bool) -> TableRow<'static> {
    let state = is_wide.then(|| Cell::new(row.state.clone()));
    let cells = [Cell::new(label(row))].into_iter().chain(state).chain(rates(row).map(right));
    let style = match row.level {
        Level::Socket => Style::new().add_modifier(Modifier::BOLD),
        Level::Endpoint | Level::Peer => Style::new(),
    };
    TableRow::new(cells.collect::<Vec<_>>()).style(style)
}

/// A cell that ends at the right side of its column.
fn right(text: impl Into<Text<'static>>) -> Cell<'static> {
    Cell::new(text.into().alignment(Alignment::Right))
}

#[cfg(test)]
mod tests {
    use super::super::plain;
    use super::super::report::tests::REPORT;
    use super::super::report::{Traffic, Waiting, parse};
    use super::super::view::{Command, Update};
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    /// The lines of a screen of this size.
    fn lines(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(view, frame)).unwrap();
        let cells = terminal.backend().buffer().content();
        let lines = cells.chunks(width.max(1).into());
        lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>()).collect()
    }

    fn view() -> View {
        let mut view = View::new("ipc://x");
        let before = parse(REPORT.as_bytes()).unwrap();
        let mut report = before.clone();
        report.clock += 1_000_000_000;
        report.sockets[0].connections[0].traffic.bytes_sent += 2_500_000;
        view.update(Update::Report(before));
        view.update(Update::Report(report));
        view
    }

    #[test]
    fn a_peer_has_its_rates_beside_it() {
        for (width, has_state) in [(80, false), (120, true)] {
            let lines = lines(&view(), width, 10);
            assert!(lines[0].starts_with("ipc://x  process 7  2 sockets"), "{}", lines[0]);
            assert_eq!(lines[1].contains("state"), has_state);
            let words: Vec<_> = lines[4].split_whitespace().collect();
            assert_eq!(words, ["tcp://10.0.0.1:1", "0", "0", "0", "2.50M", "1.23M", "0"], "{}", lines[4]);
            assert_eq!(lines[3].contains("listening"), has_state);
            assert!(lines[9].starts_with("q quit"));
        }
    }

    /// Whatever a report says, it is shown: the greatest numbers, counters that decrease, names without end, a socket that is its
    /// own parent, and a clock that stands still.
    #[test]
    fn a_false_report_is_shown() {
        let name = "\u{1b}]0;x\u{7}\u{9b}2J".repeat(100_000);
        let mut report = parse(REPORT.as_bytes()).unwrap();
        for socket in &mut report.sockets {
            (socket.name, socket.protocol) = (name.clone(), name.clone());
            (socket.socket, socket.parent) = (i32::MIN, Some(i32::MIN));
            let greatest = Traffic {
                messages_sent: u64::MAX,
                bytes_sent: u64::MAX,
                messages_received: u64::MAX,
                bytes_received: u64::MAX,
                messages_dropped: u64::MAX,
                messages_missed: u64::MAX,
            };
            socket.statistics = greatest;
            for endpoint in &mut socket.endpoints {
                (endpoint.address, endpoint.state) = (name.clone(), name.clone());
                (endpoint.error, endpoint.traffic) = (Some(name.clone()), greatest);
            }
            socket.endpoints.extend(socket.endpoints.clone());
            for connection in &mut socket.connections {
                (connection.peer, connection.traffic) = (name.clone(), greatest);
                connection.waiting = Waiting { send_waiting: u64::MAX, receive_waiting: u64::MAX };
            }
        }
        let mut later = report.clone();
        later.clock = u64::MAX;
        let text = plain::text(&report);
        let mut view = view();
        for update in [report.clone(), report.clone(), later, parse(REPORT.as_bytes()).unwrap(), report] {
            view.update(Update::Report(update));
            for command in [Command::Sort, Command::Last, Command::Move(1)] {
                view.obey(command);
                for (width, height) in [(0, 0), (1, 1), (120, 3), (500, 50)] {
                    let lines = lines(&view, width, height);
                    assert!(
                        !lines
                            .iter()
                            .chain([&text.replace('\n', "")])
                            .any(|line| line.contains(char::is_control))
                    );
                }
            }
        }
    }

    #[test]
    fn the_selected_row_is_visible_on_a_small_screen() {
        let mut view = view();
        assert!(lines(&view, 60, 4)[2].starts_with("0 PUB news"));
        view.obey(Command::Last);
        assert!(lines(&view, 60, 4)[2].starts_with("1 raw REP"));
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(0, 0), (1, 1), (5, 2), (30, 3), (300, 100)] {
            lines(&view(), width, height);
        }
    }
}
