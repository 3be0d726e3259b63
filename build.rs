//! Gives the shared library the name that C programs look for at run time.
//!
//! The interface version is a fact of the public header: the name ends in NN_VERSION_CURRENT - NN_VERSION_AGE. The
//! Makefile reads the same lines, so the two cannot disagree.

use std::env;
use std::fs;

const HEADER: &str = "include/nanomsg/nn.h";

fn main() {
    println!("cargo:rerun-if-changed={HEADER}");
    println!("cargo:rerun-if-changed=build.rs");

    let header = fs::read_to_string(HEADER).unwrap_or_else(|error| panic!("cannot read {HEADER}: {error}"));
    let interface = version(&header, "NN_VERSION_CURRENT") - version(&header, "NN_VERSION_AGE");
    let target_os = env::var("CARGO_CFG_TARGET_OS").expect("cargo tells build scripts the target");
    match target_os.as_str() {
        "windows" => {}
        "macos" | "ios" => link(&format!("-Wl,-install_name,@rpath/libnanomsg.{interface}.dylib")),
        _ => {
            link(&format!("-Wl,-soname,libnanomsg.so.{interface}"));
            // On some processors ring's assembly has functions that are not hidden.
            link("-Wl,--exclude-libs,ALL");
        }
    }
}

/// Passes one argument to the linker of the C library, and of nothing else.
fn link(argument: &str) {
    println!("cargo:rustc-cdylib-link-arg={argument}");
}

/// The value of `#define NAME value`.
fn version(header: &str, name: &str) -> u32 {
    header
        .lines()
        .find_map(|line| line.strip_prefix("#define")?.trim_start().strip_prefix(name)?.trim().parse().ok())
        .unwrap_or_else(|| panic!("{HEADER} does not define {name} as a number"))
}
