//! Pipes in sixteen priorities, of which the active ones take turns.
//!
//! The pipe whose turn it is comes from the first priority that has an active pipe. Knows no
//! lanes: its users say what active means, and when a turn is over.

use std::collections::BTreeMap;

use crate::protocol::slab::{Place, Slab};
use crate::protocol::{PipeId, PipeRefused};

/// Priorities are numbered from 1, the first, to this.
const PRIORITIES: u8 = 16;

/// All pipes of one direction of a socket.
///
/// The active pipes of a priority form a ring. Reading the current pipe and going on to the next
/// touch the ring alone; only a change of a pipe's state looks the pipe up.
#[derive(Debug)]
pub struct PriorityList {
    members: Slab<Member>,
    places: BTreeMap<PipeId, Place>,
    /// Bit `n` is set when ring `n` has a member.
    occupied: u16,
    /// For each ring that has a member, the member whose turn it is.
    turns: [Place; PRIORITIES as usize],
}

#[derive(Clone, Copy, Debug)]
struct Member {
    pipe: PipeId,
    /// Which ring the pipe is in while it is active: its priority, counted from 0.
    ring: u8,
    active: bool,
    /// Neighbours in the ring; meaningless while the pipe is not active.
    next: Place,
    previous: Place,
}

impl PriorityList {
    pub fn new() -> PriorityList {
        let turns = [0; PRIORITIES as usize];
        PriorityList { members: Slab::new(), places: BTreeMap::new(), occupied: 0, turns }
    }

    /// Adds a pipe, which is not active yet. Its priority is 1 to 16; others are cut to that.
    ///
    /// # Errors
    /// [`PipeRefused`] when there is no memory for it.
    pub fn insert(&mut self, pipe: PipeId, priority: u8) -> Result<(), PipeRefused> {
        self.members.try_reserve().ok_or(PipeRefused)?;
        let ring = priority.clamp(1, PRIORITIES) - 1;
        let member = Member { pipe, ring, active: false, next: 0, previous: 0 };
        let place = self.members.insert(member);
        let before = self.places.insert(pipe, place);
        debug_assert!(before.is_none(), "{pipe:?} was added twice");
        Ok(())
    }

    /// Forgets a pipe, if it is there.
    pub fn remove(&mut self, pipe: PipeId) {
        let Some(place) = self.places.remove(&pipe) else { return };
        self.leave_ring(place);
        let member = self.members[place];
        self.members.remove(place, member);
    }

    /// Lets a pipe take part, as the last of its priority. Changes nothing for one that does
    /// already, or is not known.
    pub fn activate(&mut self, pipe: PipeId) {
        let Some(&place) = self.places.get(&pipe) else { return };
        let Member { ring, active, .. } = self.members[place];
        if active {
            return;
        }
        let turn = if self.occupied & bit(ring) == 0 { place } else { self.turns[usize::from(ring)] };
        let last = if turn == place { place } else { self.members[turn].previous };
        self.members[place].active = true;
        self.link(place, turn);
        self.link(last, place);
        self.turns[usize::from(ring)] = turn;
        self.occupied |= bit(ring);
    }

    /// The pipe whose turn it is.
    #[inline]
    pub fn current(&self) -> Option<PipeId> {
        Some(self.members[self.turn()?].pipe)
    }

    /// The priority of the pipe whose turn it is, 1 to 16.
    pub fn current_priority(&self) -> Option<u8> {
        Some(self.members[self.turn()?].ring + 1)
    }

    /// Ends the turn of the current pipe.
    #[inline]
    pub fn advance(&mut self) {
        if let Some(place) = self.turn() {
            let Member { ring, next, .. } = self.members[place];
            self.turns[usize::from(ring)] = next;
        }
    }

    /// Takes the current pipe out of the rotation, until it is activated again.
    pub fn deactivate_current(&mut self) {
        if let Some(place) = self.turn() {
            self.leave_ring(place);
        }
    }

    /// The current member. While no ring has one, there is no ring of the number computed here.
    #[inline]
    fn turn(&self) -> Option<Place> {
        self.turns.get(self.occupied.trailing_zeros() as usize).copied()
    }

    fn leave_ring(&mut self, place: Place) {
        let Member { ring, active, next, previous, .. } = self.members[place];
        if !active {
            return;
        }
        self.members[place].active = false;
        if next == place {
            self.occupied &= !bit(ring);
            return;
        }
        self.link(previous, next);
        if self.turns[usize::from(ring)] == place {
            self.turns[usize::from(ring)] = next;
        }
    }

    fn link(&mut self, previous: Place, next: Place) {
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

    /// The same, written for clarity: each priority is a queue of active pipes.
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
