//! The tests that the documents name for what they promise are there.

use std::fs;
use std::path::Path;

/// Where promises are written down, each with the test that holds it.
const DOCUMENTS: [&str; 3] = ["docs/RELIABILITY.md", "SECURITY.md", "CONTRIBUTING.md"];
/// The folders below capi-tests/ whose programs they name.
const FOLDERS: [&str; 3] = ["behaviour", "hostile", "faults"];

/// The words of a text that name a C program: `hostile/term.c`.
fn programs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "/_-.*".contains(letter)));
    words
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| word.ends_with(".c"))
        .map(|word| word.trim_start_matches("capi-tests/"))
        .map(|word| word.split_once('/').unwrap_or(("", word)))
}

#[test]
fn every_named_program_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for document in DOCUMENTS {
        let text =
            fs::read_to_string(root.join(document)).unwrap_or_else(|error| panic!("{document}: {error}"));
        for (folder, program) in programs(&text) {
            assert!(
                FOLDERS.contains(&folder),
                "{document} names {folder}/{program}: is it one of {FOLDERS:?}?"
            );
            let path = root.join("capi-tests").join(folder).join(program);
            assert!(program == "*.c" || path.is_file(), "{document} names {folder}/{program}");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} programs are named");
}

/// What a peer does, or what fails around the library, is a promise of its own: a document says so.
#[test]
fn every_hostile_program_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |document| fs::read_to_string(root.join(document)).expect("a document");
    let named: String = DOCUMENTS.into_iter().map(read).collect();
    let named: Vec<_> = programs(&named).collect();
    for folder in ["hostile", "faults"] {
        for entry in fs::read_dir(root.join("capi-tests").join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("ASCII");
            let is_named = named.contains(&(folder, name.as_str()));
            assert!(is_named || !name.ends_with(".c"), "no document says what {folder}/{name} tests");
        }
    }
}
