//! Finds the paths in a Rust file, with a minimal parser.

/// Every path in the code, with its line. Those into this crate begin with `crate`, in any notation;
/// `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub(crate) fn paths(text: &str, module: &[&str]) -> Vec<(usize, Vec<String>)> {
    let tokens = tokens(text);
    let word = |index: usize| tokens.get(index).map_or("", |(_, token)| token.as_str());
    let mut found = Vec::new();
    let mut depth = 0;
    let mut inline: Vec<(usize, String)> = Vec::new(); // `mod name {` that are open, with the depth outside them
    let mut index = 0;
    while index < tokens.len() {
        match word(index) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(outside, _)| *outside == depth);
            }
            "mod" if word(index + 2) == "{" => inline.push((depth, word(index + 1).to_owned())),
            name if is_name(name) => {
                let mut here: Vec<String> = vec!["crate".into()];
                here.extend(module.iter().map(|name| (*name).to_owned()));
                here.extend(inline.iter().map(|(_, name)| name.clone()));
                index = read_path(&tokens, index, &[], &mut |line, path| {
                    found.push((line, absolute(path, &here)))
                });
                continue;
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// Reads the path, or the tree of a `use`, that begins at `index`, and returns its end.
fn read_path(
    tokens: &[(usize, String)],
    mut index: usize,
    prefix: &[String],
    emit: &mut impl FnMut(usize, &[String]),
) -> usize {
    let word = |index: usize| tokens.get(index).map_or("", |(_, token)| token.as_str());
    let line = tokens[index].0;
    let mut path = prefix.to_vec();
    loop {
        match word(index) {
            "{" => {
                index += 1;
                while !matches!(word(index), "}" | "") {
                    index = match word(index) {
                        name if is_name(name) || matches!(name, "{" | "*") => {
                            read_path(tokens, index, &path, emit)
                        }
                        _ => index + 1,
                    };
                }
                return index + 1;
            }
            name if is_name(name) || name == "*" => path.push(name.to_owned()),
            // Generic arguments and the like end a path, and are read separately.
            _ => break,
        }
        index += 1;
        if word(index) != "::" || !(is_name(word(index + 1)) || matches!(word(index + 1), "{" | "*")) {
            break;
        }
        index += 1;
    }
    emit(line, &path);
    index
}

/// A path of this crate, from its root; a path of another crate unchanged.
fn absolute(path: &[String], here: &[String]) -> Vec<String> {
    let mut rest = path;
    let mut base: Option<Vec<String>> = None;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "self" => base = Some(base.unwrap_or_else(|| here.to_vec())),
            "super" => {
                let mut outer = base.unwrap_or_else(|| here.to_vec());
                outer.pop();
                base = Some(outer);
            }
            _ => break,
        }
        rest = after;
    }
    let mut path = base.unwrap_or_default();
    path.extend_from_slice(rest);
    path
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The code as words, `::` and single characters, with their lines; without comments, strings and lifetimes.
pub(crate) fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kept) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = raw_string(rest) {
            (length, false)
        } else if first == '"' {
            (string(rest), false)
        } else if first == '\'' {
            (character_or_lifetime(rest), false)
        } else if is_name(rest) {
            (rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (token, after) = rest.split_at(length);
        if kept {
            tokens.push((line, token.to_owned()));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

/// Comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut index = 0;
    while index < text.len() {
        match &text.as_bytes()[index..] {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            break;
        }
    }
    index
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = ["r", "br", "cr"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let body = hashes.trim_start_matches('#');
    let fence = &hashes[..hashes.len() - body.len()];
    let body = body.strip_prefix('"')?;
    let end = body
        .find(&format!("\"{fence}"))
        .map_or(text.len(), |end| text.len() - body.len() + end + 1 + fence.len());
    Some(end)
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return index + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    text.len()
}

/// `'x'`, `'\n'`, `'\u{1F}'`; a lifetime ends before the next character that is not part of a name.
fn character_or_lifetime(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match inside.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |end| 3 + end + 1),
        Some((index, character)) if text[index + character.len_utf8()..].starts_with('\'') => {
            index + character.len_utf8() + 1
        }
        _ => inside
            .find(|(_, next)| !next.is_alphanumeric() && *next != '_')
            .map_or(text.len(), |(end, _)| end),
    }
}
