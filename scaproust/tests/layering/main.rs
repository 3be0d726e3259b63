//! Checks the direction of imports in the library, its statics, and that its locks have ranks.
//!
//! It reads every file under src/, finds each path in code that begins with `crate`, `super` or `self` (not in
//! comments and strings), and compares the room of that path with the table below. A new room needs a place there.

mod circles;
mod paths;
mod statics;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use paths::paths;

/// From the bottom to the top. A room, which is a module directly under the crate root, may import from the rows
/// above its own row in this table, and, unless `SIBLINGS` names the row's first room, not from its neighbours.
const LAYERS: &[&[&str]] = &[
    &["random"],
    &["machine"],
    &["error", "address", "option", "message", "sync", "tls"],
    &["protocol", "wire", "endpoint"],
    &["pipe"],
    &["reactor"],
    &["transport"],
    &["socket"],
    &["forwarding"],
    &["api", "ffi"],
    &["fuzzing", "simulation"],
];

/// Rows, named by their first room, whose rooms may import from each other.
const SIBLINGS: &[&str] = &["error"];

/// Rooms that may import less than their row allows.
const ONLY: &[(&str, &[&str])] = &[("pipe", &["error", "message", "tls", "sync"])];

/// Rooms that know no descriptors, threads, locks or clocks, and so can be tested with simulated ones.
const PURE: &[&str] = &["protocol", "wire", "endpoint"];

/// Rooms whose files use each other in one direction.
const WITHOUT_CIRCLES: &[&str] = &["socket"];

/// What the pure rooms must not mention: a path that begins so, or a single name anywhere in a path.
const IMPURE: &[&str] = &[
    "mio",
    "socket2",
    "std::net",
    "std::os::unix::net",
    "std::thread",
    "std::sync",
    "core::sync",
    "crate::sync",
    "Instant",
    "SystemTime",
];

/// Locks without a rank, so that nothing checks in which order they are taken: see src/sync/rank.rs.
const UNRANKED: &[&str] = &["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar"];

/// Where they may be used: where they get their ranks, and for a lock that is only tried.
const WITHOUT_RANK: &[&str] = &["src/machine/locks.rs", "src/sync/", "src/message/pool.rs"];

/// Files of the tests that run random schedules. They know the machine below and what must begin anew above.
const SCHEDULES: &[&str] = &["src/machine/exploring.rs", "src/pipe/lane/shuttle_tests.rs"];

#[test]
fn every_room_of_the_table_is_there() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let only = ONLY.iter().flat_map(|(room, allowed)| allowed.iter().chain([room]));
    let rooms = LAYERS.iter().copied().flatten().chain(SIBLINGS).chain(PURE).chain(only);
    for room in rooms {
        let is_there = source.join(room).is_dir() || source.join(room).with_extension("rs").is_file();
        assert!(is_there, "src/ has no room `{room}`");
        assert!(row_of(room).is_some(), "`{room}` has no row");
    }
}

#[test]
fn imports_run_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    assert!(files.len() > 10, "found only {} files: is this the right folder?", files.len());

    let mut violations = Vec::new();
    for file in files {
        let (name, text) = read(root, &file);
        if !SCHEDULES.contains(&&*name) {
            violations.extend(check(&name, &text));
        }
        violations.extend(statics::check(&name, &text));
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn files_of_a_room_use_each_other_in_one_direction() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for room in WITHOUT_CIRCLES {
        let mut files = Vec::new();
        rust_files(&root.join("src").join(room), &mut files);
        let files = files.iter().map(|file| read(root, file));
        let files: Vec<_> = files
            .map(|(name, text)| {
                (name.rsplit('/').next().unwrap_or(&name).trim_end_matches(".rs").to_owned(), text)
            })
            .collect();
        assert!(files.len() > 1, "found only {} files of `{room}`", files.len());
        assert_eq!(circles::modules_in_circles(room, &files), [""; 0], "in src/{room}/");
    }
}

#[test]
fn the_c_interface_and_the_tool_have_harmless_statics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the workspace");
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("nanocat/src"), &mut files);
    let violations = files.iter().map(|file| read(root, file));
    let violations: Vec<_> = violations.flat_map(|(name, text)| statics::check(&name, &text)).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// The name of a file under `root`, and its text.
fn read(root: &Path, file: &Path) -> (String, String) {
    let name = file.strip_prefix(root).expect("it was found under the root").to_str().expect("UTF-8");
    // Windows has other separators.
    let name = name.replace(std::path::MAIN_SEPARATOR, "/");
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    (name, text)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The violations in one file; its name is relative to the package, as in `src/wire/mod.rs`.
fn check(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(&room) = module.first() else {
        return Vec::new(); // The crate root declares and re-exports.
    };
    let Some(row) = row_of(room) else {
        return vec![format!("{file}:1: the room `{room}` has no place in the table of tests/layering")];
    };

    let reexported = reexported();
    let mut violations = Vec::new();
    for (line, path) in paths(text, &module) {
        if let ["crate", target, ..] = path.iter().map(String::as_str).collect::<Vec<_>>()[..]
            && let target = reexported.get(target).map_or(target, String::as_str)
            && target != room
            && let Some(rule) = broken_import(room, row, target)
        {
            violations.push(format!("{file}:{line}: `{room}` must not import `{target}`: {rule}"));
        }
        let whole = path.join("::");
        let mentions = |name: &str| {
            path.iter().any(|segment| segment == name)
                || whole.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if PURE.contains(&room)
            && let Some(name) = IMPURE.iter().find(|name| mentions(name))
        {
            violations.push(format!(
                "{file}:{line}: `{room}` must not mention `{name}`: it knows no descriptors, threads, locks or clocks"
            ));
        }
        if let Some(name) = UNRANKED.iter().find(|name| mentions(name))
            && !WITHOUT_RANK.iter().any(|place| file.starts_with(place))
        {
            violations.push(format!("{file}:{line}: `{name}` has no rank: use that of `crate::sync`"));
        }
    }
    violations.dedup();
    violations
}

/// The rooms of the names that the crate root exports: for `pub use api::Socket` it is `api`.
fn reexported() -> BTreeMap<String, String> {
    let pairs =
        paths(include_str!("../../src/lib.rs"), &[]).into_iter().filter_map(|(_, path)| match &path[..] {
            [room, name] if row_of(room).is_some() => Some((name.clone(), room.clone())),
            _ => None,
        });
    pairs.collect()
}

/// The rule that an import from `room` to `target` breaks.
fn broken_import(room: &str, row: usize, target: &str) -> Option<String> {
    let Some(target_row) = row_of(target) else {
        return Some("it has no place in the table of tests/layering; name the room that it lives in".into());
    };
    if let Some((_, allowed)) = ONLY.iter().find(|(limited, _)| *limited == room)
        && !allowed.contains(&target)
    {
        return Some(format!("it may import only {}", allowed.join(", ")));
    }
    if target_row > row {
        return Some("it is a higher layer".into());
    }
    if target_row == row && !SIBLINGS.contains(&LAYERS[row][0]) {
        return Some("neighbours do not know each other".into());
    }
    None
}

fn row_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The module that a file holds: `src/pipe/lane.rs` is `[pipe, lane]`, and `src/lib.rs` is empty.
fn module_of(file: &str) -> Vec<&str> {
    let inner =
        file.strip_prefix("src/").and_then(|file| file.strip_suffix(".rs")).expect("a Rust file in src/");
    let mut module: Vec<&str> = inner.split('/').collect();
    if matches!(module.last(), Some(&"mod" | &"lib")) {
        module.pop();
    }
    module
}

#[test]
fn a_wrong_import_is_found_wherever_it_stands() {
    let upward = ["src/wire/mod.rs:2: `wire` must not import `socket`: it is a higher layer"];
    for text in [
        "\nuse crate::socket::Table;",
        "\nuse crate::{error::Error, socket::{Table, slot::Slot}};",
        "\nuse crate::error as e; use crate::socket as s;",
        "\npub(crate) use super::socket::Table;",
        "\nfn f() -> Vec<crate::socket::Table> {}",
        "mod tests {\nuse super::super::socket; }",
        "const QUOTE: char = '\"'; /* /* \" */ */\nuse crate::socket::*; const TEXT: &str = \"\\\"\";",
        "fn f<'a>(x: &'a str) {}\nmacro_rules! m { () => { $crate::socket::f() } }",
    ] {
        assert_eq!(check("src/wire/mod.rs", text), upward, "{text}");
    }
}

#[test]
fn comments_and_texts_are_no_imports() {
    for text in [
        "// use crate::socket;\n//! [`crate::socket`]",
        "/* /* */ use crate::socket; */",
        "const A: &str = \"\\\" crate::socket\"; const B: &str = r#\"\" crate::socket\"#;",
        "mod tests { use super::*; } mod more { mod inner { use super::super::Frame; } }",
        "pub(crate) struct Socket; use crate::error::Error;",
    ] {
        assert_eq!(check("src/wire/framing.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn each_rule_speaks() {
    for (file, text, expected) in [
        (
            "src/wire/mod.rs",
            "use crate::protocol::X;",
            "`wire` must not import `protocol`: neighbours do not know",
        ),
        ("src/ffi.rs", "use crate::api::X;", "`ffi` must not import `api`: neighbours do not know"),
        (
            "src/pipe/lane.rs",
            "use crate::option::X;",
            "`pipe` must not import `option`: it may import only error",
        ),
        (
            "src/socket/mod.rs",
            "use crate::cellar::X;",
            "`socket` must not import `cellar`: it has no place in",
        ),
        ("src/cellar/mod.rs", "", "the room `cellar` has no place in the table"),
        ("src/wire/mod.rs", "use crate::sync::lock;", "`wire` must not mention `crate::sync`"),
        ("src/protocol/req.rs", "use std::{fmt, sync::Arc};", "`protocol` must not mention `std::sync`"),
        ("src/endpoint/mod.rs", "fn f(now: Instant) {}", "`endpoint` must not mention `Instant`"),
        (
            "src/endpoint/mod.rs",
            "use std::time::{self, Duration}; fn f() -> time::SystemTime {}",
            "must not mention `SystemTime`",
        ),
        (
            "src/reactor/mod.rs",
            "use std::sync::{Arc, Mutex};",
            "`std::sync::Mutex` has no rank: use that of `crate::sync`",
        ),
        ("src/wire/mod.rs", "fn f() { ::mio::Poll::new() }", "`wire` must not mention `mio`"),
    ] {
        let violations = check(file, text);
        assert_eq!(violations.len(), 1, "{text}: {violations:?}");
        assert!(violations[0].contains(expected), "{text}: {violations:?}");
        assert!(violations[0].starts_with(&format!("{file}:1: ")), "{violations:?}");
    }
    assert_eq!(check("src/option.rs", "use crate::error::Error;"), [""; 0], "leaves may import leaves");
    assert_eq!(
        check("src/lib.rs", "pub use socket::X; use crate::ffi::Y;"),
        [""; 0],
        "the root may name everything"
    );
}
