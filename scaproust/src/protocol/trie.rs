//! The subscriptions of a SUB socket: a counted set of byte strings, which tells whether one of them is a
//! prefix of a topic.
//!
//! A radix trie: each node holds a run of bytes, so that a subscription adds at most two nodes, and a
//! prefix of a megabyte is one node. The time of a match is bounded by the length of the topic, and does
//! not depend on the number of subscriptions. No function recurses, since programs determine the depth.

use super::slab::{Slab, SlabIndex};

/// The root: the node of the empty prefix, which always exists.
const ROOT: SlabIndex = 0;

/// A counted set of prefixes.
#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Slab<Node>,
}

/// The prefix of a node is the labels from the root to the node, joined.
///
/// Invariant: a node other than the root has a subscription or at least two children. The exception is a
/// node that could not be joined with its only child for lack of memory.
#[derive(Debug, Default)]
struct Node {
    /// The bytes that this node adds to its parent's prefix; empty for the root only.
    label: Box<[u8]>,
    /// The number of subscriptions to exactly this prefix.
    subscriptions: u32,
    /// Sorted by their first byte, which is unique.
    children: Vec<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    /// The first byte of the child's label.
    first: u8,
    node: SlabIndex,
}

impl Node {
    fn find(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |child| child.first)
    }

    fn child(&self, first: u8) -> Option<SlabIndex> {
        self.find(first).ok().map(|position| self.children[position].node)
    }
}

impl Trie {
    /// An empty set, which matches no topic.
    pub(crate) fn new() -> Trie {
        let mut nodes = Slab::new();
        nodes.insert(Node::default());
        Trie { nodes }
    }

    /// Adds a prefix, or increments its count; `false` when out of memory.
    #[must_use]
    pub(crate) fn subscribe(&mut self, prefix: &[u8]) -> bool {
        let mut node = ROOT;
        let mut rest = prefix;
        // Invariant: `rest` is the part of the prefix behind the prefix of `node`.
        while let Some(&first) = rest.first() {
            node = match self.nodes[node].find(first) {
                Ok(position) => self.nodes[node].children[position].node,
                Err(position) => match self.add_leaf(node, position, rest) {
                    Some(leaf) => leaf,
                    None => {
                        // The node may have been split for this prefix.
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

    /// Decrements the count of a prefix, and removes it at zero; `false` when it is not in the set.
    pub(crate) fn unsubscribe(&mut self, prefix: &[u8]) -> bool {
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

    /// Whether the set has a prefix of the topic, which is given in two parts.
    pub(crate) fn matches(&self, topic: [&[u8]; 2]) -> bool {
        let mut node = &self.nodes[ROOT];
        // The part of the label of `node` that has not been compared yet.
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

    /// Adds a child with this label at this position among the children; `None` when out of memory.
    fn add_leaf(&mut self, parent: SlabIndex, position: usize, label: &[u8]) -> Option<SlabIndex> {
        let first = label[0];
        let leaf = self.nodes.insert(Node { label: joined(label, &[])?, ..Node::default() });
        self.nodes[parent].children.insert(position, Child { first, node: leaf });
        Some(leaf)
    }

    /// Splits a node: it keeps the first `length` bytes of its label, and a new child gets the rest of the
    /// label, the subscriptions and the children. `false` when out of memory.
    fn split(&mut self, node: SlabIndex, length: usize) -> bool {
        let (upper, lower) = self.nodes[node].label.split_at(length);
        let first = lower[0];
        let (Some(upper), Some(lower)) = (joined(upper, &[]), joined(lower, &[])) else { return false };
        let whole = std::mem::take(&mut self.nodes[node]);
        let child = self.nodes.insert(Node { label: lower, ..whole });
        let children = vec![Child { first, node: child }];
        self.nodes[node] = Node { label: upper, subscriptions: 0, children };
        true
    }

    /// Restores the invariant after the last subscription of `node` was removed.
    fn prune(&mut self, node: SlabIndex, parent: SlabIndex) {
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

    /// Joins `node` with its child, if it has only one and no subscription.
    fn join(&mut self, node: SlabIndex) {
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

/// `one` followed by `two`; `None` when out of memory.
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
    fn a_prefix_matches_the_topics_that_begin_with_it() {
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
    fn a_prefix_is_removed_as_often_as_it_was_added() {
        let mut trie = with(&[b"ab", b"ab"]);
        assert!(trie.unsubscribe(b"ab"));
        assert!(matches(&trie, b"abc"));
        assert!(trie.unsubscribe(b"ab"));
        assert!(!matches(&trie, b"abc"));
        assert!(!trie.unsubscribe(b"ab"));
    }

    #[test]
    fn an_unknown_prefix_cannot_be_removed() {
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

        // From the longest to the shortest: each splits one label, which leaves a chain of single bytes.
        let deep = &long[..10_000];
        assert!((0..=deep.len()).rev().all(|length| trie.subscribe(&deep[..length])));
        assert_eq!(trie.nodes.len(), deep.len() + 1);
        assert!(matches(&trie, b"x") && trie.unsubscribe(b""));
        assert!(!matches(&trie, b"x") && trie.unsubscribe(deep));
        drop(trie);
    }

    /// Short words of few letters, so that prefixes share nodes and repeat.
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
