//! The target `trie`: any sequence of subscriptions, compared with a plain list.

use crate::protocol::Trie;

/// The longest word. Short words of few letters often share nodes.
const WORD_MAX: usize = 15;

/// Runs steps: each is a byte with the operation and the length of a word, and then the word.
pub fn trie(mut input: &[u8]) {
    let mut trie = Trie::<u32>::new();
    let mut list: Vec<&[u8]> = Vec::new();
    while let Some((&step, rest)) = input.split_first() {
        let (word, rest) = rest.split_at(rest.len().min(usize::from(step) & WORD_MAX));
        input = rest;
        let known = list.iter().position(|prefix| *prefix == word);
        match step >> 6 {
            0 | 1 => {
                assert_eq!(trie.subscribe(word), Some(known.is_none()), "{word:x?} of {list:x?}");
                list.push(word);
            }
            2 => {
                known.map(|position| list.swap_remove(position));
                let expected = known.map(|_| !list.contains(&word));
                assert_eq!(trie.unsubscribe(word), expected, "{word:x?} of {list:x?}");
            }
            _ => {
                let expected = list.iter().any(|prefix| word.starts_with(prefix));
                let halves = word.split_at(word.len().min(usize::from(step >> 4 & 3)));
                assert_eq!(trie.matches(halves.into()), expected, "{word:x?} of {list:x?}");
            }
        }
    }
    for prefix in list {
        assert!(trie.unsubscribe(prefix).is_some());
    }
    assert!(!trie.matches([b"", b""]), "nothing is left");
}
