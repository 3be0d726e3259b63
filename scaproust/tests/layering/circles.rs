//! Finds circles among the files of a room: `a` uses `b`, and `b` uses `a`, perhaps through others.
//!
//! The file `mod.rs` declares the others and may use all of them; a name that it re-exports belongs to the file that
//! defines it. Unit tests may use everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::paths;

/// The modules of a room that are part of a circle, or lie between two; `files` are their names and texts.
pub(crate) fn modules_in_circles(room: &str, files: &[(String, String)]) -> Vec<String> {
    let is_module = |name: &str| name != "mod" && files.iter().any(|(module, _)| module == name);
    let mut exports = BTreeMap::new();
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    for (module, text) in files {
        let without_tests = text.split("\n#[cfg(all(test").next().unwrap_or(text);
        let location: &[&str] = if module == "mod" { &[room] } else { &[room, module] };
        for (_, path) in paths(without_tests, location) {
            let [root, in_room, name, rest @ ..] = &path[..] else { continue };
            if root != "crate" || in_room != room {
                continue;
            }
            if module != "mod" {
                uses.entry(module.clone()).or_default().insert(name.clone());
            } else if let [exported] = rest {
                exports.insert(exported.clone(), name.clone());
            }
        }
    }
    for (module, used) in &mut uses {
        *used = used.iter().map(|name| exports.get(name).unwrap_or(name).clone()).collect();
        used.retain(|name| is_module(name) && name != module);
    }
    // What uses nothing, or is not used, is part of no circle; without it the same holds for others.
    loop {
        let before = uses.len();
        let used: BTreeSet<String> = uses.values().flatten().cloned().collect();
        uses.retain(|module, targets| used.contains(module) && !targets.is_empty());
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.values_mut().for_each(|targets| targets.retain(|target| left.contains(target)));
        if uses.len() == before && uses.values().all(|targets| !targets.is_empty()) {
            return uses.into_keys().collect();
        }
    }
}

#[test]
fn a_circle_is_found_through_others_and_through_re_exports() {
    let check = |files: &[(&str, &str)]| {
        let files: Vec<_> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        modules_in_circles("room", &files)
    };
    let facade = ("mod", "mod a; mod b; mod c; pub use self::a::A; use self::c::C; struct Own;");
    let (a, b, c) = (("a", "use super::b::B;"), ("b", "use super::C;"), ("c", "use crate::room::A;"));
    assert_eq!(check(&[facade, a, b, c]), ["a", "b", "c"]);
    assert_eq!(check(&[facade, a, ("b", "use super::{A, Own};"), c]), ["a", "b"]);
    assert_eq!(
        check(&[facade, a, b, ("c", "use super::Own;\n#[cfg(all(test, not(loom)))]\nuse super::A;")]),
        [""; 0]
    );
}
