//! The definition of the arguments for clap. Help text, completions and manual page are made from it.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{
    EnumValueParser, OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser,
};
use clap::{Arg, ArgAction, ArgGroup, Command, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::format::Format;
use super::monitor::EventFormat;
use super::socket_type::SocketType;

/// The name of the program.
pub(crate) const NAME: &str = "nanocat";

/// The long names of the options.
pub(crate) mod id {
    pub(crate) const VERBOSE: &str = "verbose";
    pub(crate) const SILENT: &str = "silent";
    pub(crate) const MONITOR: &str = "monitor";
    pub(crate) const GENERATE: &str = "generate";
    pub(crate) const BIND: &str = "bind";
    pub(crate) const CONNECT: &str = "connect";
    pub(crate) const BIND_IPC: &str = "bind-ipc";
    pub(crate) const CONNECT_IPC: &str = "connect-ipc";
    pub(crate) const BIND_LOCAL: &str = "bind-local";
    pub(crate) const CONNECT_LOCAL: &str = "connect-local";
    pub(crate) const RECV_TIMEOUT: &str = "recv-timeout";
    pub(crate) const SEND_TIMEOUT: &str = "send-timeout";
    pub(crate) const SOCKET_NAME: &str = "socket-name";
    pub(crate) const CONNECT_TIMEOUT: &str = "connect-timeout";
    pub(crate) const PREFER_NEW: &str = "prefer-new";
    pub(crate) const CONFLATE: &str = "conflate";
    pub(crate) const PREFILTER: &str = "prefilter";
    pub(crate) const SUBSCRIBE: &str = "subscribe";
    pub(crate) const FORMAT: &str = "format";
    pub(crate) const OUTPUT: &str = "output";
    pub(crate) const COUNT: &str = "count";
    pub(crate) const INTERVAL: &str = "interval";
    pub(crate) const DELAY: &str = "delay";
    pub(crate) const DATA: &str = "data";
    pub(crate) const FILE: &str = "file";
    pub(crate) const LINES: &str = "lines";
    pub(crate) const CA_CERT: &str = "cacert";
    pub(crate) const CERT: &str = "cert";
    pub(crate) const KEY: &str = "key";
    pub(crate) const INSECURE: &str = "insecure";
    pub(crate) const REQUIRE_CERT: &str = "require-cert";
    pub(crate) const SERVER_NAME: &str = "server-name";

    /// The options of tls+tcp and wss.
    pub(crate) const TLS: &[&str] = &[CA_CERT, CERT, KEY, INSECURE, REQUIRE_CERT, SERVER_NAME];
    /// The options of sockets that send.
    pub(crate) const SENDING: &[&str] = &[DATA, FILE, LINES, INTERVAL, SEND_TIMEOUT];
    /// The options of sockets that receive.
    pub(crate) const RECEIVING: &[&str] =
        &[FORMAT, "raw", "ascii", "quoted", "msgpack", "hex", OUTPUT, RECV_TIMEOUT, PREFER_NEW, CONFLATE];
    /// The options of sockets whose messages do not refer to each other.
    pub(crate) const DROPPING: &[&str] = &[PREFER_NEW, CONFLATE];
}

/// The formats that are options too, with their letters.
pub(crate) const FORMATS: [(Format, Option<char>); 5] = [
    (Format::Raw, None),
    (Format::Ascii, Some('A')),
    (Format::Quoted, Some('Q')),
    (Format::Msgpack, None),
    (Format::Hex, None),
];

/// The values of `--generate` besides the shells: the manual page, and the names of the links.
pub(crate) const MANUAL: &str = "man";
pub(crate) const LINKS: &str = "links";

const USAGE: &str = "\
nanocat --<TYPE> <ENDPOINT>... [OPTIONS]
       nn_<TYPE> <ENDPOINT>... [OPTIONS]";

/// Examples: a description, and the commands.
pub(crate) const EXAMPLES: [(&str, &[&str]); 5] = [
    (
        "Answer requests, and send one",
        &[
            "nanocat --rep --bind tcp://127.0.0.1:1234 --data pong --ascii",
            "nanocat --req --connect tcp://127.0.0.1:1234 --data ping --ascii",
        ],
    ),
    (
        "The same, with the links that select the socket type",
        &["nn_rep -L1234 -Dpong -A", "nn_req -l1234 -Dping -A"],
    ),
    ("Send a request every second, ten times", &["nn_req -l1234 -Dping -A -i1 --count 10"]),
    (
        "Send the output of a program as one message, and write it to a file",
        &["ls | nn_push -L1234 -F-", "nn_pull -l1234 --count 1 --output listing"],
    ),
    ("Send each line of a log as a message", &["tail -f log | nn_pub -L1234 --lines"]),
];

/// The exit status.
pub(crate) const STATUS: &str = "0 on success, 1 for wrong arguments, 2 if a file cannot be read or written, \
                          3 if a socket operation fails, 141 if the reader of the output has closed it. \
                          The end of --recv-timeout is a success, except for --rep with something to send.";

/// The definition.
pub(crate) fn command() -> Command {
    Command::new(NAME)
        .about("Sends and receives messages of the scalability protocols")
        .override_usage(USAGE)
        .after_help(examples())
        .infer_long_args(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(generic())
        .args(types())
        .group(ArgGroup::new("type").args(SocketType::ALL.map(SocketType::option)))
        .args(endpoints())
        .args(socket_options())
        .args(tls())
        .args(input())
        .args(output())
}

/// The end of the help text: the examples and the exit status.
fn examples() -> String {
    let mut text = String::from("Examples:\n");
    for (what, commands) in EXAMPLES {
        text += &format!("  {what}:\n    {}\n", commands.join("\n    "));
    }
    text + "\nStatus: " + STATUS
}

fn generic() -> [Arg; 5] {
    let shells = Shell::value_variants().iter().filter_map(Shell::to_possible_value);
    let products = PossibleValuesParser::new(shells.chain([MANUAL.into(), LINKS.into()]));
    [
        flag(id::VERBOSE, "Print endpoints on standard error; given twice, messages too")
            .short('v')
            .action(ArgAction::Count),
        flag(id::SILENT, "Print less: cancels one --verbose").short('q').action(ArgAction::Count),
        last(value(id::MONITOR, "FORMAT", EnumValueParser::<EventFormat>::new()))
            .help("Print connections that are made and lost, and other events, on standard error: a line for each, as text or as JSON")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("text"),
        flag("help", "Print this text").short('h').action(ArgAction::Help),
        value(id::GENERATE, "WHAT", products)
            .help("Print the manual page, the names of the links that select the socket type, or a shell's completion script")
            .exclusive(true),
    ]
    .map(|arg| arg.help_heading("Generic"))
}

fn types() -> impl Iterator<Item = Arg> {
    let flags = SocketType::ALL.into_iter().map(|socket_type| flag(socket_type.option(), socket_type.help()));
    flags.map(|arg| arg.help_heading("Socket Types"))
}

/// An option that adds an endpoint: its name, its letter, whether it binds, the prefix that makes an
/// address of the value, the name of the value, and the help text.
type EndpointOption = (&'static str, Option<char>, bool, &'static str, &'static str, &'static str);

/// All options that add an endpoint.
pub(crate) const ENDPOINTS: [EndpointOption; 6] = [
    (id::BIND, None, true, "", "ADDR", "Bind to ADDR, such as tcp://*:5555"),
    (id::CONNECT, None, false, "", "ADDR", "Connect to ADDR, such as tcp://host:5555"),
    (id::BIND_IPC, Some('X'), true, "ipc://", "PATH", "Bind to ipc://PATH"),
    (id::CONNECT_IPC, Some('x'), false, "ipc://", "PATH", "Connect to ipc://PATH"),
    (id::BIND_LOCAL, Some('L'), true, "tcp://127.0.0.1:", "PORT", "Bind to tcp://127.0.0.1:PORT"),
    (id::CONNECT_LOCAL, Some('l'), false, "tcp://127.0.0.1:", "PORT", "Connect to tcp://127.0.0.1:PORT"),
];

fn endpoints() -> impl Iterator<Item = Arg> {
    ENDPOINTS.into_iter().map(|(name, letter, _, _, what, help)| {
        let hint = if what == "PATH" { ValueHint::FilePath } else { ValueHint::Other };
        let arg = value(name, what, bytes()).help(help);
        arg.short(letter).value_hint(hint).action(ArgAction::Append).help_heading("Socket Options")
    })
}

fn socket_options() -> [Arg; 8] {
    [
        last(value(id::RECV_TIMEOUT, "SEC", seconds())).help("End if no message arrives for SEC seconds"),
        last(value(id::SEND_TIMEOUT, "SEC", seconds()))
            .help("Fail if a message cannot be sent within SEC seconds"),
        last(value(id::CONNECT_TIMEOUT, "SEC", seconds()))
            .help("Wait for the connections, and fail if one is not made within SEC seconds"),
        flag(id::PREFER_NEW, "Drop the oldest messages of a peer that sends faster than they are received"),
        flag(id::CONFLATE, "Keep only the newest message of each peer"),
        last(value(id::SOCKET_NAME, "NAME", bytes())).help("Set the name of the socket, for error messages"),
        flag(id::PREFILTER, "Let publishers send only what is subscribed to; both sides need this option"),
        value(id::SUBSCRIBE, "PREFIX", bytes())
            .help("Receive messages that begin with PREFIX; without this option, all messages")
            .action(ArgAction::Append),
    ]
    .map(|arg| {
        let heading = match arg.get_id().as_str() {
            id::SUBSCRIBE => "SUB Socket Options",
            id::PREFILTER => "PUB and SUB Socket Options",
            _ => "Socket Options",
        };
        arg.help_heading(heading)
    })
}

/// The options of tls+tcp and wss, which exist in a program without them too: then the addresses are refused.
fn tls() -> [Arg; 6] {
    let file = |name| last(value(name, "PATH", ValueParser::path_buf())).value_hint(ValueHint::FilePath);
    [
        file(id::CA_CERT)
            .help("Trust the certificates in the file PATH: those of servers, and with --require-cert those of clients"),
        file(id::CERT).short('E').help("Show the certificate in the file PATH, which may have its key too; servers need one"),
        file(id::KEY).help("Use the private key in the file PATH; needs --cert").requires(id::CERT),
        flag(id::INSECURE, "Do not verify the certificates of servers").short('k').conflicts_with(id::CA_CERT),
        flag(id::REQUIRE_CERT, "Require that the clients of --bind show a certificate, which --cacert trusts")
            .conflicts_with(id::INSECURE),
        last(value(id::SERVER_NAME, "NAME", bytes()))
            .help("Require that the certificates of servers have NAME, in place of the host in the address"),
    ]
    .map(|arg| arg.help_heading("TLS Options"))
}

fn input() -> impl Iterator<Item = Arg> {
    let names = FORMATS.map(|(format, _)| format.name());
    let help = |format| match format {
        Format::No => "",
        Format::Raw => "Print messages unchanged, without separators",
        Format::Ascii => "Print a line for each message, with dots for bytes that are not printable ASCII",
        Format::Quoted => "Print a line for each message, in double quotes, escaped as in C",
        Format::Msgpack => "Print each message as a msgpack binary value",
        Format::Hex => "Print a line for each message, in double quotes, each byte as \\x and two digits",
    };
    let by_name = value(id::FORMAT, "FORMAT", EnumValueParser::<Format>::new())
        .help("Print messages in this format: the same as the options below");
    let flags =
        FORMATS.into_iter().map(move |(format, letter)| flag(format.name(), help(format)).short(letter));
    // As the C library's nanocat, which has no other option that begins so.
    let flags = flags.map(|arg| if arg.get_id() == Format::Msgpack.name() { arg.alias("m") } else { arg });
    // Of several formats, the last one counts.
    let formats = [by_name]
        .into_iter()
        .chain(flags)
        .map(move |arg| arg.overrides_with_all(names.into_iter().chain([id::FORMAT])));
    let file = last(value(id::OUTPUT, "PATH", ValueParser::path_buf()))
        .help("Write messages to the file PATH; the default format is raw")
        .short('o')
        .value_hint(ValueHint::FilePath);
    let count = last(value(id::COUNT, "N", clap::value_parser!(u64).range(1..))).help(
        "End after N messages: sent, by sockets that only send; answered, by --req and --rep; otherwise received",
    );
    formats.chain([file, count]).map(|arg| arg.help_heading("Input Options"))
}

fn output() -> [Arg; 5] {
    [
        last(value(id::INTERVAL, "SEC", seconds())).short('i').help("Send again every SEC seconds"),
        last(value(id::DELAY, "SEC", seconds()))
            .short('d')
            .help("Wait SEC seconds before sending, so that peers can connect"),
        value(id::DATA, "DATA", bytes()).short('D').conflicts_with_all([id::FILE, id::LINES]).help(
            "Send DATA: once, or as set by --interval and --count; with --rep, as the reply to each request",
        ),
        value(id::FILE, "PATH", ValueParser::path_buf())
            .short('F')
            .value_hint(ValueHint::FilePath)
            .help("Send the content of the file PATH, or of standard input if PATH is -"),
        flag(id::LINES, "Send each line of standard input, or of the file given by --file, as a message"),
    ]
    .map(|arg| arg.help_heading("Output Options"))
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

/// An option with a value, which may begin with a dash or be empty.
fn value(name: &'static str, what: &'static str, parser: impl Into<ValueParser>) -> Arg {
    Arg::new(name).long(name).value_name(what).value_parser(parser.into()).allow_hyphen_values(true)
}

/// Makes the last one count if an option is given several times.
fn last(arg: Arg) -> Arg {
    let own = arg.get_id().clone();
    arg.overrides_with(own)
}

/// Any bytes that an argument can have.
fn bytes() -> ValueParser {
    ValueParser::new(OsStringValueParser::new().map(OsString::into_encoded_bytes))
}

/// A number of seconds, to the millisecond; `None` if it is negative.
fn seconds() -> ValueParser {
    ValueParser::new(|text: &str| match text.trim_start().parse::<f64>() {
        Ok(seconds) if seconds < 0.0 => Ok(None),
        // The cast saturates.
        Ok(seconds) if seconds.is_finite() => Ok(Some(Duration::from_millis((seconds * 1000.0) as u64))),
        _ => Err("not a number of seconds"),
    })
}
