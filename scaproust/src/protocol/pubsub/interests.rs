//! The topics of a publisher's filtering pipes, and which of these pipes want a message.
//!
//! All pipes share one trie, so the time to choose the receivers of a message does not depend on the number of pipes and
//! topics that do not match.

use std::collections::BTreeMap;

use super::{MAX_TOPIC_BYTES, MAX_TOPICS};
use crate::message::Payload;
use crate::protocol::slab::{Slab, SlabIndex};
use crate::protocol::trie::{ROOT, Trie, TrieValue};
use crate::protocol::{Context, PipeId, PipeRefused, PushOutcome};

/// The most memory, in bytes, of the topics of all pipes of a socket. With more, a pipe that adds one gets everything.
const MAX_MEMORY: usize = 64 * 1024 * 1024;
/// About how many bytes of that a topic takes besides its own bytes: a node of the trie, and the entries that name it.
const TOPIC_FOOTPRINT: usize = 192;

/// The filtering pipes and their topics.
#[derive(Debug)]
pub(super) struct Interests {
    topics: Trie<Subscribers>,
    pipes: Slab<FilteringPipe>,
    indices: BTreeMap<PipeId, SlabIndex>,
    /// The memory of all topics, in bytes.
    memory: usize,
    /// The number of topics of all pipes together.
    count: usize,
    /// The number of selections, to recognise the pipes of the last one.
    selections: u64,
    /// The pipes of the last selection. Its capacity is enough for all pipes.
    selected: Vec<SlabIndex>,
}

/// The pipes with one topic.
#[derive(Debug, Default)]
struct Subscribers(Vec<SlabIndex>);

impl TrieValue for Subscribers {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Debug, Default)]
struct FilteringPipe {
    id: Option<PipeId>,
    /// The pipe may have room.
    is_active: bool,
    /// The pipe gets everything, and its further messages have no effect.
    gets_all: bool,
    /// The nodes of its topics, each with the pipe's position in the node's [`Subscribers`].
    nodes: BTreeMap<SlabIndex, usize>,
    /// The length of all its topics.
    topic_bytes: usize,
    /// The number of the last selection that the pipe was part of.
    selected_in: u64,
    /// How many messages it has missed.
    missed: u64,
}

impl Interests {
    pub(super) fn new() -> Interests {
        Interests {
            topics: Trie::new(),
            pipes: Slab::new(),
            indices: BTreeMap::new(),
            memory: 0,
            count: 0,
            selections: 0,
            selected: Vec::new(),
        }
    }

    /// Whether there is no pipe.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The number of topics of all pipes together.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many messages a pipe has missed; 0 if it is not there.
    pub(super) fn missed_by(&self, id: PipeId) -> u64 {
        self.indices.get(&id).map_or(0, |index| self.pipes[*index].missed)
    }

    /// Adds an inactive pipe without topics.
    ///
    /// # Errors
    /// [`PipeRefused`] when out of memory.
    pub(super) fn insert(&mut self, id: PipeId) -> Result<(), PipeRefused> {
        self.pipes.try_reserve().ok_or(PipeRefused)?;
        let pipes = self.indices.len() + 1;
        self.selected.clear();
        self.selected.try_reserve(pipes).map_err(|_| PipeRefused)?;
        // So that each pipe can get everything when memory is out.
        let all = &mut self.topics[ROOT].0;
        all.try_reserve(pipes - all.len()).map_err(|_| PipeRefused)?;
        let index = self.pipes.insert(FilteringPipe { id: Some(id), ..FilteringPipe::default() });
        self.indices.insert(id, index);
        Ok(())
    }

    /// Removes a pipe, if it is there.
    pub(super) fn remove(&mut self, id: PipeId) {
        let Some(index) = self.indices.remove(&id) else { return };
        self.clear(index);
        self.pipes.remove(index, FilteringPipe::default());
    }

    /// The pipe may have room again. Returns whether it is there.
    pub(super) fn writable(&mut self, id: PipeId) -> bool {
        let Some(&index) = self.indices.get(&id) else { return false };
        self.pipes[index].is_active = true;
        true
    }

    /// Adds a topic to a pipe, if the pipe is there.
    pub(super) fn add(&mut self, id: PipeId, topic: &[u8]) {
        let Some(&index) = self.indices.get(&id) else { return };
        if self.pipes[index].gets_all {
            return;
        }
        if self.try_add(index, topic).is_none() {
            self.clear(index);
            self.pipes[index].gets_all = true;
            self.link(ROOT, index);
        }
    }

    /// As `add`. `None` when the pipe has too many topics already, or memory is out.
    fn try_add(&mut self, index: SlabIndex, topic: &[u8]) -> Option<()> {
        let pipe = &self.pipes[index];
        let memory = self.memory + topic.len() + TOPIC_FOOTPRINT;
        let fits = pipe.nodes.len() < MAX_TOPICS
            && pipe.topic_bytes + topic.len() <= MAX_TOPIC_BYTES
            && memory <= MAX_MEMORY;
        if !fits {
            // A topic that the pipe has already takes no memory.
            return self.topics.find(topic).and_then(|node| pipe.nodes.get(&node)).map(|_| ());
        }
        let node = self.topics.insert(topic)?;
        if self.pipes[index].nodes.contains_key(&node) {
            return Some(());
        }
        if self.topics[node].0.try_reserve(1).is_err() {
            self.topics.prune(node);
            return None;
        }
        self.link(node, index);
        self.pipes[index].topic_bytes += topic.len();
        self.memory = memory;
        Some(())
    }

    /// Removes a topic from a pipe, if both are there.
    pub(super) fn remove_topic(&mut self, id: PipeId, topic: &[u8]) {
        let Some(&index) = self.indices.get(&id) else { return };
        let Some(node) = self.topics.find(topic) else { return };
        if self.pipes[index].gets_all || !self.unlink(node, index) {
            return;
        }
        self.topics.prune(node);
        self.pipes[index].topic_bytes -= topic.len();
        self.memory -= topic.len() + TOPIC_FOOTPRINT;
    }

    /// Sends a message to all active pipes that want it. If `takes_body`, the last one gets the body itself, and otherwise a
    /// clone, as the others do.
    pub(super) fn send(
        &mut self,
        header: &[u8],
        body: &mut Payload<'_>,
        takes_body: bool,
        context: &mut impl Context,
    ) {
        let mut missed = self.select([header, body.bytes()]);
        for (place, index) in self.selected.iter().enumerate() {
            let pipe = &mut self.pipes[*index];
            let Some(id) = pipe.id else { continue };
            let push = if takes_body && place + 1 == self.selected.len() {
                context.push(id, header, body)
            } else {
                context.push_copy(id, header, body)
            };
            pipe.is_active = push == PushOutcome::Taken;
            if !pipe.is_active {
                pipe.missed += 1;
                missed += 1;
            }
        }
        if missed > 0 {
            context.note_drops(missed);
        }
    }

    /// Selects the active pipes with a topic that the message begins with, each once. Returns the number of such pipes that
    /// are not active.
    fn select(&mut self, message: [&[u8]; 2]) -> usize {
        let Interests { topics, pipes, selections, selected, .. } = self;
        *selections += 1;
        selected.clear();
        let mut inactive = 0;
        topics.any(message, |Subscribers(subscribers)| {
            for index in subscribers {
                let pipe = &mut pipes[*index];
                if pipe.selected_in == *selections {
                    continue;
                }
                pipe.selected_in = *selections;
                if pipe.is_active {
                    selected.push(*index);
                } else {
                    pipe.missed += 1;
                    inactive += 1;
                }
            }
            false
        });
        inactive
    }

    /// Removes all topics of a pipe.
    fn clear(&mut self, index: SlabIndex) {
        while let Some((&node, _)) = self.pipes[index].nodes.first_key_value() {
            self.unlink(node, index);
            self.topics.prune(node);
            if !self.pipes[index].gets_all {
                self.memory -= TOPIC_FOOTPRINT;
            }
        }
        self.memory -= std::mem::take(&mut self.pipes[index].topic_bytes);
    }

    /// Adds a pipe to the subscribers of a node, which have memory for it.
    fn link(&mut self, node: SlabIndex, index: SlabIndex) {
        let subscribers = &mut self.topics[node].0;
        self.pipes[index].nodes.insert(node, subscribers.len());
        subscribers.push(index);
        self.count += 1;
    }

    /// Removes a pipe from the subscribers of a node. Returns whether it was one of them.
    fn unlink(&mut self, node: SlabIndex, index: SlabIndex) -> bool {
        let Some(position) = self.pipes[index].nodes.remove(&node) else { return false };
        let subscribers = &mut self.topics[node].0;
        subscribers.swap_remove(position);
        if let Some(moved) = subscribers.get(position) {
            self.pipes[*moved].nodes.insert(node, position);
        }
        self.count -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn with_pipes(count: u32) -> Interests {
        let mut interests = Interests::new();
        for id in 1..=count {
            interests.insert(PipeId(id)).unwrap();
            assert!(interests.writable(PipeId(id)));
        }
        interests
    }

    fn receivers(interests: &mut Interests, message: &[u8]) -> Vec<u32> {
        interests.select([b"", message]);
        let ids = interests.selected.iter().filter_map(|index| interests.pipes[*index].id);
        let mut ids: Vec<u32> = ids.map(|id| id.0).collect();
        ids.sort_unstable();
        ids
    }

    fn is_clean(interests: &Interests) -> bool {
        (interests.count, interests.memory, interests.topics.prefixes().count()) == (0, 0, 0)
    }

    #[test]
    fn a_pipe_with_several_matching_topics_is_selected_once() {
        let mut interests = with_pipes(3);
        for topic in [&b""[..], b"a", b"ab", b"abc", b"x"] {
            interests.add(PipeId(1), topic);
        }
        interests.add(PipeId(2), b"ab");
        assert_eq!(receivers(&mut interests, b"abd"), [1, 2]);
        assert_eq!(receivers(&mut interests, b"a"), [1]);
        interests.remove_topic(PipeId(1), b"");
        assert_eq!(receivers(&mut interests, b"y"), []);
        interests.remove(PipeId(1));
        interests.remove(PipeId(2));
        assert!(is_clean(&interests));
    }

    #[test]
    fn a_pipe_with_too_many_topics_gets_everything() {
        let mut interests = with_pipes(2);
        let topic = |number: usize| format!("topic/{number}");
        for number in 0..MAX_TOPICS {
            interests.add(PipeId(1), topic(number).as_bytes());
        }
        interests.add(PipeId(1), topic(7).as_bytes());
        assert_eq!((receivers(&mut interests, b"other"), interests.count()), (vec![], MAX_TOPICS));
        interests.add(PipeId(1), b"one more");
        assert_eq!(
            (receivers(&mut interests, b"other"), interests.count(), interests.memory),
            (vec![1], 1, 0)
        );
        // Nothing that it sends changes that.
        interests.remove_topic(PipeId(1), b"");
        interests.add(PipeId(1), b"a");
        assert_eq!(receivers(&mut interests, b"other"), [1]);
        interests.remove(PipeId(1));
        assert!(is_clean(&interests));
    }

    #[test]
    fn a_pipe_with_too_long_topics_gets_everything() {
        let mut interests = with_pipes(1);
        let long = vec![b'a'; MAX_TOPIC_BYTES];
        interests.add(PipeId(1), &long);
        assert_eq!(receivers(&mut interests, b"b"), []);
        interests.add(PipeId(1), b"c");
        assert_eq!(receivers(&mut interests, b"b"), [1]);
    }

    #[test]
    fn the_topics_of_a_crowd_are_bounded() {
        let mut interests = with_pipes(40);
        for id in 1..=40 {
            let mut long = vec![b'a'; MAX_TOPIC_BYTES];
            long[0] = id as u8 + b'a';
            interests.add(PipeId(id), &long);
        }
        assert!(interests.memory <= MAX_MEMORY);
        let getting_all = receivers(&mut interests, b"a");
        assert_eq!((getting_all.first(), getting_all.len()), (Some(&16), 25));
        (1..=40).for_each(|id| interests.remove(PipeId(id)));
        assert!(is_clean(&interests));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u32, Vec<u8>),
        RemoveTopic(u32, Vec<u8>),
        Remove(u32),
        Publish(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (id, word) = (|| 1..5_u32, || vec(0..3_u8, 0..5));
        prop_oneof![
            6 => (id(), word()).prop_map(|(id, word)| Step::Add(id, word)),
            3 => (id(), word()).prop_map(|(id, word)| Step::RemoveTopic(id, word)),
            1 => id().prop_map(Step::Remove),
            4 => word().prop_map(Step::Publish),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_set_of_topics_for_each_pipe(steps in vec(step(), 0..80)) {
            let mut interests = with_pipes(4);
            let mut model: BTreeMap<u32, BTreeSet<Vec<u8>>> = (1..5).map(|id| (id, BTreeSet::new())).collect();
            for step in steps {
                match step {
                    Step::Add(id, topic) => {
                        interests.add(PipeId(id), &topic);
                        if let Some(topics) = model.get_mut(&id) {
                            topics.insert(topic);
                        }
                    }
                    Step::RemoveTopic(id, topic) => {
                        interests.remove_topic(PipeId(id), &topic);
                        if let Some(topics) = model.get_mut(&id) {
                            topics.remove(&topic);
                        }
                    }
                    Step::Remove(id) => {
                        interests.remove(PipeId(id));
                        model.remove(&id);
                    }
                    Step::Publish(message) => {
                        let wants = |topics: &BTreeSet<Vec<u8>>| {
                            topics.iter().any(|topic| message.starts_with(topic))
                        };
                        let expected: Vec<u32> =
                            model.iter().filter(|(_, topics)| wants(topics)).map(|(id, _)| *id).collect();
                        prop_assert_eq!(receivers(&mut interests, &message), expected);
                    }
                }
                prop_assert_eq!(interests.count(), model.values().map(BTreeSet::len).sum::<usize>());
            }
            (1..5).for_each(|id| interests.remove(PipeId(id)));
            prop_assert!(is_clean(&interests));
        }
    }
}
