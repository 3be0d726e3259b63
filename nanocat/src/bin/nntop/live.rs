//! The live view: a thread asks for reports, and the main thread draws them and reads the keyboard.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use scaproust::Message;

use super::ask::{Silence, Viewer};
use super::failure::Failure;
use super::report;
use super::screen::draw;
use super::view::{Command, Update, View};

/// Without an answer for so long, the process is gone. The time between two attempts is no shorter if they fail at once.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a report waits at most until it is drawn.
const TICK: Duration = Duration::from_millis(50);
/// By how many rows the keys of pages move.
const PAGE: isize = 10;

/// Shows reports until the user ends the program.
///
/// # Errors
/// A failure of the terminal.
pub(crate) fn run(mut viewer: Viewer, interval: Duration) -> Result<(), Failure> {
    let view = View::new(viewer.address());
    let (sender, updates) = channel();
    // Ends with the process.
    thread::spawn(move || ask_on(|| viewer.ask(SILENCE), interval, &sender, Instant::now, thread::sleep));
    let failure = |error: io::Error| Failure::file("Can't use the terminal", &error);
    restore_on_signals().map_err(failure)?;
    // Restores the terminal if there is a panic, too.
    let outcome = ratatui::try_init().and_then(|terminal| show(terminal, view, &updates));
    ratatui::restore();
    outcome.map_err(failure)
}

/// Asks for reports while they are wanted, by a clock and its function to sleep.
fn ask_on(
    mut ask: impl FnMut() -> Result<Message, Silence>,
    interval: Duration,
    updates: &Sender<Update>,
    now: impl Fn() -> Instant,
    sleep: impl Fn(Duration),
) {
    loop {
        let start = now();
        let update = match ask().map(|answer| report::parse(&answer)) {
            Ok(Ok(report)) => Update::Report(report),
            Ok(Err(error)) => Update::Unreadable(error),
            Err(silence) => Update::Silence(silence),
        };
        // A silence has lasted for its time already, so that a process that is back is shown at once.
        let period = if matches!(update, Update::Silence(_)) { SILENCE } else { interval };
        if updates.send(update).is_err() {
            return;
        }
        sleep(period.saturating_sub(now().saturating_duration_since(start)));
    }
}

/// Draws the view whenever it has changed, until the user ends the program.
fn show(mut terminal: DefaultTerminal, mut view: View, updates: &Receiver<Update>) -> io::Result<()> {
    let mut has_changed = true;
    loop {
        for update in updates.try_iter() {
            view.update(update);
            has_changed = true;
        }
        if std::mem::take(&mut has_changed) {
            terminal.draw(|frame| draw(&view, frame))?;
        }
        if !event::poll(TICK)? {
            continue;
        }
        // Any event may change the screen, as its size does.
        has_changed = true;
        if let Event::Key(key) = event::read()?
            && let Some(command) = command(key)
            && !view.obey(command)
        {
            return Ok(());
        }
    }
}

/// What a key means.
fn command(key: KeyEvent) -> Option<Command> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Command::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Command::Quit),
        KeyCode::Char('s') => Some(Command::Sort),
        KeyCode::Char('p') => Some(Command::Pause),
        KeyCode::Up | KeyCode::Char('k') => Some(Command::Move(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Command::Move(1)),
        KeyCode::PageUp => Some(Command::Move(-PAGE)),
        KeyCode::PageDown => Some(Command::Move(PAGE)),
        KeyCode::Home => Some(Command::First),
        KeyCode::End => Some(Command::Last),
        _ => None,
    }
}

/// Has signals restore the terminal before they end the program. A thread does that, since the main thread may be inside a
/// wait for the keyboard that does not end: as in crossterm after the terminal was closed.
#[cfg(unix)]
fn restore_on_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for signal in &mut signals {
            // Both fail if the terminal is gone.
            _ = ratatui::try_restore();
            _ = ratatui::crossterm::execute!(io::stdout(), ratatui::crossterm::cursor::Show);
            // Does not return, since each of these ends the program.
            _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
    Ok(())
}

/// The console ends programs itself.
#[cfg(not(unix))]
fn restore_on_signals() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use scaproust::Error;

    use super::super::ask::State;
    use super::*;

    /// How often a process is asked within ten seconds of a simulated clock, if each attempt takes this time.
    fn attempts(interval: Duration, took: Duration, outcome: impl Fn() -> Result<Message, Silence>) -> usize {
        let begin = Instant::now();
        let clock = Cell::new(Duration::ZERO);
        let pass = |time| clock.set(clock.get() + time);
        let (sender, updates) = channel();
        // Taken away to end the loop.
        let updates = Cell::new(Some(updates));
        let count = Cell::new(0);
        let ask = || {
            if clock.get() >= Duration::from_secs(10) {
                drop(updates.take());
            } else {
                count.set(count.get() + 1);
            }
            assert!(count.get() <= 1000);
            pass(took);
            outcome()
        };
        ask_on(ask, interval, &sender, || begin + clock.get(), pass);
        count.get()
    }

    #[test]
    fn attempts_are_paced_however_they_end() {
        let [second, minute] = [1, 60].map(Duration::from_secs);
        let answer = || Ok(Message::copy_of(b"no report").unwrap());
        let failed = || Err(Silence::Failed(Error::Closed));
        let late = || Err(Silence::Late(State::Connected));
        assert_eq!(attempts(second / 10, Duration::ZERO, answer), 100);
        assert_eq!(attempts(second / 10, second / 20, answer), 100);
        // An attempt that fails at once is not repeated at once, and one that has waited is.
        for interval in [second / 10, minute] {
            assert_eq!(attempts(interval, Duration::ZERO, failed), 10);
            assert_eq!(attempts(interval, SILENCE, late), 10);
        }
    }

    #[test]
    fn keys_have_meanings() {
        let key = |code, modifiers| command(KeyEvent::new(code, modifiers));
        for (code, meaning) in [
            (KeyCode::Char('q'), Some(Command::Quit)),
            (KeyCode::Char('c'), None),
            (KeyCode::Char('s'), Some(Command::Sort)),
            (KeyCode::Down, Some(Command::Move(1))),
            (KeyCode::End, Some(Command::Last)),
        ] {
            assert_eq!(key(code, KeyModifiers::NONE), meaning, "{code:?}");
        }
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Command::Quit));
    }
}
