//! The tests and source files that the documents name exist.

use std::fs;
use std::path::Path;

/// The documents with promises, each with the test of it.
const DOCUMENTS: [&str; 3] = ["docs/RELIABILITY.md", "SECURITY.md", "CONTRIBUTING.md"];
/// The folders below capi-tests/ with the programs that they name.
const FOLDERS: [&str; 3] = ["behaviour", "hostile", "faults"];

/// The words of a text that may be paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "/_-.*".contains(letter)));
    words.map(|word| word.trim_end_matches('.'))
}

/// The words of a text that name a C program: `hostile/term.c`.
fn programs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    words(text)
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

/// Each program of these folders tests a promise, so a document must name it.
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

/// The design names files relative to the library's sources, or to the root.
#[test]
fn every_file_of_the_design_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bases = [root.join("scaproust/src"), root.to_path_buf()];
    let text = fs::read_to_string(root.join("docs/DESIGN.md")).expect("a document");
    let is_folder = |name: &str| !name.is_empty() && bases.iter().any(|base| base.join(name).is_dir());
    let is_path = |word: &&str| {
        let folder = word.split_once('/').map(|(folder, _)| folder);
        word.ends_with(".rs") || folder.is_some_and(is_folder)
    };
    let mut count = 0;
    for path in words(&text).filter(is_path) {
        assert!(bases.iter().any(|base| base.join(path).exists()), "docs/DESIGN.md names {path}");
        count += 1;
    }
    assert!(count > 40, "only {count} paths are named");
}

/// The walks through the files name each with its path. `NAME` stands for a name that the reader chooses.
#[test]
fn every_file_of_the_walks_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).expect("a document");
    let is_path = |word: &&str| {
        ["src/", "scaproust/", "nanocat/", "tests/", "docs/", "capi-tests/", "interop/"]
            .iter()
            .any(|folder| word.starts_with(folder))
            && !word.contains("NAME")
    };
    let mut count = 0;
    for path in words(&text).filter(is_path) {
        assert!(root.join(path).exists(), "CONTRIBUTING.md names {path}");
        count += 1;
    }
    assert!(count > 60, "only {count} paths are named");
}
