//! Values in one run of memory, each named by an index that stays the same while the value lives.
//!
//! The base of the linked structures of this layer: links are indices, so that nothing needs a
//! pointer, and dropping a long chain needs no recursion. Must not know what it stores.

use std::ops::{Index, IndexMut};

/// The place of a value in a [`Slab`].
pub type Place = u32;

/// A growing array whose freed places are used again.
#[derive(Debug)]
pub struct Slab<T> {
    values: Vec<T>,
    /// Places whose value nobody uses any more.
    vacant: Vec<Place>,
}

impl<T> Slab<T> {
    /// A slab without values, which owns no memory.
    pub const fn new() -> Slab<T> {
        Slab { values: Vec::new(), vacant: Vec::new() }
    }

    /// Takes memory for one value more, and for giving each back; `None` when there is not that much.
    pub fn try_reserve(&mut self) -> Option<()> {
        self.values.try_reserve(1).ok()?;
        self.vacant.try_reserve(self.values.len() + 1 - self.vacant.len()).ok()
    }

    /// Stores a value.
    pub fn insert(&mut self, value: T) -> Place {
        if let Some(place) = self.vacant.pop() {
            self[place] = value;
            return place;
        }
        let place = Place::try_from(self.values.len()).expect("fewer than 2^32 values fit into memory");
        self.values.push(value);
        place
    }

    /// Gives a place back, and `rest` lies there until it is used again.
    pub fn remove(&mut self, place: Place, rest: T) -> T {
        self.vacant.push(place);
        std::mem::replace(&mut self[place], rest)
    }

    /// How many values there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.values.len() - self.vacant.len()
    }
}

impl<T> Index<Place> for Slab<T> {
    type Output = T;

    fn index(&self, place: Place) -> &T {
        &self.values[place as usize]
    }
}

impl<T> IndexMut<Place> for Slab<T> {
    fn index_mut(&mut self, place: Place) -> &mut T {
        &mut self.values[place as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_place_is_used_again_and_the_others_stay() {
        let mut slab = Slab::new();
        let (one, two) = (slab.insert("one"), slab.insert("two"));
        assert_eq!(slab.remove(one, ""), "one");
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.insert("three"), one);
        assert_eq!((slab[one], slab[two]), ("three", "two"));
    }
}
