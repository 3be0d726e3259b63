//! nanocat: sends and receives messages from the command line.
//!
//! It has the options, the output and the exit status of the C library's nanocat, and additional
//! options. It owns the arguments and the printed texts, and uses only the library's public Rust
//! interface.

mod arguments;
mod content;
mod definition;
mod escape;
mod failure;
mod format;
mod generate;
mod manual;
mod monitor;
mod socket_type;
mod standard_error;
mod talk;
mod tls;

use std::cell::Cell;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use scaproust::pattern::{Inbound, Outbound, Pattern};
use scaproust::{
    Bus, Endpoint, Error, Pair, PairV1, Pub, Pull, Push, Rep, Req, Respondent, Socket, Star, Sub, Surveyor,
};

use arguments::{Options, Request};
use content::Content;
use failure::Failure;
use format::Output;
use monitor::Printer;
use socket_type::SocketType;
use talk::TransferOptions;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

fn run() -> Result<(), Failure> {
    let to_stdout = |error: io::Error| Failure::file("Can't write standard output", &error);
    match arguments::parse(env::args_os())? {
        Request::Print(text) => io::stdout().write_all(text.as_bytes()).map_err(to_stdout),
        Request::Generate(product) => generate::generate(&product, &mut io::stdout()).map_err(to_stdout),
        Request::Run(options) => {
            let session = Session { options: &options, printer: Cell::default() };
            let outcome = talk(&session);
            if let Some(printer) = session.printer.take() {
                printer.finish();
            }
            outcome
        }
    }
}

/// The options, and what was started because of them.
struct Session<'a> {
    options: &'a Options,
    printer: Cell<Option<Printer>>,
}

impl Deref for Session<'_> {
    type Target = Options;

    fn deref(&self) -> &Options {
        self.options
    }
}

/// Opens a socket of the type that was selected, and sends and receives.
fn talk(options: &Session<'_>) -> Result<(), Failure> {
    // The files are opened first: if one cannot be opened, no socket is.
    let content = options.source.as_ref().map(Content::open).transpose()?;
    let output = &mut output(options)?;
    let transfer = TransferOptions {
        count: options.count,
        interval: options.interval,
        recv_timeout: options.recv_timeout,
        is_verbose: options.verbosity > 1,
    };
    match (options.socket_type, content) {
        (SocketType::Push, Some(content)) => talk::send(&*sender(Push::new(), options)?, transfer, content),
        (SocketType::Pub, Some(content)) => talk::send(&*publisher(options)?, transfer, content),
        (SocketType::Req, Some(content)) => {
            talk::ask(&*both(Req::new(), options)?, transfer, content, output)
        }
        (SocketType::Rep, Some(content)) => {
            talk::answer(&*both(Rep::new(), options)?, transfer, content, output)
        }
        (SocketType::Surveyor, Some(content)) => {
            talk::ask(&*both(Surveyor::new(), options)?, transfer, content, output)
        }
        (SocketType::Respondent, Some(content)) => {
            talk::answer(&*both(Respondent::new(), options)?, transfer, content, output)
        }
        (SocketType::Bus, Some(content)) => {
            talk::converse(&both(Bus::new(), options)?, transfer, content, output)
        }
        (SocketType::Pair, Some(content)) => {
            talk::converse(&both(Pair::new(), options)?, transfer, content, output)
        }
        (SocketType::PairV1, Some(content)) => {
            talk::converse(&both(PairV1::new(), options)?, transfer, content, output)
        }
        (SocketType::Star, Some(content)) => {
            talk::converse(&both(Star::new(), options)?, transfer, content, output)
        }
        (SocketType::Sub, _) => talk::receive(&*subscriber(options)?, transfer, output),
        (SocketType::Pull, _) => talk::receive(&*receiver(Pull::new(), options)?, transfer, output),
        (SocketType::Rep, None) => talk::listen(&*both(Rep::new(), options)?, transfer, output),
        (SocketType::Respondent, None) => talk::listen(&*both(Respondent::new(), options)?, transfer, output),
        (SocketType::Bus, None) => talk::receive(&*both(Bus::new(), options)?, transfer, output),
        (SocketType::Pair, None) => talk::receive(&*both(Pair::new(), options)?, transfer, output),
        (SocketType::PairV1, None) => talk::receive(&*both(PairV1::new(), options)?, transfer, output),
        (SocketType::Star, None) => talk::receive(&*both(Star::new(), options)?, transfer, output),
        // The arguments were checked for something to send.
        (SocketType::Push | SocketType::Pub | SocketType::Req | SocketType::Surveyor, None) => {
            Err(Failure::usage("There is nothing to send"))
        }
    }
}

/// The destination of received messages.
fn output(options: &Options) -> Result<Output, Failure> {
    let Some(path) = &options.output else {
        return Ok(Output::new(options.format, "standard output".into(), Box::new(io::stdout())));
    };
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| Failure::file(format!("Can't open {name}"), &error))?;
    Ok(Output::new(options.format, name, Box::new(file)))
}

/// The result of opening a socket.
type Opened<P> = Result<Socket<P>, Error>;
/// A socket with its options and endpoints. Dropping the last reference closes it, which delivers the
/// messages sent.
type Ready<P> = Result<Arc<Socket<P>>, Failure>;

fn sender<P: Outbound + 'static>(socket: Opened<P>, options: &Session<'_>) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    set_send_timeout(&socket, options)?;
    ready(socket, options)
}

fn receiver<P: Inbound + 'static>(socket: Opened<P>, options: &Session<'_>) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    set_receiving(&socket, options)?;
    ready(socket, options)
}

fn both<P: Outbound + Inbound + 'static>(socket: Opened<P>, options: &Session<'_>) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    set_send_timeout(&socket, options)?;
    set_receiving(&socket, options)?;
    ready(socket, options)
}

fn publisher(options: &Session<'_>) -> Ready<scaproust::pattern::Pub> {
    let socket = Pub::new();
    if let Ok(socket) = &socket {
        socket.set_filter(options.prefilters).map_err(Failure::socket("Can't filter"))?;
    }
    sender(socket, options)
}

fn subscriber(options: &Session<'_>) -> Ready<scaproust::pattern::Sub> {
    let socket = Sub::new();
    if let Ok(socket) = &socket {
        socket.set_filter_upstream(options.prefilters).map_err(Failure::socket("Can't filter"))?;
        let everything = [Vec::new()];
        let prefixes =
            if options.subscriptions.is_empty() { &everything[..] } else { &options.subscriptions };
        for prefix in prefixes {
            socket.subscribe(prefix).map_err(Failure::socket("Can't subscribe"))?;
        }
    }
    receiver(socket, options)
}

/// Sets the options of a socket that receives. Only some socket types may drop messages.
fn set_receiving<P: Inbound>(socket: &Socket<P>, options: &Options) -> Result<(), Failure> {
    talk::set_recv_timeout(socket, options.recv_timeout)?;
    let failure = || Failure::socket("Can't set which messages are dropped");
    if options.prefers_new {
        socket.set_prefers_new(true).map_err(failure())?;
    }
    if options.conflates {
        socket.set_conflates(true).map_err(failure())?;
    }
    Ok(())
}

fn set_send_timeout<P: Outbound>(socket: &Socket<P>, options: &Options) -> Result<(), Failure> {
    socket.set_send_timeout(options.send_timeout).map_err(Failure::socket("Can't set send timeout"))
}

/// Sets the name of a socket, adds its endpoints, and waits for `--delay`.
fn ready<P: Pattern + 'static>(socket: Socket<P>, options: &Session<'_>) -> Ready<P> {
    let socket = Arc::new(socket);
    if let Some(format) = options.monitor {
        let printer = Printer::start(&socket, format).map_err(Failure::socket("Can't monitor the socket"))?;
        options.printer.set(Some(printer));
    }
    if let Some(name) = &options.name {
        socket.set_name(name).map_err(Failure::socket("Can't set socket name"))?;
    }
    if let Some(time) = options.connect_timeout {
        socket.set_connect_timeout(time).map_err(Failure::socket("Can't set connect timeout"))?;
    }
    options.tls.apply(&socket)?;
    let report = |what: &str, endpoint: &Endpoint| {
        if options.verbosity > 0
            && let Ok(address) = endpoint.address()
        {
            let address: String = escape::shown(&address).collect();
            standard_error::print(&format!("{what} {address}"));
        }
    };
    for address in &options.bind {
        report("bound to", &socket.bind(address).map_err(Failure::socket("Can't bind"))?);
    }
    for address in &options.connect {
        report("connecting to", &socket.connect(address).map_err(Failure::socket("Can't connect"))?);
    }
    thread::sleep(options.delay);
    Ok(socket)
}
