//! The environment of a program: addresses within this process, and the threads, descriptors and
//! files that exist before the program begins.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::{env, fs, process};

use super::program::Address;

/// The environment of every program of this process.
#[derive(Debug)]
pub(super) struct Place {
    /// The folder for ipc only.
    folder: PathBuf,
    /// A loopback address that no other process uses.
    host: String,
    first_port: u32,
    threads: usize,
    descriptors: usize,
}

impl Place {
    /// The environment, as the first call has found it.
    pub(super) fn get() -> &'static Place {
        static PLACE: OnceLock<Place> = OnceLock::new();
        PLACE.get_or_init(|| {
            let id = process::id();
            let folder = env::temp_dir().join(format!("nanomsg-fuzz-{id}"));
            fs::create_dir_all(&folder).expect("a temporary folder can be made");
            let [_, high, middle, low] = id.to_be_bytes();
            let host = format!("127.{}.{middle}.{}", 64 + high % 64, low.max(1));
            let first_port = 20_000 + id % 1000 * 4;
            Place { folder, host, first_port, threads: count("task"), descriptors: count("fd") }
        })
    }

    /// The text of an address to bind, or to connect to.
    pub(super) fn text(&self, address: &Address, is_bound: bool) -> CString {
        let Place { host: own, .. } = self;
        let host = |choice: u8| match choice % 8 {
            0..4 => own.clone(),
            4 => format!("{own};{own}"),
            5 if is_bound => "lo".to_owned(),
            5 => "lo;127.0.0.1".to_owned(), // A name alone would be looked up in the network.
            6 => "localhost".to_owned(),
            _ => "[::1]".to_owned(),
        };
        let port = |choice: u8| match choice {
            0..250 => self.first_port + u32::from(choice) % 4,
            _ => u32::from(choice - 250) * 65_536, // No port.
        };
        let text = match address {
            Address::Inproc(choice) => format!("inproc://{}", choice % 4),
            Address::Ipc(choice) if choice % 8 == 7 => format!("ipc://{}/missing/x", self.folder.display()),
            Address::Ipc(choice) => format!("ipc://{}/{}", self.folder.display(), choice % 4),
            Address::Tcp { host: at, port: number } => format!("tcp://{}:{}", host(*at), port(*number)),
            Address::Ws { host: at, port: number, path } => {
                format!("ws://{}:{}/{}", host(*at), port(*number), path % 2)
            }
            Address::Text(text) => return text.clone(),
        };
        CString::new(text).expect("there are no zeros in it")
    }

    /// What is left that was not there at first, when no socket is open.
    pub(super) fn left_behind(&self) -> Option<String> {
        let files = fs::read_dir(&self.folder).map_or(0, Iterator::count);
        let (threads, descriptors) = (count("task"), count("fd"));
        let is_clean = files == 0 && threads <= self.threads && descriptors <= self.descriptors;
        (!is_clean).then(|| {
            format!(
                "left: {threads} threads of {}, {descriptors} descriptors of {}, {files} files",
                self.threads, self.descriptors
            )
        })
    }
}

/// How many threads, or open descriptors, the process has.
fn count(what: &str) -> usize {
    fs::read_dir(format!("/proc/self/{what}")).expect("this system has /proc").count()
}
