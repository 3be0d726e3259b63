//! Pipes in sixteen priorities, with round-robin among the active pipes of a priority.
//!
//! The current pipe is one of the highest priority that has an active pipe. The users of this list decide
//! which pipes are active, and when the turn of a pipe ends.

use std::collections::BTreeMap;

use crate::protocol::slab::{Slab, SlabIndex};
use crate::protocol::{PipeId, PipeRefused};

/// Priorities are numbered from 1, the highest, to this.
const PRIORITIES: u8 = 16;

/// All pipes of one direction of a socket.
///
/// The active pipes of a priority form a ring, linked by index. A look-up by id is needed only to change the
/// state of a pipe, not to read the current pipe or to advance.
#[derive(Debug)]
pub(super) struct PriorityList {
    members: Slab<Member>,
    indices: BTreeMap<PipeId, SlabIndex>,
    /// Bit `n` is set when ring `n` has a member.
    occupied: u16,
    /// For each ring that has a member: its current member.
    turns: [SlabIndex; PRIORITIES as usize],
}

#[derive(Clone, Copy, Debug)]
struct Member {
    pipe: PipeId,
    /// The ring of the pipe while it is active: its priority, counted from 0.
    ring: u8,
    active: bool,
    /// Neighbours in the ring; without meaning while the pipe is inactive.
    next: SlabIndex,
    previous: SlabIndex,
}

impl PriorityList {
    pub(super) fn new() -> PriorityList {
        let turns = [0; PRIORITIES as usize];
        PriorityList { members: Slab::new(), indices: BTreeMap::new(), occupied: 0, turns }
    }

    /// Adds an inactive pipe. The priority is clamped to 1 to 16.
    ///
    /// # Errors
    /// [`PipeRefused`] when out of memory.
    pub(super) fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.members.try_reserve().ok_or(PipeRefused)?;
        let ring = priority.clamp(1, PRIORITIES) - 1;
        let member = Member { pipe, ring, active: false, next: 0, previous: 0 };
        let index = self.members.insert(member);
        let before = self.indices.insert(pipe, index);
        debug_assert!(before.is_none(), "{pipe:?} was added twice");
        Ok(())
    }

    /// Removes a pipe, if it is there.
    pub(super) fn remove(&mut self, pipe: PipeId) {
        let Some(index) = self.indices.remove(&pipe) else { return };
        self.leave_ring(index);
        let member = self.members[index];
        self.members.remove(index, member);
    }

    /// Makes a pipe active, as the last in its ring. Does nothing if it is active or unknown.
    pub(super) fn activate(&mut self, pipe: PipeId) {
        let Some(&index) = self.indices.get(&pipe) else { return };
        let Member { ring, active, .. } = self.members[index];
        if active {
            return;
        }
        let turn = if self.occupied & bit(ring) == 0 { index } else { self.turns[usize::from(ring)] };
        let last = if turn == index { index } else { self.members[turn].previous };
        self.members[index].active = true;
        self.link(index, turn);
        self.link(last, index);
        self.turns[usize::from(ring)] = turn;
        self.occupied |= bit(ring);
    }

    /// The current pipe.
    #[inline]
    pub(super) fn current(&self) -> Option<PipeId> {
        Some(self.members[self.turn()?].pipe)
    }

    /// The priority of the current pipe, 1 to 16.
    pub(super) fn current_priority(&self) -> Option<u8> {
        Some(self.members[self.turn()?].ring + 1)
    }

    /// Makes the next pipe in the ring the current one.
    #[inline]
    pub(super) fn advance(&mut self) {
        if let Some(index) = self.turn() {
            let Member { ring, next, .. } = self.members[index];
            self.turns[usize::from(ring)] = next;
        }
    }

    /// Makes the current pipe inactive.
    pub(super) fn deactivate_current(&mut self) {
        if let Some(index) = self.turn() {
            self.leave_ring(index);
        }
    }

    /// The current member. If no ring has one, `trailing_zeros` is 16, which is no ring.
    #[inline]
    fn turn(&self) -> Option<SlabIndex> {
        self.turns.get(self.occupied.trailing_zeros() as usize).copied()
    }

    fn leave_ring(&mut self, index: SlabIndex) {
        let Member { ring, active, next, previous, .. } = self.members[index];
        if !active {
            return;
        }
        self.members[index].active = false;
        if next == index {
            self.occupied &= !bit(ring);
            return;
        }
        self.link(previous, next);
        if self.turns[usize::from(ring)] == index {
            self.turns[usize::from(ring)] = next;
        }
    }

    fn link(&mut self, previous: SlabIndex, next: SlabIndex) {
        self.members[previous].next = next;
        self.members[next].previous = previous;
    }
}

const fn bit(ring: u8) -> u16 {
    1 << ring
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// A simple model: each priority is a queue of active pipes.
    #[derive(Default)]
    struct Model {
        priorities: BTreeMap<PipeId, u8>,
        queues: BTreeMap<u8, VecDeque<PipeId>>,
    }

    impl Model {
        fn remove(&mut self, pipe: PipeId) {
            self.priorities.remove(&pipe);
            self.queues.values_mut().for_each(|queue| queue.retain(|other| *other != pipe));
        }

        fn activate(&mut self, pipe: PipeId) {
            let Some(&priority) = self.priorities.get(&pipe) else { return };
            let queue = self.queues.entry(priority).or_default();
            if !queue.contains(&pipe) {
                queue.push_back(pipe);
            }
        }

        fn current_queue(&mut self) -> Option<&mut VecDeque<PipeId>> {
            self.queues.values_mut().find(|queue| !queue.is_empty())
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(PipeId, u8),
        Remove(PipeId),
        Activate(PipeId),
        Advance,
        DeactivateCurrent,
    }

    fn step() -> impl Strategy<Value = Step> {
        let pipe = || (0..12_u32).prop_map(PipeId);
        prop_oneof![
            2 => (pipe(), 1..=16_u8).prop_map(|(pipe, priority)| Step::Insert(pipe, priority)),
            2 => (pipe(), 1..=2_u8).prop_map(|(pipe, priority)| Step::Insert(pipe, priority)),
            1 => pipe().prop_map(Step::Remove),
            4 => pipe().prop_map(Step::Activate),
            4 => Just(Step::Advance),
            2 => Just(Step::DeactivateCurrent),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_sixteen_queues(steps in vec(step(), 0..200)) {
            let mut list = PriorityList::new();
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Insert(pipe, _) if model.priorities.contains_key(&pipe) => {}
                    Step::Insert(pipe, priority) => {
                        list.insert(pipe, priority).unwrap();
                        model.priorities.insert(pipe, priority);
                    }
                    Step::Remove(pipe) => {
                        list.remove(pipe);
                        model.remove(pipe);
                    }
                    Step::Activate(pipe) => {
                        list.activate(pipe);
                        model.activate(pipe);
                    }
                    Step::Advance => {
                        list.advance();
                        if let Some(queue) = model.current_queue() {
                            queue.rotate_left(1);
                        }
                    }
                    Step::DeactivateCurrent => {
                        list.deactivate_current();
                        model.current_queue().and_then(VecDeque::pop_front);
                    }
                }
                prop_assert_eq!(list.current(), model.current_queue().and_then(|queue| queue.front().copied()));
                let priority = list.current().map(|pipe| model.priorities[&pipe]);
                prop_assert_eq!(list.current_priority(), priority);
                prop_assert_eq!(list.members.len(), model.priorities.len());
            }
        }
    }
}
