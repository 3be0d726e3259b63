//! Checks that state of the whole process is safe at forks and exits.
//!
//! If a process forks while another thread initialises a static, or holds a lock in one, the child would wait for
//! that thread for ever. So statics are atomics, constants, or `PerProcess`, which makes a new value in a child.
//! Thread-local values with a destructor may be destroyed before an exit handler runs: use `try_with`.

use crate::paths::tokens;

/// The allowed beginnings of the type of a static.
const ALLOWED: &[&str] = &[
    "PerProcess",
    "AtomicBool",
    "AtomicI32",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
    "AtomicPtr",
    // Atomics, and no more.
    "Processors",
    "[",
    "&",
    "extern",
    "u32",
    "ProtocolInfo",
];

/// Other statics, and why each is safe.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/message/pool.rs", "POOL", "a lock that is only tried"),
    ("src/sync/system/windows.rs", "START", "Windows has no fork"),
];

/// Files whose process neither forks nor exits.
const EXEMPT: &str = "src/machine/";

/// The violations in the statics of one file.
pub(crate) fn check(file: &str, text: &str) -> Vec<String> {
    if file.starts_with(EXEMPT) {
        return Vec::new();
    }
    let tokens = tokens(text);
    let word = |index: usize| tokens.get(index).map_or("", |(_, token)| token.as_str());
    let mut violations = Vec::new();
    let mut thread_locals = Vec::new();
    let mut local_until = 0; // The end of the `thread_local!` that is being read.
    for index in 0..tokens.len() {
        let line = tokens[index].0;
        match word(index) {
            "thread_local" if word(index + 1) == "!" => local_until = end_of_block(&tokens, index + 2),
            "lazy_static" | "once_cell" => violations.push(format!("{file}:{line}: {}", word(index))),
            "static" => {
                let name = index + 1 + usize::from(word(index + 1) == "mut");
                if word(name + 1) != ":" {
                    continue; // A closure or a bound, not an item.
                }
                if index < local_until {
                    thread_locals.push(word(name).to_owned());
                    continue;
                }
                let kind = last_segment(&tokens, name + 2);
                let is_known = EXCEPTIONS.iter().any(|known| (known.0, known.1) == (file, word(name)));
                if !is_known && !ALLOWED.contains(&kind.as_str()) {
                    violations.push(format!(
                        "{file}:{line}: a static that is a `{kind}`: see tests/layering/statics.rs"
                    ));
                }
            }
            name if thread_locals.iter().any(|local| local == name)
                && word(index + 1) == "."
                && word(index + 2) != "try_with" =>
            {
                violations.push(format!("{file}:{line}: `{name}.{}` instead of `try_with`", word(index + 2)));
            }
            _ => {}
        }
    }
    violations
}

/// The last name of the path that begins here: `std::sync::Once` is `Once`.
fn last_segment(tokens: &[(usize, String)], mut index: usize) -> String {
    while tokens.get(index + 1).is_some_and(|(_, token)| token == "::") {
        index += 2;
    }
    tokens.get(index).map_or_else(String::new, |(_, token)| token.clone())
}

/// The token after the block that begins with the bracket here.
fn end_of_block(tokens: &[(usize, String)], start: usize) -> usize {
    let mut depth = 0;
    for (index, (_, token)) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "{" | "(" => depth += 1,
            "}" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

#[test]
fn each_kind_of_static_that_waits_for_another_thread_is_found() {
    for kind in [
        "Once",
        "std::sync::Once",
        "OnceLock<u32>",
        "LazyLock<String>",
        "Mutex<u32>",
        "std::sync::RwLock<u32>",
        "Condvar",
        "Arc<Mutex<u32>>",
        "Wrapper",
        "RefCell<u32>",
    ] {
        for text in [
            format!("static NAME: {kind} = todo();"),
            format!("fn f() {{ pub(crate) static mut NAME: {kind} = todo(); }}"),
        ] {
            assert_eq!(check("src/sync/spin.rs", &text).len(), 1, "{text}");
        }
    }
    assert_eq!(check("src/a.rs", "lazy_static! { static ref A: u32 = 1; }").len(), 1);
}

#[test]
fn a_thread_local_value_is_used_only_where_it_may_be_gone() {
    let declared = "thread_local! { static A: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) }; }";
    assert_eq!(
        check("src/a.rs", &format!("{declared} fn f() {{ A.with_borrow_mut(|a| a.clear()) }}")).len(),
        1
    );
    assert_eq!(check("src/a.rs", &format!("{declared} fn f() {{ A.with(|a| a.clear()) }}")).len(), 1);
    assert_eq!(check("src/a.rs", &format!("{declared} fn f() {{ A.try_with(|a| a.clear()) }}")), [""; 0]);
}

#[test]
fn atomics_constants_and_state_of_a_process_are_no_violations() {
    for text in [
        "static A: PerProcess<Mutex<u32>> = PerProcess::new(Mutex::default);",
        "static A: std::sync::atomic::AtomicBool = AtomicBool::new(false); fn f(text: &'static str) {}",
        "static A: [Symbol; 3] = []; static B: &str = \"\"; static C: extern \"C\" fn() = f;",
        "// static A: Mutex<u32>",
    ] {
        assert_eq!(check("src/a.rs", text), [""; 0], "{text}");
    }
}
