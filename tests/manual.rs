//! The manual in docs/man/ agrees with the headers: it has every function with its prototype, and every constant.

// Needs `mandoc`. The pages do not depend on the system, so one system is enough.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page of the manual.
fn page(name: &str) -> String {
    read(&root().join("docs/man").join(name))
}

/// The names of all pages, with their sections.
fn pages() -> BTreeSet<String> {
    names_in("docs/man")
}

/// The names of all public headers, without `.h`.
fn headers() -> BTreeSet<String> {
    names_in("include/nanomsg").iter().filter_map(|name| name.strip_suffix(".h")).map(str::to_owned).collect()
}

fn header(name: &str) -> String {
    read(&root().join("include/nanomsg").join(name).with_extension("h"))
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let files: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
    files.iter().map(|path| name(path).expect("names in ASCII")).collect()
}

/// A declaration without white space, for comparing two with different layouts.
fn squeezed(declaration: &str) -> String {
    declaration.split_whitespace().collect()
}

/// The declaration of a function in `<nanomsg/nn.h>`, from its type to its last parenthesis.
fn declared(name: &str) -> String {
    let header = header("nn");
    let declarations =
        header.split("\nNN_EXPORT").skip(1).filter_map(|text| text.split(';').next()).map(squeezed);
    let wanted = format!("{name}(");
    declarations
        .into_iter()
        .find(|text| text.contains(&wanted))
        .unwrap_or_else(|| panic!("{name} is not declared"))
}

/// The declaration of a function in the synopsis of its page: the macros Ft, Fn, and Fo, Fa, Fc.
fn documented(name: &str) -> String {
    let page = page(&format!("{name}.3"));
    let synopsis = page.split(".Sh ").find_map(|section| section.strip_prefix("SYNOPSIS\n"));
    let mut result = String::new();
    let mut arguments: Vec<String> = Vec::new();
    for line in synopsis.unwrap_or_else(|| panic!("{name} has no synopsis")).lines() {
        let (r#macro, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = quoted_words(rest).into_iter();
        match r#macro {
            ".Ft" => result.extend(words),
            ".Fn" | ".Fo" => {
                result.extend(words.next());
                arguments.extend(words);
            }
            ".Fa" => arguments.extend(words),
            _ => {}
        }
    }
    squeezed(&format!("{result}({})", arguments.join(",")))
}

/// The arguments of a macro; one with spaces is in quotes.
fn quoted_words(text: &str) -> Vec<String> {
    let pieces = text.split('"').enumerate();
    let words = pieces.flat_map(|(number, piece)| match number % 2 {
        0 => piece.split_whitespace().map(str::to_owned).collect(),
        _ => vec![piece.to_owned()],
    });
    words.collect()
}

#[test]
fn every_function_has_a_page_with_its_prototype() {
    let exports = read(&root().join("capi-tests/exports.txt"));
    assert!(exports.lines().count() > 20, "capi-tests/exports.txt lacks functions");
    for name in exports.lines() {
        assert_eq!(documented(name), declared(name), "docs/man/{name}.3 and the header differ");
    }
}

#[test]
fn every_header_has_a_page_that_includes_it() {
    for name in headers().iter().filter(|name| *name != "nn") {
        let file = format!("nn_{name}.7");
        assert!(page(&file).contains(&format!("\n.In nanomsg/{name}.h\n")), "{file} lacks the header");
    }
}

#[test]
fn every_transport_is_named_where_addresses_are() {
    let header = header("nn");
    let has_addresses = |name: &String| page(&format!("nn_{name}.7")).contains(&format!("{name}://"));
    let transports: Vec<_> =
        headers().into_iter().filter(|name| name != "nn").filter(has_addresses).collect();
    assert_eq!(transports, ["inproc", "ipc", "tcp", "ws"]);
    for function in ["nn_bind", "nn_connect"] {
        let before = header.split(&format!("int {function}(")).next().unwrap_or_default();
        let comment = before.rsplit("\n\n").next().unwrap_or_default();
        for name in &transports {
            assert!(
                page(&format!("{function}.3")).contains(&format!(".Xr nn_{name} 7")),
                "{function}.3: {name}"
            );
            assert!(comment.contains(&format!("{name}://")), "the comment of {function} in nn.h: {name}");
        }
    }
}

#[test]
fn every_constant_is_described() {
    let manual: String = pages().iter().map(|name| page(name)).collect();
    let words: BTreeSet<_> = manual.split_whitespace().collect();
    let mut count = 0;
    for name in &headers() {
        let header = header(name);
        // Those with a value: neither guards nor, as they have a parenthesis, macros with arguments.
        let defined = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
        let constants = defined.map(|(name, _)| name).filter(|name| {
            ["NN_", "AF_SP", "PROTO_SP", "SP_HDR"].iter().any(|prefix| name.starts_with(prefix))
                && !name.contains('(')
                && *name != "NN_EXPORT"
        });
        for constant in constants {
            assert!(words.contains(constant), "{constant} of <nanomsg/{name}.h> is in no page");
            count += 1;
        }
    }
    assert!(count > 70, "only {count} constants found");
}

/// The environment variables that the library reads.
fn variables_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    // The simulated machine is not part of the library.
    let paths =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| !path.ends_with("machine"));
    let names = paths.flat_map(|path| match path.is_dir() {
        true => variables_in(&path),
        false => read(&path)
            .split("env::var")
            .skip(1)
            .filter_map(|text| text.split_once("(\"")?.1.split_once('"'))
            .map(|(name, _)| name.to_owned())
            .collect(),
    });
    names.collect()
}

#[test]
fn every_environment_variable_is_described() {
    let page = page("nn_env.7");
    let described = page.lines().filter_map(|line| line.strip_prefix(".It Ev ")).map(str::to_owned);
    let asked_for = variables_in(&root().join("scaproust/src"));
    assert!(!asked_for.is_empty(), "no variables found");
    assert_eq!(described.collect::<BTreeSet<_>>(), asked_for);
}

#[test]
fn references_lead_to_pages() {
    let pages = pages();
    for name in &pages {
        let text = page(name);
        for reference in text.lines().filter_map(|line| line.split_once(".Xr ").or(line.split_once(" Xr "))) {
            let mut words = reference.1.split_whitespace();
            let (Some(target), Some(section)) = (words.next(), words.next()) else {
                panic!("{name}: a reference without a section");
            };
            let ours = target.starts_with("nn_") || target == "nanomsg";
            assert!(
                !ours || pages.contains(&format!("{target}.{section}")),
                "{name} refers to {target}({section})"
            );
        }
    }
}

#[test]
fn every_page_is_well_formed() {
    let files: Vec<_> = pages().iter().map(|name| root().join("docs/man").join(name)).collect();
    let output = Command::new("mandoc")
        .args(["-T", "lint", "-W", "warning"])
        .args(&files)
        .output()
        .unwrap_or_else(|error| panic!("`mandoc` is needed for this test: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
