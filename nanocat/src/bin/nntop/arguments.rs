//! The arguments: their definition, from which help text, completions and manual page are made, and their values.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::failure::Failure;
use super::manual::Page;

const NAME: &str = "nntop";
const ADDRESS: &str = "address";
const INTERVAL: &str = "interval";
const TIMEOUT: &str = "timeout";
const ONCE: &str = "once";
const JSON: &str = "json";
const GENERATE: &str = "generate";

/// The value of `--generate` besides the shells.
const MANUAL: &str = "man";

const EXAMPLES: [(&str, &[&str]); 3] = [
    (
        "Start a program that can be watched, and watch it",
        &["NN_MONITOR=ipc:///tmp/worker worker &", "nntop ipc:///tmp/worker"],
    ),
    (
        "The same for several processes, each of which puts its process id in the place of %p",
        &["export NN_MONITOR=ipc:///tmp/worker-%p", "nntop ipc:///tmp/worker-1234"],
    ),
    (
        "Print the peers for which something waits",
        &["nntop --json ipc:///tmp/worker | jq '.sockets[].connections[]? | select(.send_waiting > 0).peer'"],
    ),
];

const STATUS: &str = "0 on success, 1 for wrong arguments, 2 if the output cannot be written, \
                      3 if the address is wrong or no report comes, 141 if the reader of the output has closed it.";

const DESCRIPTION: &str = "Shows the sockets of a running process that uses the library nanomsg, with their endpoints, \
    their peers, the messages and bytes per second in each direction, the bytes that wait in queues, and the messages \
    that were dropped. The process must have been started with the environment variable NN_MONITOR; see nn_env(7).

Keys: q ends the program, the arrows scroll, s changes the order of the rows, p pauses. If the process ends, the program \
    waits until one answers at the address again. Without a terminal it prints one report, as with --once.";

/// The task that the arguments ask for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// Print this text.
    Print(String),
    /// Show reports.
    Run(Options),
}

/// How reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All that come, on the terminal.
    Live,
    /// One, as text.
    Once,
    /// One, as it has come, but for characters that would control a terminal.
    Json,
}

/// The options.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) address: String,
    pub(crate) mode: Mode,
    /// The time between two reports.
    pub(crate) interval: Duration,
    /// How long the program waits for the report, if there is one only.
    pub(crate) timeout: Duration,
}

/// Parses the arguments, of which the first is the name of the program.
///
/// # Errors
/// A failure with a text about the wrong argument.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Failure> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return Ok(Request::Print(error.to_string())),
        Err(error) => return Err(Failure::usage(error)),
    };
    if let Some(product) = matches.get_one::<String>(GENERATE) {
        return generate(product).map(Request::Print);
    }
    let seconds = |name| matches.get_one(name).copied().unwrap_or_default();
    Ok(Request::Run(Options {
        // Required by the definition.
        address: matches.get_one(ADDRESS).cloned().unwrap_or_default(),
        mode: mode(&matches),
        interval: seconds(INTERVAL),
        timeout: seconds(TIMEOUT),
    }))
}

fn mode(matches: &ArgMatches) -> Mode {
    match (matches.get_flag(JSON), matches.get_flag(ONCE)) {
        (true, _) => Mode::Json,
        (false, true) => Mode::Once,
        (false, false) => Mode::Live,
    }
}

fn generate(product: &str) -> Result<String, Failure> {
    let mut text = Vec::new();
    if let Ok(shell) = Shell::from_str(product, false) {
        clap_complete::generate(shell, &mut command(), NAME, &mut text);
    } else {
        let see_also = &[("nanocat", 1), ("nn_env", 7), ("nn_monitor", 7)];
        let page = Page { command: command(), status: STATUS, examples: &EXAMPLES, see_also };
        page.write(&mut text).map_err(|error| Failure::file("Can't write the manual page", &error))?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The definition.
fn command() -> Command {
    let shells = Shell::value_variants().iter().filter_map(Shell::to_possible_value);
    let products = PossibleValuesParser::new(shells.chain([MANUAL.into()]));
    let option = |name, what| Arg::new(name).long(name).value_name(what);
    let flag = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new(NAME)
        .about("Shows the sockets of a running process, their peers, rates, queues and drops")
        .long_about(DESCRIPTION)
        .after_help(format!("Status: {STATUS}"))
        .override_usage("nntop [OPTIONS] ADDRESS")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(
            Arg::new(ADDRESS)
                .value_name("ADDRESS")
                .help("The address of the report: the value of NN_MONITOR, such as ipc:///tmp/worker")
                .value_hint(ValueHint::Other)
                .required_unless_present(GENERATE),
        )
        .arg(
            option(INTERVAL, "SEC")
                .short('i')
                .value_parser(seconds(Duration::from_millis(100)))
                .default_value("1")
                .help("Ask for a report every SEC seconds"),
        )
        .arg(flag(ONCE).help("Print one report as text, with sums in the place of rates, and end"))
        .arg(
            flag(JSON)
                .help("Print one report as the process sends it, with control characters escaped, and end"),
        )
        .arg(
            option(TIMEOUT, "SEC")
                .value_parser(seconds(Duration::ZERO))
                .default_value("5")
                .help("Fail if one report is to be printed and does not come within SEC seconds"),
        )
        .arg(flag("help").short('h').action(ArgAction::Help).help("Print this text"))
        .arg(
            option(GENERATE, "WHAT")
                .value_parser(products)
                .exclusive(true)
                .help("Print the manual page or a shell's completion script"),
        )
}

/// A number of seconds, to the millisecond, that is at least `least`.
fn seconds(least: Duration) -> ValueParser {
    ValueParser::new(move |text: &str| {
        let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // No longer than a time limit of a socket can be.
        let longest = Duration::from_millis(i32::MAX.unsigned_abs().into());
        time.filter(|time| (least..=longest).contains(time)).ok_or("not a number of seconds in range")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Request, Failure> {
        parse(["nntop"].into_iter().chain(arguments.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn an_address_is_all_that_is_needed() {
        let live = Options {
            address: "ipc://x".into(),
            mode: Mode::Live,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
        };
        assert_eq!(parsed("ipc://x"), Ok(Request::Run(live)));
        let json = Options {
            address: "ipc://x".into(),
            mode: Mode::Json,
            interval: Duration::from_millis(500),
            timeout: Duration::ZERO,
        };
        assert_eq!(parsed("--json ipc://x -i 0.5 --timeout 0"), Ok(Request::Run(json)));
        for wrong in ["", "ipc://x ipc://y", "ipc://x -i 0", "ipc://x -i -1", "ipc://x --timeout 1e300"] {
            assert_eq!(parsed(wrong).map_err(|failure| failure.status), Err(1), "{wrong}");
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        command().debug_assert();
        for product in ["man", "bash", "zsh", "fish"] {
            let Ok(Request::Print(text)) = parsed(&format!("--generate {product}")) else {
                panic!("{product}")
            };
            assert!(text.contains("interval"), "{product}");
        }
    }
}
