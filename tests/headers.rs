//! The public C headers are generated from the Rust sources, and compile in every mode.
//!
//! `UPDATE_HEADERS=1 cargo test --test headers` writes them.

// Needs compilers for C and C++. The headers do not depend on the system, so one system is enough.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A header, and the files it is made from.
struct Header {
    /// Its name, without `.h`.
    name: &'static str,
    /// Its purpose, in a few words.
    purpose: &'static str,
    /// The configuration in `cbindgen/`, without `.toml`.
    configuration: &'static str,
    /// The Rust files that it is made from, in the order of its parts.
    sources: &'static [&'static str],
    /// Whether it includes `nn.h`, as the C library's does.
    includes_nn: bool,
}

/// A header that holds the constants of one pattern or transport.
const fn constants(name: &'static str, purpose: &'static str, sources: &'static [&'static str]) -> Header {
    Header { name, purpose, configuration: "pattern", sources, includes_nn: false }
}

const HEADERS: &[Header] = &[
    Header {
        name: "nn",
        purpose: "sockets and messages",
        configuration: "nn",
        sources: &[
            "src/constants/nn.rs",
            "src/error.rs",
            "src/symbol.rs",
            "src/term.rs",
            "src/message.rs",
            "src/vector.rs",
            "src/socket.rs",
            "src/endpoint.rs",
            "src/transfer.rs",
            "src/control/layout.rs",
            "src/control/mod.rs",
            "src/poll.rs",
            "src/device.rs",
            "src/statistic.rs",
        ],
        includes_nn: false,
    },
    constants("inproc", "the transport within one process", &["src/constants/inproc.rs"]),
    constants("ipc", "the transport within one machine", &["src/constants/ipc.rs"]),
    constants("tcp", "the TCP transport", &["src/constants/tcp.rs"]),
    Header { includes_nn: true, ..constants("ws", "the WebSocket transport", &["src/constants/ws.rs"]) },
    constants("tls", "TLS, for the transports tls+tcp and wss", &["src/constants/tls.rs"]),
    constants("pair", "messages between two sockets", &["src/constants/pair.rs"]),
    constants("pipeline", "each message to one of several peers", &["src/constants/pipeline.rs"]),
    Header {
        includes_nn: true,
        ..constants("reqrep", "a request and its reply", &["src/constants/reqrep.rs"])
    },
    constants("pubsub", "messages to all subscribers", &["src/constants/pubsub.rs"]),
    constants("survey", "surveys of all peers, and their answers", &["src/constants/survey.rs"]),
    constants("bus", "messages to all connected peers", &["src/constants/bus.rs"]),
    Header {
        name: "ext",
        purpose: "what libnanomsg does not have",
        configuration: "ext",
        sources: &[
            "src/constants/addresses.rs",
            "src/constants/monitor.rs",
            "src/constants/peer.rs",
            "src/constants/extended.rs",
            "src/constants/sharing.rs",
            "src/constants/statistics.rs",
        ],
        includes_nn: false,
    },
    constants("star", "messages to all members of a star", &["src/constants/star.rs"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Header {
    fn path(&self) -> PathBuf {
        root().join("include/nanomsg").join(self.name).with_extension("h")
    }

    /// The text generated from the sources.
    fn generate(&self) -> String {
        let configuration = root().join("cbindgen").join(self.configuration).with_extension("toml");
        let configuration = cbindgen::Config::from_file(configuration).expect("a valid configuration");
        let mut builder = cbindgen::Builder::new()
            .with_config(configuration)
            .with_header(format!(
                "/* <nanomsg/{}.h>: {}.\n * Generated from the Rust sources; do not edit.\n * SPDX-License-Identifier: MIT OR Apache-2.0 */",
                self.name, self.purpose,
            ))
            .with_include_guard(format!("NANOMSG_{}_H", self.name.to_uppercase()));
        for source in self.sources {
            builder = builder.with_src(root().join(source));
        }
        if self.includes_nn {
            builder = builder.with_include("nn.h");
        }
        let mut text = Vec::new();
        builder.generate().expect("sources that can be read").write(&mut text);
        tidy(&String::from_utf8(text).expect("a text"))
    }
}

/// Converts the output of cbindgen to C style: a comment of one line stays on one line, none begins
/// with `//`, and the heading `# Safety` is replaced.
fn tidy(text: &str) -> String {
    let mut lines = text.lines();
    let mut tidied = String::new();
    while let Some(line) = lines.next() {
        if line.trim_start() == "/*" {
            let comment: Vec<_> = lines.by_ref().take_while(|line| line.trim_start() != "*/").collect();
            let indentation = line.trim_end_matches("/*");
            if let [only] = comment[..] {
                tidied += &format!("{indentation}/* {} */\n", only.trim());
                continue;
            }
            for (line, begin) in comment.iter().zip(std::iter::once("/*").chain(std::iter::repeat(" *"))) {
                let text = if line.trim() == "# Safety" { "The caller promises:" } else { line.trim() };
                tidied += format!("{indentation}{begin} {text}").trim_end();
                tidied.push('\n');
            }
            tidied += &format!("{indentation} */\n");
        } else if line.starts_with(['#', '}']) {
            tidied += line.split("//").next().unwrap_or(line).trim_end();
            tidied.push('\n');
        } else {
            tidied += line;
            tidied.push('\n');
        }
    }
    tidied
}

#[test]
fn headers_are_what_the_sources_say() {
    for header in HEADERS {
        let generated = header.generate();
        if std::env::var_os("UPDATE_HEADERS").is_some() {
            fs::write(header.path(), &generated).expect("a writable include folder");
        }
        let committed = fs::read_to_string(header.path()).unwrap_or_default();
        let differs = generated.lines().zip(committed.lines()).position(|(new, old)| new != old);
        assert!(
            generated == committed,
            "include/nanomsg/{}.h is not what the sources say (first in line {}). Write it anew with\n    \
             UPDATE_HEADERS=1 cargo test --test headers",
            header.name,
            differs.map_or(generated.lines().count().min(committed.lines().count()), |line| line) + 1,
        );
    }
}

/// Some bindings (nnpy) read the headers line by line.
#[test]
fn prototypes_are_single_lines() {
    let functions = include_str!("../capi-tests/exports.txt").lines();
    let header = fs::read_to_string(root().join("include/nanomsg/nn.h")).expect("nn.h");
    for function in functions {
        let prototype = |line: &&str| {
            let name = format!("{function}(");
            line.starts_with("NN_EXPORT ") && line.contains(&name) && line.ends_with(");")
        };
        assert_eq!(header.lines().filter(prototype).count(), 1, "{function}");
    }
}

#[test]
fn no_header_is_forgotten() {
    let mut files: Vec<_> = fs::read_dir(root().join("include/nanomsg"))
        .expect("the include folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let mut expected: Vec<_> = HEADERS.iter().map(Header::path).collect();
    files.sort();
    expected.sort();
    assert_eq!(files, expected);
}

/// Compiles a program that includes these headers, without an error or a warning.
fn compile(program: &str, headers: &[&str], language: &str, standard: &str) {
    let text: String = headers.iter().map(|name| format!("#include <nanomsg/{name}.h>\n")).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{standard}.c", headers.join("-")));
    fs::write(&file, text + "int main (void) { return 0; }\n").expect("a writable target folder");
    let output = Command::new(program)
        .args(["-x", language, &format!("-std={standard}")])
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I"])
        .arg(root().join("include"))
        .arg(&file)
        .output()
        .unwrap_or_else(|error| panic!("`{program}` is needed for this test: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn compile_alone_twice_and_together(program: &str, language: &str, standard: &str) {
    for header in HEADERS {
        compile(program, &[header.name], language, standard);
        compile(program, &[header.name, header.name], language, standard);
    }
    let all: Vec<_> = HEADERS.iter().map(|header| header.name).collect();
    compile(program, &all, language, standard);
}

#[test]
fn headers_are_valid_c() {
    compile_alone_twice_and_together("cc", "c", "c89");
    compile_alone_twice_and_together("cc", "c", "c99");
}

#[test]
fn headers_are_valid_cpp() {
    compile_alone_twice_and_together("c++", "c++", "c++17");
}
