//! The shared library exports the public functions and nothing else.
//!
//! Some programs define functions with names such as `nn_sleep`, which early releases of the C library
//! exported by mistake. A further exported symbol could replace such a function.

// Needs `nm`, and a shared library of a Unix system. With musl there is only the static one.
#![cfg(all(unix, not(target_env = "musl")))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shared library, which Cargo builds along with every integration test.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let name = format!("{}nanomsg{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    test.with_file_name(name)
}

/// The names that the library exports.
fn exported() -> BTreeSet<String> {
    // Apple's nm has no long options, and its linker puts an underscore in front of C's names.
    let (options, prefix): (&[_], _) = if cfg!(target_vendor = "apple") {
        (&["-g", "-U", "-P"], "_")
    } else {
        (&["--dynamic", "--defined-only", "--format=posix"], "")
    };
    let output = Command::new("nm")
        .args(options)
        .arg(library())
        .output()
        .unwrap_or_else(|error| panic!("`nm` is needed for this test: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).expect("names in ASCII");
    let names = table.lines().filter_map(|line| line.split_whitespace().next());
    names.map(|name| name.strip_prefix(prefix).unwrap_or(name).to_owned()).collect()
}

/// The names in `capi-tests/exports.txt`.
fn promised() -> Vec<String> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("capi-tests/exports.txt");
    let text = std::fs::read_to_string(list).expect("the list of exports");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_library_exports_the_public_functions_and_nothing_else() {
    let promised = promised();
    assert!(promised.is_sorted_by(|one, two| one < two), "capi-tests/exports.txt is not sorted");
    let promised: BTreeSet<_> = promised.into_iter().collect();
    let exported = exported();
    let missing: Vec<_> = promised.difference(&exported).collect();
    let surplus: Vec<_> = exported.difference(&promised).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}, surplus: {surplus:?}");
}

#[test]
fn every_exported_function_is_declared_in_the_header() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/nanomsg/nn.h");
    let header = std::fs::read_to_string(header).expect("the header");
    // A declaration may take several lines; its name is the first one that a parenthesis follows.
    let declared: BTreeSet<_> = header
        .split("NN_EXPORT")
        .skip(1)
        .filter_map(|text| text.split_once('(')?.0.split([' ', '*', '\n']).next_back())
        .filter(|name| name.starts_with("nn_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, promised().into_iter().collect());
}
