//! A set of byte strings, each with a value, which finds those that are prefixes of a topic.
//!
//! A SUB socket keeps its subscriptions in one, with their counts; a PUB socket those of its peers, with the pipes.
//!
//! A radix trie: each node holds a run of bytes, so that a prefix adds at most two nodes, and a
//! prefix of a megabyte is one node. The time of a match is bounded by the length of the topic, and does
//! not depend on the number of prefixes. No function recurses, since programs and peers determine the depth.

use std::ops::{Index, IndexMut};

use super::slab::{Slab, SlabIndex};

/// The root: the node of the empty prefix, which always exists.
pub(super) const ROOT: SlabIndex = 0;

/// The value of a prefix.
pub(crate) trait TrieValue: Default {
    /// Whether the prefix is not in the set.
    fn is_empty(&self) -> bool;
}

/// The number of subscriptions.
impl TrieValue for u32 {
    fn is_empty(&self) -> bool {
        *self == 0
    }
}

/// A set of prefixes with values.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    nodes: Slab<Node<V>>,
}

/// The prefix of a node is the labels from the root to the node, joined. A node keeps its index as long as its value is not
/// empty.
///
/// Invariant: a node other than the root has a value that is not empty or at least two children. The exception is a
/// node that could not be joined with its only child for lack of memory.
#[derive(Debug, Default)]
struct Node<V> {
    /// The bytes that this node adds to its parent's prefix; empty for the root only.
    label: Box<[u8]>,
    /// Without meaning for the root.
    parent: SlabIndex,
    value: V,
    /// Sorted by their first byte, which is unique.
    children: Vec<Child>,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    /// The first byte of the child's label.
    first: u8,
    node: SlabIndex,
}

impl<V> Node<V> {
    fn find(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |child| child.first)
    }

    fn child(&self, first: u8) -> Option<SlabIndex> {
        self.find(first).ok().map(|position| self.children[position].node)
    }
}

impl<V: TrieValue> Trie<V> {
    /// An empty set, which matches no topic.
    pub(crate) fn new() -> Trie<V> {
        let mut nodes = Slab::new();
        nodes.insert(Node::default());
        Trie { nodes }
    }

    /// The node of a prefix, which is made if it does not exist; `None` when out of memory. If its value stays empty,
    /// [`Trie::prune`] must follow.
    #[must_use]
    pub(super) fn insert(&mut self, prefix: &[u8]) -> Option<SlabIndex> {
        let mut node = ROOT;
        let mut rest = prefix;
        // Invariant: `rest` is the part of the prefix behind the prefix of `node`.
        while let Some(&first) = rest.first() {
            let child = match self.nodes[node].find(first) {
                Ok(position) => self.nodes[node].children[position].node,
                Err(position) => match self.add_leaf(node, position, rest) {
                    Some(leaf) => leaf,
                    None => {
                        // The node may have been made for this prefix.
                        self.prune(node);
                        return None;
                    }
                },
            };
            let common = common_length(&self.nodes[child].label, rest);
            node = if common < self.nodes[child].label.len() { self.split(child, common)? } else { child };
            rest = &rest[common..];
        }
        Some(node)
    }

    /// The node of a prefix, if there is one. Its value may be empty.
    pub(super) fn find(&self, prefix: &[u8]) -> Option<SlabIndex> {
        let mut node = ROOT;
        let mut rest = prefix;
        while let Some(&first) = rest.first() {
            node = self.nodes[node].child(first)?;
            rest = rest.strip_prefix(&*self.nodes[node].label)?;
        }
        Some(node)
    }

    /// Restores the invariant after the value of `node` has become empty.
    pub(super) fn prune(&mut self, node: SlabIndex) {
        if node == ROOT || !self.nodes[node].value.is_empty() {
            return;
        }
        if !self.nodes[node].children.is_empty() {
            self.join(node);
            return;
        }
        let Node { label, parent, .. } = self.nodes.remove(node, Node::default());
        if let Ok(position) = self.nodes[parent].find(label[0]) {
            self.nodes[parent].children.remove(position);
        }
        if parent != ROOT && self.nodes[parent].value.is_empty() {
            self.join(parent);
        }
    }

    /// Whether `is_match` is true for a value of a prefix of the topic, which is given in two parts. Calls `is_match` until then
    /// with the values of the prefixes, those that are empty too, from the shortest to the longest; with some twice.
    #[inline]
    pub(super) fn any(&self, topic: [&[u8]; 2], mut is_match: impl FnMut(&V) -> bool) -> bool {
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
                if is_match(&node.value) {
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

    /// All prefixes in the set, in no particular order. An error when out of memory.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = Option<Vec<u8>>> {
        self.nodes.iter().filter(|(_, node)| !node.value.is_empty()).map(|(index, _)| self.prefix_of(index))
    }

    /// The prefix of a node; `None` when out of memory.
    fn prefix_of(&self, node: SlabIndex) -> Option<Vec<u8>> {
        let mut labels = Vec::new();
        let mut next = node;
        while next != ROOT {
            labels.try_reserve(1).ok()?;
            labels.push(&*self.nodes[next].label);
            next = self.nodes[next].parent;
        }
        let mut prefix = Vec::new();
        prefix.try_reserve_exact(labels.iter().map(|label| label.len()).sum()).ok()?;
        labels.iter().rev().for_each(|label| prefix.extend_from_slice(label));
        Some(prefix)
    }

    /// Adds a child with this label at this position among the children; `None` when out of memory.
    fn add_leaf(&mut self, parent: SlabIndex, position: usize, label: &[u8]) -> Option<SlabIndex> {
        let first = label[0];
        let leaf = self.nodes.insert(Node { label: joined(label, &[])?, parent, ..Node::default() });
        self.nodes[parent].children.insert(position, Child { first, node: leaf });
        Some(leaf)
    }

    /// Splits a node: a new parent gets the first `length` bytes of its label. Returns the new parent; `None` when out of
    /// memory.
    fn split(&mut self, node: SlabIndex, length: usize) -> Option<SlabIndex> {
        let (upper, lower) = self.nodes[node].label.split_at(length);
        let first = lower[0];
        let (upper, lower) = (joined(upper, &[])?, joined(lower, &[])?);
        let parent = self.nodes[node].parent;
        let children = vec![Child { first, node }];
        let new = self.nodes.insert(Node { label: upper, parent, value: V::default(), children });
        self.replace_child(parent, new);
        self.nodes[node].label = lower;
        self.nodes[node].parent = new;
        Some(new)
    }

    /// Joins `node`, whose value is empty, with its child if it has only one: the child takes its place.
    fn join(&mut self, node: SlabIndex) {
        let upper = &self.nodes[node];
        let [Child { node: child, .. }] = upper.children[..] else { return };
        let Some(label) = joined(&upper.label, &self.nodes[child].label) else { return };
        let parent = self.nodes.remove(node, Node::default()).parent;
        self.nodes[child].label = label;
        self.nodes[child].parent = parent;
        self.replace_child(parent, child);
    }

    /// Makes `child` the child of `parent` whose label has the same first byte, in place of another one.
    fn replace_child(&mut self, parent: SlabIndex, child: SlabIndex) {
        let first = self.nodes[child].label[0];
        if let Ok(position) = self.nodes[parent].find(first) {
            self.nodes[parent].children[position].node = child;
        }
    }
}

impl<V> Index<SlabIndex> for Trie<V> {
    type Output = V;

    fn index(&self, node: SlabIndex) -> &V {
        &self.nodes[node].value
    }
}

impl<V> IndexMut<SlabIndex> for Trie<V> {
    fn index_mut(&mut self, node: SlabIndex) -> &mut V {
        &mut self.nodes[node].value
    }
}

/// A counted set of prefixes.
impl Trie<u32> {
    /// Adds a prefix, or increments its count. Returns whether it is new; `None` when out of memory.
    #[must_use]
    pub(crate) fn subscribe(&mut self, prefix: &[u8]) -> Option<bool> {
        let node = self.insert(prefix)?;
        self[node] += 1;
        Some(self[node] == 1)
    }

    /// Decrements the count of a prefix, and removes it at zero. Returns whether it was removed; `None` when it is not in the
    /// set.
    pub(crate) fn unsubscribe(&mut self, prefix: &[u8]) -> Option<bool> {
        let node = self.find(prefix)?;
        let remaining = self[node].checked_sub(1)?;
        self[node] = remaining;
        if remaining == 0 {
            self.prune(node);
        }
        Some(remaining == 0)
    }

    /// Whether the set has a prefix of the topic, which is given in two parts.
    #[inline]
    pub(crate) fn matches(&self, topic: [&[u8]; 2]) -> bool {
        self.any(topic, |count| *count > 0)
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

    fn with(prefixes: &[&[u8]]) -> Trie<u32> {
        let mut trie = Trie::<u32>::new();
        for prefix in prefixes {
            assert!(trie.subscribe(prefix).is_some());
        }
        trie
    }

    fn matches(trie: &Trie<u32>, topic: &[u8]) -> bool {
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
        assert_eq!(trie.unsubscribe(b"ab"), Some(false));
        assert!(matches(&trie, b"abc"));
        assert_eq!(trie.unsubscribe(b"ab"), Some(true));
        assert!(!matches(&trie, b"abc"));
        assert_eq!(trie.unsubscribe(b"ab"), None);
    }

    #[test]
    fn an_unknown_prefix_cannot_be_removed() {
        let mut trie = with(&[b"abc", b"abd"]);
        for prefix in [&b""[..], b"a", b"ab", b"abx", b"abcd", b"z"] {
            assert_eq!(trie.unsubscribe(prefix), None, "{prefix:?}");
        }
        assert!(matches(&trie, b"abc") && matches(&trie, b"abd"));
    }

    #[test]
    fn a_hundred_thousand_prefixes_leave_nothing_behind() {
        let prefixes: Vec<String> = (0..100_000).map(|number| format!("topic/{number}/")).collect();
        let mut trie = Trie::<u32>::new();
        assert!(prefixes.iter().all(|prefix| trie.subscribe(prefix.as_bytes()) == Some(true)));
        assert!(trie.nodes.len() <= 2 * prefixes.len() + 1);
        assert!(matches(&trie, b"topic/99999/price") && !matches(&trie, b"topic/100000/price"));
        assert!(prefixes.iter().all(|prefix| trie.unsubscribe(prefix.as_bytes()) == Some(true)));
        assert_eq!(trie.nodes.len(), 1);
    }

    #[test]
    fn depth_and_length_do_not_use_the_stack() {
        let long = vec![7; 1 << 20];
        let mut trie = with(&[&long]);
        assert_eq!(trie.nodes.len(), 2);
        assert!(matches(&trie, &long) && !matches(&trie, &long[1..]));
        assert_eq!(trie.unsubscribe(&long), Some(true));

        // From the longest to the shortest: each splits one label, which leaves a chain of single bytes.
        let deep = &long[..10_000];
        assert!((0..=deep.len()).rev().all(|length| trie.subscribe(&deep[..length]).is_some()));
        assert_eq!(trie.nodes.len(), deep.len() + 1);
        assert!(matches(&trie, b"x") && trie.unsubscribe(b"") == Some(true));
        assert!(!matches(&trie, b"x") && trie.unsubscribe(deep) == Some(true));
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
            let mut trie = Trie::<u32>::new();
            let mut model: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for (adds, prefix) in steps {
                if adds {
                    let count = model.entry(prefix.clone()).or_default();
                    *count += 1;
                    prop_assert_eq!(trie.subscribe(&prefix), Some(*count == 1));
                } else {
                    let count = model.get(&prefix).copied().unwrap_or(0);
                    prop_assert_eq!(trie.unsubscribe(&prefix), (count > 0).then_some(count == 1));
                    match count {
                        0 | 1 => model.remove(&prefix),
                        _ => model.insert(prefix, count - 1),
                    };
                }
                let (head, body) = topic.split_at(cut.min(topic.len()));
                let expected = model.keys().any(|prefix| topic.starts_with(prefix));
                prop_assert_eq!(trie.matches([head, body]), expected);
                prop_assert!(trie.nodes.len() <= 2 * model.len() + 1);
                let mut prefixes: Vec<_> = trie.prefixes().flatten().collect();
                prefixes.sort();
                prop_assert!(prefixes.iter().eq(model.keys()));
            }
        }
    }
}
