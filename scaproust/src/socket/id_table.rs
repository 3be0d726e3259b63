//! Values by pipe id.
//!
//! Ids are counted: an id is used again only after 2^31 others, so an id that is remembered after its pipe
//! has gone names no other pipe. The low bits of an id are the index of its slot. An id whose slot is
//! occupied is skipped, and at most half of the slots are occupied; so a new id costs two steps on average,
//! and a look-up one.

use crate::protocol::PipeId;

/// Pipe ids have 31 bits.
const ID_MASK: u32 = u32::MAX >> 1;
/// The most values at once.
const MAX_VALUES: usize = 1 << 20;
/// The number of slots of the first table.
const INITIAL_SLOTS: usize = 4;

/// Values by id.
pub(super) struct IdTable<T> {
    /// Their number is zero or a power of two.
    slots: Vec<Slot<T>>,
    /// The number of occupied slots.
    occupied: usize,
    /// The last id returned by [`IdTable::next_id`].
    last_id: u32,
}

struct Slot<T> {
    /// The id of the value, or of the last value in this slot.
    id: PipeId,
    value: Option<T>,
}

impl<T> IdTable<T> {
    /// An empty table, whose first id follows `seed`.
    pub(super) fn new(seed: u32) -> IdTable<T> {
        IdTable { slots: Vec::new(), occupied: 0, last_id: seed & ID_MASK }
    }

    /// An unused id, not zero, whose slot is free; `None` when there are too many values, or no memory for more.
    pub(super) fn next_id(&mut self) -> Option<PipeId> {
        if 2 * (self.occupied + 1) > self.slots.len() {
            self.grow()?;
        }
        loop {
            self.last_id = (self.last_id + 1) & ID_MASK;
            let id = PipeId(self.last_id);
            if id.0 != 0 && self.slot(id)?.value.is_none() {
                return Some(id);
            }
        }
    }

    /// Inserts a value under the last id returned by [`IdTable::next_id`].
    pub(super) fn insert(&mut self, id: PipeId, value: T) {
        debug_assert_eq!(id.0, self.last_id);
        if let Some(slot) = self.slot(id) {
            debug_assert!(slot.value.is_none(), "{id:?} is in use");
            *slot = Slot { id, value: Some(value) };
            self.occupied += 1;
        }
    }

    /// Removes the value with this id, if there is one.
    pub(super) fn remove(&mut self, id: PipeId) -> Option<T> {
        let value = self.slot(id).filter(|slot| slot.id == id)?.value.take()?;
        self.occupied -= 1;
        Some(value)
    }

    /// The value with this id, if there is one.
    #[inline]
    pub(super) fn get(&mut self, id: PipeId) -> Option<&mut T> {
        self.slot(id).filter(|slot| slot.id == id)?.value.as_mut()
    }

    /// Two different values, if both are there.
    pub(super) fn get_two(&mut self, one: PipeId, other: PipeId) -> Option<[&mut T; 2]> {
        let indices = [self.index(one), self.index(other)];
        let [first, second] = self.slots.get_disjoint_mut(indices).ok()?;
        let is_there = first.id == one && second.id == other;
        if is_there { Some([first.value.as_mut()?, second.value.as_mut()?]) } else { None }
    }

    /// As [`IdTable::get`], by shared reference.
    pub(super) fn peek(&self, id: PipeId) -> Option<&T> {
        self.slots.get(self.index(id)).filter(|slot| slot.id == id)?.value.as_ref()
    }

    /// Removes all values.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.occupied = 0;
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.value)
    }

    /// The index of the id's slot; without slots, an index out of bounds.
    #[inline]
    fn index(&self, id: PipeId) -> usize {
        id.0 as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn slot(&mut self, id: PipeId) -> Option<&mut Slot<T>> {
        let index = self.index(id);
        self.slots.get_mut(index)
    }

    /// Doubles the slots. Ids with different slots before have different ones afterwards.
    fn grow(&mut self) -> Option<()> {
        if self.occupied == MAX_VALUES {
            return None;
        }
        let count = (2 * self.slots.len()).max(INITIAL_SLOTS);
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.resize_with(count, || Slot { id: PipeId(0), value: None });
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.value.is_some()
                && let Some(new_slot) = self.slot(slot.id)
            {
                *new_slot = slot;
            }
        }
        Some(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn insert(table: &mut IdTable<u32>, value: u32) -> PipeId {
        let id = table.next_id().unwrap();
        table.insert(id, value);
        id
    }

    #[test]
    fn an_id_is_not_used_again_before_the_count_has_wrapped() {
        let mut table = IdTable::new(5);
        let first = insert(&mut table, 0);
        assert_eq!(table.remove(first), Some(0));
        for value in 1..10_000 {
            let id = insert(&mut table, value);
            assert_ne!(id, first);
            assert!(table.get(first).is_none() && table.remove(first).is_none());
            assert_eq!(table.remove(id), Some(value));
        }
        // One value at a time needs no more slots than the initial ones.
        assert_eq!(table.slots.len(), INITIAL_SLOTS);
    }

    #[test]
    fn ids_have_31_bits_and_are_not_zero() {
        let mut table = IdTable::new(u32::MAX - 2);
        let ids: Vec<u32> = (0..4).map(|value| insert(&mut table, value).0).collect();
        assert_eq!(ids, [ID_MASK - 1, ID_MASK, 1, 2]);
        assert!((0..4).all(|value| table.get(PipeId(ids[value as usize])) == Some(&mut value.clone())));
    }

    #[test]
    fn the_id_of_an_occupied_slot_is_skipped() {
        let mut table = IdTable::new(0);
        let long = insert(&mut table, 7);
        let mut ids = Vec::new();
        for value in 0..20 {
            let id = insert(&mut table, value);
            assert_ne!(id.0 as usize % INITIAL_SLOTS, long.0 as usize % INITIAL_SLOTS);
            table.remove(id);
            ids.push(id);
        }
        assert!(ids.is_sorted());
        assert_eq!((table.slots.len(), table.get(long)), (INITIAL_SLOTS, Some(&mut 7)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert,
        /// Removes the value at this position in the order of ids.
        Remove(usize),
        /// Advances the count, as if this many pipes had come and gone.
        Skip(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => Just(Step::Insert),
            2 => (0..64_usize).prop_map(Step::Remove),
            1 => (0..ID_MASK).prop_map(Step::Skip),
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(seed: u32, steps in proptest::collection::vec(step(), 0..200)) {
            let mut table = IdTable::new(seed);
            let (mut model, mut gone) = (BTreeMap::new(), Vec::new());
            for (value, step) in (0..).zip(steps) {
                match step {
                    Step::Insert => {
                        let id = insert(&mut table, value);
                        prop_assert!(id.0 <= ID_MASK);
                        prop_assert_eq!(model.insert(id, value), None);
                        gone.retain(|old| *old != id);
                    }
                    Step::Remove(index) => {
                        let Some(id) = model.keys().nth(index).copied() else { continue };
                        prop_assert_eq!(table.remove(id), model.remove(&id));
                        gone.push(id);
                    }
                    Step::Skip(count) => table.last_id = (table.last_id + count) & ID_MASK,
                }
                prop_assert!(2 * model.len() <= table.slots.len());
                for (id, value) in &mut model {
                    prop_assert_eq!(table.peek(*id), Some(&*value));
                    prop_assert_eq!(table.get(*id), Some(value));
                }
                prop_assert!(gone.iter().all(|id| table.peek(*id).is_none()));
            }
            prop_assert_eq!(table.take_all().count(), model.len());
            prop_assert!(model.keys().all(|id| table.get(*id).is_none()));
        }
    }
}
