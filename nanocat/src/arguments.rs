//! Parses the arguments, with clap and with the rules that clap cannot express.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::content::ContentSource;
use super::definition::{ENDPOINTS, FORMATS, command, id};
use super::failure::Failure;
use super::format::Format;
use super::monitor::EventFormat;
use super::socket_type::SocketType;
use super::tls::TlsOptions;

/// The task that the arguments ask for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    /// Print this text.
    Print(String),
    /// Print the manual page or the completion script of this name.
    Generate(String),
    /// Open a socket.
    Run(Box<Options>),
}

/// The options with which a socket is run.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub socket_type: SocketType,
    /// 1: print endpoints on standard error; 2: messages too.
    pub verbosity: i64,
    /// Print events in this format.
    pub monitor: Option<EventFormat>,
    /// Addresses to bind and to connect to, in the order of the arguments.
    pub bind: Vec<Vec<u8>>,
    pub connect: Vec<Vec<u8>>,
    pub recv_timeout: Option<Duration>,
    pub send_timeout: Option<Duration>,
    /// How long a connect waits: not at all unless it is given, then without limit if there is no time.
    pub connect_timeout: Option<Option<Duration>>,
    pub prefers_new: bool,
    pub conflates: bool,
    /// Publishers send only what is subscribed to.
    pub prefilters: bool,
    pub name: Option<Vec<u8>>,
    pub tls: TlsOptions,
    /// Prefixes; none subscribes to all messages.
    pub subscriptions: Vec<Vec<u8>>,
    pub format: Format,
    /// The file for received messages, instead of standard output.
    pub output: Option<PathBuf>,
    pub count: Option<u64>,
    pub interval: Option<Duration>,
    pub delay: Duration,
    /// The source of the messages to send.
    pub source: Option<ContentSource>,
}

/// Parses the arguments, of which the first is the name of the program.
///
/// # Errors
/// A failure with a text about the wrong argument.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Failure> {
    let mut command = command();
    let arguments = spelled_out(&command, arguments);
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| request(&mut command, &matches));
    parsed.or_else(|error| match error.kind() {
        ErrorKind::DisplayHelp => Ok(Request::Print(error.to_string())),
        _ => Err(Failure::usage(error)),
    })
}

/// Converts the arguments for clap: a program name such as `nn_push` becomes an option, and `-D=x`
/// gets a second `=`, since the value here is `=x`.
fn spelled_out(command: &Command, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let called = arguments.next().unwrap_or_default();
    let own =
        Path::new(&called).file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix("nn_"));
    let types = || SocketType::ALL.map(SocketType::option).into_iter();
    let socket_type = own.filter(|own| types().any(|name| name == *own)).map(|own| format!("--{own}").into());
    let mut result: Vec<OsString> = [called].into_iter().chain(socket_type).collect();
    let mut is_value = false;
    for argument in arguments {
        if is_value {
            is_value = false;
            result.push(argument);
            continue;
        }
        let text = argument.to_str().unwrap_or_default();
        if text == "-" || text == "--" {
            continue; // Ignored, as in the C library's nanocat.
        }
        if let Some(name) = text.strip_prefix("--") {
            let (name, value) = name.split_at(name.find('=').unwrap_or(name.len()));
            if let Some(arg) = long(command, name) {
                is_value = value.is_empty() && takes_value(arg);
                result.push(format!("--{}{value}", arg.get_long().unwrap_or(name)).into());
                continue;
            }
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

/// Whether the argument behind an option may be its value.
fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn short(command: &Command, letter: char) -> Option<&Arg> {
    command.get_arguments().find(|arg| arg.get_short() == Some(letter))
}

/// The option with this name, or the only one whose name begins with it. The options of TLS count only after the others, so
/// that an abbreviation means what it means to the C library's nanocat.
fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let named = || command.get_arguments().filter_map(|arg| Some((arg, arg.get_long()?)));
    let exact = named().find(|(_, long)| *long == name);
    let only = |is_tls: bool| {
        let mut beginning =
            named().filter(|(_, long)| id::TLS.contains(long) == is_tls && long.starts_with(name));
        beginning.next().filter(|_| beginning.next().is_none())
    };
    let begins = named().any(|(_, long)| !id::TLS.contains(&long) && long.starts_with(name));
    exact.or_else(|| only(!begins)).map(|(arg, _)| arg)
}

fn request(command: &mut Command, matches: &ArgMatches) -> Result<Request, Error> {
    if let Some(product) = matches.get_one::<String>(id::GENERATE) {
        return Ok(Request::Generate(product.clone()));
    }
    let Some(socket_type) =
        SocketType::ALL.into_iter().find(|socket_type| matches.get_flag(socket_type.option()))
    else {
        let types = SocketType::ALL.map(|socket_type| format!("--{}", socket_type.option())).join(", ");
        let text = format!("a socket type is needed: {types}");
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    };
    let options = options(socket_type, matches);
    if options.bind.is_empty() && options.connect.is_empty() {
        let endpoints = ENDPOINTS.map(|(name, _, _, _, what, _)| format!("--{name} {what}")).join(", ");
        let text = format!("an endpoint is needed: {endpoints}");
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    }
    for (option, why) in socket_type.refused() {
        if matches.value_source(option) == Some(ValueSource::CommandLine) {
            let text = format!("--{option} cannot be used with --{}, which {why}", socket_type.option());
            return Err(command.error(ErrorKind::ArgumentConflict, text));
        }
    }
    if socket_type.must_send() && options.source.is_none() {
        let text = format!("--{} needs something to send: --data, --file or --lines", socket_type.option());
        return Err(command.error(ErrorKind::MissingRequiredArgument, text));
    }
    if options.connect_timeout.is_some() && options.connect.is_empty() {
        let text = format!("--{} has no effect without --{}", id::CONNECT_TIMEOUT, id::CONNECT);
        return Err(command.error(ErrorKind::ArgumentConflict, text));
    }
    let tls = options.tls.check(&options.bind, &options.connect);
    tls.map_err(|(kind, text)| command.error(kind, text))?;
    Ok(Request::Run(Box::new(options)))
}

fn options(socket_type: SocketType, matches: &ArgMatches) -> Options {
    let time = |name| matches.get_one::<Option<Duration>>(name).copied().flatten();
    let path = |name| matches.get_one::<PathBuf>(name).cloned();
    let output = path(id::OUTPUT);
    let source = match (matches.get_one::<Vec<u8>>(id::DATA), path(id::FILE)) {
        (_, file) if matches.get_flag(id::LINES) => Some(ContentSource::Lines(file)),
        (Some(data), _) => Some(ContentSource::Data(data.clone())),
        (None, file) => file.map(ContentSource::File),
    };
    Options {
        socket_type,
        verbosity: i64::from(matches.get_count(id::VERBOSE)) - i64::from(matches.get_count(id::SILENT)),
        monitor: matches.get_one::<EventFormat>(id::MONITOR).copied(),
        bind: addresses(matches, true),
        connect: addresses(matches, false),
        recv_timeout: time(id::RECV_TIMEOUT),
        send_timeout: time(id::SEND_TIMEOUT),
        connect_timeout: matches.get_one::<Option<Duration>>(id::CONNECT_TIMEOUT).copied(),
        prefers_new: matches.get_flag(id::PREFER_NEW),
        conflates: matches.get_flag(id::CONFLATE),
        prefilters: matches.get_flag(id::PREFILTER),
        name: matches.get_one::<Vec<u8>>(id::SOCKET_NAME).cloned(),
        tls: TlsOptions::new(matches),
        subscriptions: matches.get_many::<Vec<u8>>(id::SUBSCRIBE).unwrap_or_default().cloned().collect(),
        format: format(matches).unwrap_or(if output.is_some() { Format::Raw } else { Format::No }),
        output,
        count: matches.get_one::<u64>(id::COUNT).copied(),
        interval: time(id::INTERVAL),
        delay: time(id::DELAY).unwrap_or_default(),
        source,
    }
}

/// The addresses to bind or to connect to, in the order of the arguments.
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
