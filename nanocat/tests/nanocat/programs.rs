//! Our nanocat and Debian's as processes, which are killed when the test ends.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{fs, thread};

#[cfg(unix)]
use crate::ports::free_port;

/// The time limit: a process that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// One of the two nanocat programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Ours,
    #[cfg(unix)]
    Debian,
}

impl Which {
    /// The program.
    pub(crate) fn path(self) -> PathBuf {
        match self {
            Which::Ours => env!("CARGO_BIN_EXE_nanocat").into(),
            #[cfg(unix)]
            Which::Debian => {
                let path = PathBuf::from("/usr/bin/nanocat");
                assert!(path.exists(), "nanocat to compare with is missing: run `make dependencies`");
                path
            }
        }
    }
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// A process; it is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    output: Receiver<Vec<u8>>,
    errors: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Program {
    /// Starts a nanocat with arguments that are separated by spaces.
    pub(crate) fn start(which: Which, arguments: &str) -> Program {
        Program::start_in(Path::new("."), &which.path(), arguments.split_whitespace())
    }

    /// Starts a program in a folder.
    pub(crate) fn start_in<'a>(
        folder: &Path,
        program: &Path,
        arguments: impl Iterator<Item = &'a str>,
    ) -> Program {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            // Or certificates of the caller would take the place of missing ones.
            .env_remove("NN_TLS_CERT_FILE")
            .env_remove("NN_TLS_CA_FILE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = forward(child.stdout.take().expect("it is piped"));
        let errors = forward(child.stderr.take().expect("it is piped"));
        Program { child, output, errors, seen: Vec::new() }
    }

    /// Writes to its standard input.
    pub(crate) fn write(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("it is open");
        input.write_all(text.as_bytes()).expect("it reads");
    }

    /// Waits until it has printed `end`, and returns the output.
    pub(crate) fn read_until(&mut self, end: &[u8]) -> &[u8] {
        while !self.seen.windows(end.len()).any(|window| window == end) {
            let more = self.output.recv_timeout(LIMIT);
            let more =
                more.unwrap_or_else(|_| panic!("printed only {:?}", String::from_utf8_lossy(&self.seen)));
            self.seen.extend(more);
        }
        &self.seen
    }

    /// Closes the reading end of its output.
    pub(crate) fn stop_reading(&mut self) {
        let (_, closed) = channel();
        self.output = closed;
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it was started").is_none()
    }

    /// Closes its input, and waits until it ends.
    pub(crate) fn end(mut self) -> End {
        drop(self.child.stdin.take());
        let mut stdout = std::mem::take(&mut self.seen);
        stdout.extend(all(&self.output));
        let stderr = String::from_utf8_lossy(&all(&self.errors)).into_owned();
        let status = self.child.wait().expect("it was started").code();
        End { status, stdout, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on what can be read, until the receiver is closed.
fn forward(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Everything up to the end.
fn all(from: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match from.recv_timeout(LIMIT) {
            Ok(more) => bytes.extend(more),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return bytes,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the program does not end"),
        }
    }
}

/// Runs a nanocat to its end.
pub(crate) fn run(which: Which, arguments: &str) -> End {
    Program::start(which, arguments).end()
}

/// A folder of this test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nanocat-test-{}-{serial}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }

    #[cfg(unix)]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// An address in it.
    pub(crate) fn ipc(&self, name: &str) -> String {
        if cfg!(windows) {
            // The name of a named pipe, which is not in a folder.
            let folder = self.0.file_name().expect("it has a name").to_string_lossy();
            return format!("ipc://{folder}-{name}");
        }
        format!("ipc://{}", self.file(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // If this fails, the files are left in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A free address on this machine.
#[cfg(unix)]
pub(crate) fn tcp() -> String {
    format!("tcp://127.0.0.1:{}", free_port("127.0.0.1"))
}
