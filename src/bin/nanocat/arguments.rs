//! Reads the arguments: what clap makes of them, with the rules that it does not know.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::definition::{ENDPOINTS, FORMATS, command, id};
use super::failure::Failure;
use super::format::Format;
use super::kind::Kind;
use super::payload::Source;

/// What the program is asked to do.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Print this text, and end well.
    Print(String),
    /// Print the manual page or the completion script of this name.
    Generate(String),
    /// Open a socket.
    Run(Box<Options>),
}

/// How the socket is to be used.
#[derive(Debug, PartialEq)]
pub struct Options {
    pub kind: Kind,
    /// 1 and 2 say more, to people.
    pub verbosity: i64,
    /// Addresses to bind and to connect to, in their order.
    pub bind: Vec<Vec<u8>>,
    pub connect: Vec<Vec<u8>>,
    pub recv_timeout: Option<Duration>,
    pub send_timeout: Option<Duration>,
    pub name: Option<Vec<u8>>,
    /// Empty for everything.
    pub subscriptions: Vec<Vec<u8>>,
    pub format: Format,
    /// Where messages go instead of standard output.
    pub output: Option<PathBuf>,
    pub count: Option<u64>,
    pub interval: Option<Duration>,
    pub delay: Duration,
    /// What is sent.
    pub source: Option<Source>,
}

/// Reads the arguments, the first of which is the name that the program was called by.
///
/// # Errors
/// They are wrong; the text says how.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Failure> {
    let mut command = command();
    let arguments = spelled_out(&command, arguments);
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| request(&mut command, &matches));
    parsed.or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp => Ok(Request::Print(error.to_string())),
        _ => Err(Failure::usage(error)),
    })
}

/// The arguments as clap understands them: a name such as `nn_push` becomes an option, and the
/// value in `-D=x`, which is `=x`, keeps its first sign.
fn spelled_out(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let called = arguments.next().unwrap_or_default();
    let own =
        Path::new(&called).file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix("nn_"));
    let types = || Kind::ALL.map(Kind::option).into_iter();
    let kind = own.filter(|own| types().any(|name| name == *own)).map(|own| format!("--{own}").into());
    let mut result: Vec<OsString> = [called].into_iter().chain(kind).collect();
    let mut is_value = false;
    for argument in arguments {
        if is_value {
            is_value = false;
            result.push(argument);
            continue;
        }
        let text = argument.to_str().unwrap_or_default();
        if text == "-" || text == "--" {
            continue; // Means nothing, as in the C library's nanocat.
        }
        if let Some(name) = text.strip_prefix("--") {
            is_value = long(command, name).is_some_and(takes_value);
        } else if let Some(letters) = text.strip_prefix('-')
            && let Some(place) = letters.find(|letter| short(command, letter).is_some_and(takes_value))
        {
            let (before, value) = text.split_at(place + 2);
            is_value = value.is_empty();
            if value.starts_with('=') {
                result.push(format!("{before}={value}").into());
                continue;
            }
        }
        result.push(argument);
    }
    result
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|arg| arg.get_short() == Some(letter))
}

/// The option with this name, or the only one that begins so.
fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let named = || command.get_arguments().filter_map(|arg| Some((arg, arg.get_long()?)));
    let exact = named().find(|(_, long)| *long == name);
    let mut beginning = named().filter(|(_, long)| long.starts_with(name));
    let only = beginning.next().filter(|_| beginning.next().is_none());
    exact.or(only).map(|(arg, _)| arg)
}

fn request(command: &mut Command, matches: &ArgMatches) -> Result<Request, Error> {
    if let Some(product) = matches.get_one::<String>(id::GENERATE) {
        return Ok(Request::Generate(product.clone()));
    }
    let Some(kind) = Kind::ALL.into_iter().find(|kind| matches.get_flag(kind.option())) else {
        let types = Kind::ALL.map(|kind| format!("--{}", kind.option())).join(", ");
        let text = format!("a socket type is needed: {types}");
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    };
    let options = options(kind, matches);
    if options.bind.is_empty() && options.connect.is_empty() {
        let endpoints = ENDPOINTS.map(|(name, _, _, _, what, _)| format!("--{name} {what}")).join(", ");
        let text = format!("an endpoint is needed: {endpoints}");
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    }
    for (option, why) in kind.refused() {
        if matches.value_source(option) == Some(ValueSource::CommandLine) {
            let text = format!("--{option} cannot be used with --{}, which {why}", kind.option());
            return Err(command.error(ErrorKind::ArgumentConflict, text));
        }
    }
    if kind.must_send() && options.source.is_none() {
        let text = format!("--{} needs something to send: --data, --file or --lines", kind.option());
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    }
    Ok(Request::Run(Box::new(options)))
}

fn options(kind: Kind, matches: &ArgMatches) -> Options {
    let time = |name| matches.get_one::<Option<Duration>>(name).copied().flatten();
    let path = |name| matches.get_one::<PathBuf>(name).cloned();
    let output = path(id::OUTPUT);
    let source = match (matches.get_one::<Vec<u8>>(id::DATA), path(id::FILE)) {
        (_, file) if matches.get_flag(id::LINES) => Some(Source::Lines(file)),
        (Some(data), _) => Some(Source::Data(data.clone())),
        (None, file) => file.map(Source::File),
    };
    Options {
        kind,
        verbosity: i64::from(matches.get_count(id::VERBOSE)) - i64::from(matches.get_count(id::SILENT)),
        bind: addresses(matches, true),
        connect: addresses(matches, false),
        recv_timeout: time(id::RECV_TIMEOUT),
        send_timeout: time(id::SEND_TIMEOUT),
        name: matches.get_one::<Vec<u8>>(id::SOCKET_NAME).cloned(),
        subscriptions: matches.get_many::<Vec<u8>>(id::SUBSCRIBE).unwrap_or_default().cloned().collect(),
        format: format(matches).unwrap_or(if output.is_some() { Format::Raw } else { Format::No }),
        output,
        count: matches.get_one::<u64>(id::COUNT).copied(),
        interval: time(id::INTERVAL),
        delay: time(id::DELAY).unwrap_or_default(),
        source,
    }
}

/// The addresses to bind or to connect to, in the order in which they were given.
fn addresses(matches: &ArgMatches, binds: bool) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (name, _, _, prefix, ..) in ENDPOINTS.into_iter().filter(|option| option.2 == binds) {
        let places = matches.indices_of(name).unwrap_or_default();
        let values = matches.get_many::<Vec<u8>>(name).unwrap_or_default();
        found.extend(places.zip(values.map(|value| [prefix.as_bytes(), value].concat())));
    }
    found.sort_unstable();
    found.into_iter().map(|(_, address)| address).collect()
}

fn format(matches: &ArgMatches) -> Option<Format> {
    let flag = FORMATS.into_iter().find(|(format, _)| matches.get_flag(format.name()));
    flag.map(|(format, _)| format).or_else(|| matches.get_one::<Format>(id::FORMAT).copied())
}
