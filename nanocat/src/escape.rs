//! Shows text that peers or other processes have a part in, without the characters that would control a terminal.

use std::fmt::Write;

/// Whether a character is no glyph but an instruction: it moves the cursor, begins a command of the terminal, ends a line,
/// changes the direction of the text, or is invisible.
fn is_instruction(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The characters of a text, with `\u{1b}` for one that would control the terminal.
pub(crate) fn shown(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|letter| {
        let escaped = is_instruction(letter).then(|| letter.escape_unicode());
        let unchanged = if escaped.is_none() { Some(letter) } else { None };
        escaped.into_iter().flatten().chain(unchanged)
    })
}

/// Adds a character to a JSON string: itself, or `\u001b` for one that would control the terminal. Quotes and backslashes are the
/// caller's.
pub(crate) fn push_json(text: &mut String, letter: char) {
    if !is_instruction(letter) {
        return text.push(letter);
    }
    for unit in letter.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
}

/// Characters of each kind that must not reach a terminal.
#[cfg(test)]
pub(crate) fn instructions() -> impl Iterator<Item = char> {
    let bidirectional = ['\u{61c}', '\u{200e}', '\u{200f}'].into_iter();
    let bidirectional = bidirectional.chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}');
    let separators = ['\u{2028}', '\u{2029}'].into_iter();
    let invisible = ['\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}', '\u{e0041}'].into_iter();
    ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').chain(bidirectional).chain(separators).chain(invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        for letter in instructions() {
            let number = u32::from(letter);
            assert_eq!(shown(&format!("a{letter}b")).collect::<String>(), format!("a\\u{{{number:x}}}b"));
            let mut json = String::new();
            push_json(&mut json, letter);
            assert!(json.is_ascii() && json.starts_with("\\u"), "{json}");
            let read: String = serde_json::from_str(&format!("\"{json}\"")).unwrap();
            assert_eq!(read, letter.to_string());
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        let text = "tcp://[::1]:5 \"\\ \u{a0}\u{e9}e\u{301}\u{4e2d}\u{5d0}\u{1f600}\u{fffd}\u{10ffff}";
        assert_eq!(shown(text).collect::<String>(), text);
        let mut json = String::new();
        text.chars().for_each(|letter| push_json(&mut json, letter));
        assert_eq!(json, text);
    }
}
