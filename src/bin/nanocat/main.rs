//! nanocat: sends and receives messages from the command line.
//!
//! It has the options, the output and the exit status of the C library's nanocat, and some more.
//! Owns the arguments and what people read; everything else is the library's, of which it uses
//! what every Rust program can.

mod arguments;
mod definition;
mod failure;
mod format;
mod generate;
mod kind;
mod payload;
mod talk;

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use nanomsg::pattern::{Pattern, Receives, Sends};
use nanomsg::{Bus, Error, Pair, Pub, Pull, Push, Rep, Req, Respondent, Socket, Sub, Surveyor};

use arguments::{Options, Request};
use failure::Failure;
use format::Output;
use kind::Kind;
use payload::Payload;
use talk::Manner;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            ExitCode::from(failure.status)
        }
    }
}

fn run() -> Result<(), Failure> {
    let to_stdout = |error: io::Error| Failure::file("Can't write standard output", &error);
    match arguments::parse(env::args_os())? {
        Request::Print(text) => io::stdout().write_all(text.as_bytes()).map_err(to_stdout),
        Request::Generate(product) => generate::generate(&product, &mut io::stdout()).map_err(to_stdout),
        Request::Run(options) => talk(&options),
    }
}

/// Opens a socket of the type, and does with it what the type is for.
fn talk(options: &Options) -> Result<(), Failure> {
    // Files first, and the socket when it is clear that it will be used.
    let payload = options.source.as_ref().map(Payload::open).transpose()?;
    let output = &mut output(options)?;
    let manner = Manner {
        count: options.count,
        interval: options.interval,
        recv_timeout: options.recv_timeout,
        is_chatty: options.verbosity > 1,
    };
    match (options.kind, payload) {
        (Kind::Push, Some(payload)) => talk::send(&*sender(Push::new(), options)?, manner, payload),
        (Kind::Pub, Some(payload)) => talk::send(&*sender(Pub::new(), options)?, manner, payload),
        (Kind::Req, Some(payload)) => talk::ask(&*both(Req::new(), options)?, manner, payload, output),
        (Kind::Rep, Some(payload)) => talk::answer(&*both(Rep::new(), options)?, manner, payload, output),
        (Kind::Surveyor, Some(payload)) => {
            talk::ask(&*both(Surveyor::new(), options)?, manner, payload, output)
        }
        (Kind::Respondent, Some(payload)) => {
            talk::answer(&*both(Respondent::new(), options)?, manner, payload, output)
        }
        (Kind::Bus, Some(payload)) => talk::converse(&both(Bus::new(), options)?, manner, payload, output),
        (Kind::Pair, Some(payload)) => talk::converse(&both(Pair::new(), options)?, manner, payload, output),
        (Kind::Sub, _) => talk::receive(&*subscriber(options)?, manner, output),
        (Kind::Pull, _) => talk::receive(&*receiver(Pull::new(), options)?, manner, output),
        (Kind::Rep, None) => talk::receive(&*both(Rep::new(), options)?, manner, output),
        (Kind::Respondent, None) => talk::receive(&*both(Respondent::new(), options)?, manner, output),
        (Kind::Bus, None) => talk::receive(&*both(Bus::new(), options)?, manner, output),
        (Kind::Pair, None) => talk::receive(&*both(Pair::new(), options)?, manner, output),
        // The arguments were checked for something to send.
        (Kind::Push | Kind::Pub | Kind::Req | Kind::Surveyor, None) => {
            Err(Failure::usage("There is nothing to send"))
        }
    }
}

/// Where messages are shown.
fn output(options: &Options) -> Result<Output, Failure> {
    let Some(path) = &options.output else {
        return Ok(Output::new(options.format, "standard output".into(), Box::new(io::stdout())));
    };
    let name = path.display().to_string();
    let file = File::create(path).map_err(|error| Failure::file(format!("Can't open {name}"), &error))?;
    Ok(Output::new(options.format, name, Box::new(file)))
}

/// A socket that was just opened, if it was.
type Opened<P> = Result<Socket<P>, Error>;
/// A socket that is ready. It is closed, and what it sent delivered, when the last one lets go.
type Ready<P> = Result<Arc<Socket<P>>, Failure>;

fn sender<P: Sends>(socket: Opened<P>, options: &Options) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    set_send_timeout(&socket, options)?;
    ready(socket, options)
}

fn receiver<P: Receives>(socket: Opened<P>, options: &Options) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    talk::set_recv_timeout(&socket, options.recv_timeout)?;
    ready(socket, options)
}

fn both<P: Sends + Receives>(socket: Opened<P>, options: &Options) -> Ready<P> {
    let socket = socket.map_err(Failure::socket("Can't create socket"))?;
    set_send_timeout(&socket, options)?;
    talk::set_recv_timeout(&socket, options.recv_timeout)?;
    ready(socket, options)
}

fn subscriber(options: &Options) -> Ready<nanomsg::pattern::Sub> {
    let socket = Sub::new();
    if let Ok(socket) = &socket {
        let everything = [Vec::new()];
        let prefixes =
            if options.subscriptions.is_empty() { &everything[..] } else { &options.subscriptions };
        for prefix in prefixes {
            socket.subscribe(prefix).map_err(Failure::socket("Can't subscribe"))?;
        }
    }
    receiver(socket, options)
}

fn set_send_timeout<P: Sends>(socket: &Socket<P>, options: &Options) -> Result<(), Failure> {
    socket.set_send_timeout(options.send_timeout).map_err(Failure::socket("Can't set send timeout"))
}

/// Gives a socket its name and its endpoints, and waits if that is asked for.
fn ready<P: Pattern>(socket: Socket<P>, options: &Options) -> Ready<P> {
    if let Some(name) = &options.name {
        socket.set_name(name).map_err(Failure::socket("Can't set socket name"))?;
    }
    let tell = |what: &str, address: &[u8]| {
        if options.verbosity > 0 {
            eprintln!("{what} {}", String::from_utf8_lossy(address));
        }
    };
    for address in &options.bind {
        socket.bind(address).map_err(Failure::socket("Can't bind"))?;
        tell("bound to", address);
    }
    for address in &options.connect {
        socket.connect(address).map_err(Failure::socket("Can't connect"))?;
        tell("connecting to", address);
    }
    thread::sleep(options.delay);
    Ok(Arc::new(socket))
}
