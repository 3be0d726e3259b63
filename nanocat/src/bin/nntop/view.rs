//! What the screen shows: the last reports, the order, the place in the list. It knows no terminal and no clock.

use super::ask::Silence;
use super::escape::shown;
use super::report::{Report, Unreadable};
use super::rows::{Order, Row, rows};

/// What has come from the process.
#[derive(Debug)]
pub(crate) enum Update {
    /// A report.
    Report(Report),
    /// Something else.
    Unreadable(Unreadable),
    /// Nothing, for a while.
    Silence(Silence),
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    /// Change the order.
    Sort,
    /// Stop showing new reports, or show them again.
    Pause,
    /// Move by so many rows.
    Move(isize),
    First,
    Last,
}

/// The state of the screen.
pub(crate) struct View {
    address: String,
    report: Option<Report>,
    /// The report that was shown before, for the rates.
    before: Option<Report>,
    /// The rows of the report.
    rows: Vec<Row>,
    order: Order,
    is_paused: bool,
    /// Why there is no new report.
    trouble: Option<String>,
    /// The selected row.
    selected: usize,
}

impl View {
    /// Nothing has come yet from the process at `address`.
    pub(crate) fn new(address: &str) -> View {
        let address: String = shown(address).collect();
        View {
            trouble: Some(format!("waiting for {address}")),
            address,
            report: None,
            before: None,
            rows: Vec::new(),
            order: Order::Traffic,
            is_paused: false,
            selected: 0,
        }
    }

    /// Takes in what has come.
    pub(crate) fn update(&mut self, update: Update) {
        match update {
            Update::Silence(why) => self.trouble = Some(format!("waiting for {}: {why}", self.address)),
            Update::Unreadable(error) => self.trouble = Some(format!("the answer is no report: {error}")),
            Update::Report(_) if self.is_paused => self.trouble = None,
            Update::Report(report) => {
                self.trouble = None;
                self.before = self.report.replace(report);
                self.make_rows();
            }
        }
    }

    fn make_rows(&mut self) {
        let report = self.report.as_ref();
        self.rows = report.map(|report| rows(report, self.before.as_ref(), self.order)).unwrap_or_default();
        self.move_to(self.selected);
    }

    /// Does what the user wants. Returns whether to go on.
    pub(crate) fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Quit => return false,
            Command::Sort => {
                self.order = self.order.next();
                self.make_rows();
            }
            Command::Pause => self.is_paused = !self.is_paused,
            Command::Move(by) => self.move_to(self.selected.saturating_add_signed(by)),
            Command::First => self.move_to(0),
            Command::Last => self.move_to(usize::MAX),
        }
        true
    }

    fn move_to(&mut self, row: usize) {
        self.selected = row.min(self.rows.len().saturating_sub(1));
    }

    /// The rows to show.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The selected row.
    pub(crate) fn selected(&self) -> usize {
        self.selected
    }

    /// The first line: the process, or why nothing comes from it.
    pub(crate) fn headline(&self) -> String {
        let process = self.report.as_ref().map(|report| {
            let count = report.sockets.len();
            let sockets = if count == 1 { "socket" } else { "sockets" };
            format!("{}  process {}  {count} {sockets}", self.address, report.pid)
        });
        let paused = self.is_paused.then(|| "paused".to_owned());
        let parts = [self.trouble.clone().or(process), paused];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    /// Whether the rows are those of the last answer, and the process may be gone.
    pub(crate) fn is_stale(&self) -> bool {
        self.trouble.is_some()
    }

    /// The last line: the keys.
    pub(crate) fn help(&self) -> String {
        let pause = if self.is_paused { "go on" } else { "pause" };
        format!("q quit  s sort (by {})  p {pause}  arrows scroll", self.order.name())
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::parse;
    use super::super::report::tests::REPORT;
    use super::*;
    use crate::ask::State;

    fn report() -> Update {
        Update::Report(parse(REPORT.as_bytes()).unwrap())
    }

    #[test]
    fn it_waits_until_a_report_comes_and_again_when_none_does() {
        let mut view = View::new("ipc://x");
        assert_eq!((&*view.headline(), view.rows().len()), ("waiting for ipc://x", 0));
        view.update(report());
        assert_eq!((&*view.headline(), view.rows().len()), ("ipc://x  process 7  2 sockets", 5));
        view.update(Update::Silence(Silence::Late(State::Connected)));
        let headline = "waiting for ipc://x: the process does not answer";
        assert_eq!((&*view.headline(), view.rows().len()), (headline, 5));
        assert!(view.is_stale());
        view.update(Update::Unreadable(Unreadable::Version(9)));
        assert!(view.headline().contains("no report: it has version 9"));
        view.update(report());
        assert_eq!(view.headline(), "ipc://x  process 7  2 sockets");
        assert!(!view.is_stale());
    }

    #[test]
    fn nothing_changes_while_it_is_paused() {
        let mut view = View::new("ipc://x");
        assert!(view.obey(Command::Pause));
        view.update(report());
        assert_eq!((&*view.headline(), view.rows().len()), ("paused", 0));
        assert!(view.help().contains("p go on") && view.obey(Command::Pause));
        view.update(report());
        assert_eq!(view.rows().len(), 5);
    }

    #[test]
    fn the_selected_row_stays_in_the_list() {
        let mut view = View::new("ipc://x");
        view.obey(Command::Move(3));
        assert_eq!(view.selected(), 0);
        view.update(report());
        for (command, selected) in [
            (Command::Move(3), 3),
            (Command::Move(3), 4),
            (Command::Move(-2), 2),
            (Command::First, 0),
            (Command::Move(-1), 0),
            (Command::Last, 4),
        ] {
            view.obey(command);
            assert_eq!(view.selected(), selected, "{command:?}");
        }
        let mut smaller = parse(REPORT.as_bytes()).unwrap();
        smaller.sockets.truncate(0);
        view.update(Update::Report(smaller));
        assert_eq!(view.selected(), 0);
    }

    #[test]
    fn each_order_has_its_turn_at_once() {
        let mut view = View::new("ipc://x");
        view.update(report());
        view.obey(Command::Pause);
        assert!(view.rows()[2].label.starts_with("ipc://"));
        view.obey(Command::Sort);
        assert!(view.rows()[2].label.starts_with("tcp://"));
        view = View::new("ipc://x");
        let names = [(); 5].map(|()| {
            let name = view.order.name();
            assert!(view.help().contains(name) && view.obey(Command::Sort));
            name
        });
        assert_eq!(names, ["traffic", "waiting", "drops", "number", "traffic"]);
        assert!(!view.obey(Command::Quit));
    }
}
