//! nntop: shows the sockets of a running process, with their endpoints, peers, rates, queues and drops.
//!
//! The process serves a report because of the environment variable `NN_MONITOR`; nn_monitor(7) has its form. This program
//! uses the library's public Rust interface only, as any other viewer could.

mod arguments;
mod ask;
#[path = "../../escape.rs"]
mod escape;
#[path = "../../failure.rs"]
mod failure;
mod figures;
mod live;
#[path = "../../manual.rs"]
mod manual;
mod plain;
mod report;
mod rows;
mod screen;
#[path = "../../standard_error.rs"]
mod standard_error;
mod view;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use arguments::{Mode, Options, Request};
use ask::Viewer;
use failure::Failure;

fn main() -> ExitCode {
    // Or nntop would serve its own report there, if no process does.
    // SAFETY: there is no other thread yet, which could read a variable at the same time.
    unsafe { std::env::remove_var("NN_MONITOR") };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

fn run() -> Result<(), Failure> {
    let text = match arguments::parse(std::env::args_os())? {
        Request::Print(text) => text,
        Request::Run(options) => {
            let mut viewer = Viewer::connect(&options.address)?;
            let has_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
            match options.mode {
                Mode::Live if has_terminal => return live::run(viewer, options.interval),
                mode => once(&mut viewer, mode, &options)?,
            }
        }
    };
    let written = io::stdout().write_all(text.as_bytes());
    written.map_err(|error| Failure::file("Can't write standard output", &error))
}

/// The text of one report.
fn once(viewer: &mut Viewer, mode: Mode, options: &Options) -> Result<String, Failure> {
    let answer = viewer.ask(options.timeout);
    let address: String = escape::shown(viewer.address()).collect();
    let answer = answer.map_err(Failure::socket(&format!("Can't ask {address}")))?;
    let report = report::parse(&answer).map_err(Failure::socket(&format!("{address} has no report")))?;
    Ok(match mode {
        Mode::Json => report::json(&answer) + "\n",
        Mode::Live | Mode::Once => plain::text(&report),
    })
}
