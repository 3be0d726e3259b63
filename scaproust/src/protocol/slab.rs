//! A slab: values in one vector, each identified by an index that stays valid until it is removed.
//!
//! The linked structures of this layer link by index: they need no pointers, and dropping a long chain
//! needs no recursion.

use std::ops::{Index, IndexMut};

/// The index of a value in a [`Slab`].
pub(super) type SlabIndex = u32;

/// A growing vector whose vacant entries are reused.
#[derive(Debug)]
pub(super) struct Slab<T> {
    values: Vec<T>,
    /// Indices of removed values.
    vacant: Vec<SlabIndex>,
}

impl<T> Slab<T> {
    /// An empty slab, without allocated memory.
    pub(super) const fn new() -> Slab<T> {
        Slab { values: Vec::new(), vacant: Vec::new() }
    }

    /// Reserves memory for one more value, and for the removal of all; `None` when out of memory.
    pub(super) fn try_reserve(&mut self) -> Option<()> {
        self.values.try_reserve(1).ok()?;
        self.vacant.try_reserve(self.values.len() + 1 - self.vacant.len()).ok()
    }

    /// Stores a value, and returns its index.
    pub(super) fn insert(&mut self, value: T) -> SlabIndex {
        if let Some(index) = self.vacant.pop() {
            self[index] = value;
            return index;
        }
        let index = SlabIndex::try_from(self.values.len()).expect("fewer than 2^32 values fit into memory");
        self.values.push(value);
        index
    }

    /// Removes and returns a value. `rest` fills its entry until the entry is reused.
    pub(super) fn remove(&mut self, index: SlabIndex, rest: T) -> T {
        self.vacant.push(index);
        std::mem::replace(&mut self[index], rest)
    }

    /// The indices of the values for which this is true. It must be false for what fills vacant entries.
    pub(super) fn indices(&self, is_meant: impl Fn(&T) -> bool) -> impl Iterator<Item = SlabIndex> {
        (0..).zip(&self.values).filter(move |(_, value)| is_meant(value)).map(|(index, _)| index)
    }

    /// All values, and what fills the vacant entries.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut()
    }

    /// All values with their indices; in place of a removed one what [`Slab::remove`] was given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SlabIndex, &T)> {
        (0..).zip(&self.values)
    }

    /// The number of values.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len() - self.vacant.len()
    }
}

impl<T> Index<SlabIndex> for Slab<T> {
    type Output = T;

    fn index(&self, index: SlabIndex) -> &T {
        &self.values[index as usize]
    }
}

impl<T> IndexMut<SlabIndex> for Slab<T> {
    fn index_mut(&mut self, index: SlabIndex) -> &mut T {
        &mut self.values[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vacant_entry_is_reused_and_other_indices_stay_valid() {
        let mut slab = Slab::new();
        let (one, two) = (slab.insert("one"), slab.insert("two"));
        assert_eq!(slab.remove(one, ""), "one");
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.insert("three"), one);
        assert_eq!((slab[one], slab[two]), ("three", "two"));
    }
}
