//! The subscriptions of a SUB socket: a set of counted byte strings, asked whether one of them
//! begins a topic.
//!
//! A radix trie: a node holds a run of bytes, not one, so that a subscription adds two nodes at
//! most, and a prefix of a megabyte is one node. A match costs the length of the topic, however
//! many subscriptions there are. Nothing recurses: depth is the caller's choice, and the stack is
//! not. Must not know messages, pipes or options.

use super::slab::{Place, Slab};

/// Where every walk begins: the node of the empty prefix, which is always there.
const ROOT: Place = 0;

/// A counted set of prefixes.
#[derive(Debug)]
pub struct Trie {
    nodes: Slab<Node>,
}

/// The bytes on the way from the root to a node, the node's own included, are its prefix.
///
/// Invariant: a node other than the root has a subscription, or two children and more; or there was
/// no memory to make one node of it and its only child.
#[derive(Debug, Default)]
struct Node {
    /// The bytes that this node adds to its parent's prefix; empty for the root alone.
    label: Box<[u8]>,
    /// How often exactly this prefix is subscribed to.
    subscriptions: u32,
    /// Sorted by their first byte, which differs from one child to the next.
    children: Vec<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    /// The first byte of the child's label: a walk looks at one child only.
    first: u8,
    node: Place,
}

impl Node {
    fn find(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |child| child.first)
    }

    fn child(&self, first: u8) -> Option<Place> {
        self.find(first).ok().map(|position| self.children[position].node)
    }
}

impl Trie {
    /// A set without prefixes: it matches nothing.
    pub fn new() -> Trie {
        let mut nodes = Slab::new();
        nodes.insert(Node::default());
        Trie { nodes }
    }

    /// Adds a prefix, or counts it once more; `false` when there is no memory for it.
    #[must_use]
    pub fn subscribe(&mut self, prefix: &[u8]) -> bool {
        let mut node = ROOT;
        let mut rest = prefix;
        // Invariant: `rest` is what `node` lacks of the prefix.
        while let Some(&first) = rest.first() {
            node = match self.nodes[node].find(first) {
                Ok(position) => self.nodes[node].children[position].node,
                Err(position) => match self.add_leaf(node, position, rest) {
                    Some(leaf) => leaf,
                    None => {
                        // It may just have been cut for the new one.
                        self.join(node);
                        return false;
                    }
                },
            };
            let common = common_length(&self.nodes[node].label, rest);
            if common < self.nodes[node].label.len() && !self.split(node, common) {
                return false;
            }
            rest = &rest[common..];
        }
        self.nodes[node].subscriptions += 1;
        true
    }

    /// Takes a prefix back once; `false` when it is not in the set.
    pub fn unsubscribe(&mut self, prefix: &[u8]) -> bool {
        let mut parent = ROOT;
        let mut node = ROOT;
        let mut rest = prefix;
        while let Some(&first) = rest.first() {
            let Some(child) = self.nodes[node].child(first) else { return false };
            let Some(tail) = rest.strip_prefix(&*self.nodes[child].label) else { return false };
            (parent, node, rest) = (node, child, tail);
        }
        let Some(remaining) = self.nodes[node].subscriptions.checked_sub(1) else { return false };
        self.nodes[node].subscriptions = remaining;
        if remaining == 0 {
            self.prune(node, parent);
        }
        true
    }

    /// Whether a prefix begins the topic, which is given as two runs of bytes.
    pub fn matches(&self, topic: [&[u8]; 2]) -> bool {
        let mut node = &self.nodes[ROOT];
        // What the topic must still show to reach `node`.
        let mut label: &[u8] = &[];
        for mut run in topic {
            loop {
                let length = label.len().min(run.len());
                if label[..length] != run[..length] {
                    return false;
                }
                (label, run) = (&label[length..], &run[length..]);
                if !label.is_empty() {
                    break;
                }
                if node.subscriptions > 0 {
                    return true;
                }
                let Some(&first) = run.first() else { break };
                let Some(child) = node.child(first) else { return false };
                node = &self.nodes[child];
                label = &node.label;
            }
        }
        false
    }

    /// `None`, here as below, when there is no memory for the label.
    fn add_leaf(&mut self, parent: Place, position: usize, label: &[u8]) -> Option<Place> {
        let first = label[0];
        let leaf = self.nodes.insert(Node { label: joined(label, &[])?, ..Node::default() });
        self.nodes[parent].children.insert(position, Child { first, node: leaf });
        Some(leaf)
    }

    /// Cuts a label in two: `node` keeps the first `length` bytes, and all else goes to a new
    /// child of it. `false` when there is no memory for that.
    fn split(&mut self, node: Place, length: usize) -> bool {
        let (upper, lower) = self.nodes[node].label.split_at(length);
        let first = lower[0];
        let (Some(upper), Some(lower)) = (joined(upper, &[]), joined(lower, &[])) else { return false };
        let whole = std::mem::take(&mut self.nodes[node]);
        let child = self.nodes.insert(Node { label: lower, ..whole });
        let children = vec![Child { first, node: child }];
        self.nodes[node] = Node { label: upper, subscriptions: 0, children };
        true
    }

    /// Restores the invariant after the last subscription of `node` has gone.
    fn prune(&mut self, node: Place, parent: Place) {
        if node == ROOT || !self.nodes[node].children.is_empty() {
            self.join(node);
            return;
        }
        let leaf = self.nodes.remove(node, Node::default());
        if let Ok(position) = self.nodes[parent].find(leaf.label[0]) {
            self.nodes[parent].children.remove(position);
        }
        self.join(parent);
    }

    /// Makes one node of `node` and its child, when it is no more than the way to that child.
    fn join(&mut self, node: Place) {
        let upper = &self.nodes[node];
        let [Child { node: child, .. }] = upper.children[..] else { return };
        if node == ROOT || upper.subscriptions > 0 {
            return;
        }
        let Some(label) = joined(&upper.label, &self.nodes[child].label) else { return };
        let lower = self.nodes.remove(child, Node::default());
        self.nodes[node] = Node { label, ..lower };
    }
}

/// One run of bytes behind another; `None` when there is no memory for it.
fn joined(one: &[u8], two: &[u8]) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(one.len() + two.len()).ok()?;
    bytes.extend_from_slice(one);
    bytes.extend_from_slice(two);
    Some(bytes.into_boxed_slice())
}

fn common_length(one: &[u8], two: &[u8]) -> usize {
    one.iter().zip(two).take_while(|(one, two)| one == two).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn with(prefixes: &[&[u8]]) -> Trie {
        let mut trie = Trie::new();
        for prefix in prefixes {
            assert!(trie.subscribe(prefix));
        }
        trie
    }

    fn matches(trie: &Trie, topic: &[u8]) -> bool {
        trie.matches([topic, &[]])
    }

    #[test]
    fn a_prefix_matches_what_it_begins() {
        let trie = with(&[b"abc", b"abd", b"x"]);
        for topic in [&b"abc"[..], b"abcd", b"abd!", b"x", b"xyz"] {
            assert!(matches(&trie, topic), "{topic:?}");
        }
        for topic in [&b""[..], b"a", b"ab", b"abx", b"y"] {
            assert!(!matches(&trie, topic), "{topic:?}");
        }
        assert!(!matches(&Trie::new(), b""));
        assert!(matches(&with(&[b""]), b"anything"));
        assert!(matches(&with(&[b""]), b""));
    }

    #[test]
    fn a_prefix_is_taken_back_as_often_as_it_was_added() {
        let mut trie = with(&[b"ab", b"ab"]);
        assert!(trie.unsubscribe(b"ab"));
        assert!(matches(&trie, b"abc"));
        assert!(trie.unsubscribe(b"ab"));
        assert!(!matches(&trie, b"abc"));
        assert!(!trie.unsubscribe(b"ab"));
    }

    #[test]
    fn what_is_not_there_cannot_be_taken_back() {
        let mut trie = with(&[b"abc", b"abd"]);
        for prefix in [&b""[..], b"a", b"ab", b"abx", b"abcd", b"z"] {
            assert!(!trie.unsubscribe(prefix), "{prefix:?}");
        }
        assert!(matches(&trie, b"abc") && matches(&trie, b"abd"));
    }

    #[test]
    fn a_hundred_thousand_prefixes_leave_nothing_behind() {
        let prefixes: Vec<String> = (0..100_000).map(|number| format!("topic/{number}/")).collect();
        let mut trie = Trie::new();
        assert!(prefixes.iter().all(|prefix| trie.subscribe(prefix.as_bytes())));
        assert!(trie.nodes.len() <= 2 * prefixes.len() + 1);
        assert!(matches(&trie, b"topic/99999/price") && !matches(&trie, b"topic/100000/price"));
        assert!(prefixes.iter().all(|prefix| trie.unsubscribe(prefix.as_bytes())));
        assert_eq!(trie.nodes.len(), 1);
    }

    #[test]
    fn depth_and_length_do_not_use_the_stack() {
        let long = vec![7; 1 << 20];
        let mut trie = with(&[&long]);
        assert_eq!(trie.nodes.len(), 2);
        assert!(matches(&trie, &long) && !matches(&trie, &long[1..]));
        assert!(trie.unsubscribe(&long));

        // From the longest to the shortest: each cuts one label, and a chain of single bytes remains.
        let deep = &long[..10_000];
        assert!((0..=deep.len()).rev().all(|length| trie.subscribe(&deep[..length])));
        assert_eq!(trie.nodes.len(), deep.len() + 1);
        assert!(matches(&trie, b"x") && trie.unsubscribe(b""));
        assert!(!matches(&trie, b"x") && trie.unsubscribe(deep));
        drop(trie);
    }

    /// Few letters and short words, so that prefixes share nodes and meet again.
    fn word() -> impl Strategy<Value = Vec<u8>> {
        vec(0..3_u8, 0..6)
    }

    proptest! {
        #[test]
        fn behaves_as_a_counted_list(
            steps in vec((any::<bool>(), word()), 0..60),
            topic in word(),
            cut in 0..6_usize,
        ) {
            let mut trie = Trie::new();
            let mut model: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for (adds, prefix) in steps {
                if adds {
                    prop_assert!(trie.subscribe(&prefix));
                    *model.entry(prefix).or_default() += 1;
                } else {
                    let count = model.get(&prefix).copied().unwrap_or(0);
                    prop_assert_eq!(trie.unsubscribe(&prefix), count > 0);
                    match count {
                        0 | 1 => model.remove(&prefix),
                        _ => model.insert(prefix, count - 1),
                    };
                }
                let (head, body) = topic.split_at(cut.min(topic.len()));
                let expected = model.keys().any(|prefix| topic.starts_with(prefix));
                prop_assert_eq!(trie.matches([head, body]), expected);
                prop_assert!(trie.nodes.len() <= 2 * model.len() + 1);
            }
        }
    }
}
