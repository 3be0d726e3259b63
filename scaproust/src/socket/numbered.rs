//! The peers of what serves them without being a socket of the program: each has a number, by which its pipe finds it.

/// Values with numbers, in the order in which they were added, or as they were rotated.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    all: Vec<(u64, T)>,
    /// The last number given out.
    last: u64,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { all: Vec::new(), last: 0 }
    }
}

impl<T> Numbered<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a value. Returns its number, which no other one has or had.
    ///
    /// # Errors
    /// The value if there is no memory: the caller may hold a lock, under which it must not be dropped.
    pub(super) fn add(&mut self, value: T) -> Result<u64, T> {
        if self.all.try_reserve(1).is_err() {
            return Err(value);
        }
        self.last += 1;
        self.all.push((self.last, value));
        Ok(self.last)
    }

    /// The value with this number.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.iter_mut().find_map(|(other, value)| (other == number).then_some(value))
    }

    /// Takes the value with this number out.
    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let index = self.all.iter().position(|(other, _)| *other == number)?;
        Some(self.all.remove(index).1)
    }

    /// All of them with their numbers.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.all.iter_mut().map(|(number, value)| (*number, value))
    }

    /// Makes the first one the last.
    pub(super) fn rotate(&mut self) {
        if !self.all.is_empty() {
            self.all.rotate_left(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_number_wherever_it_is() {
        let mut numbered = Numbered::default();
        let [first, second, third] = ["a", "b", "c"].map(|value| numbered.add(value).unwrap());
        numbered.rotate();
        assert_eq!(numbered.iter_mut().map(|(number, _)| number).collect::<Vec<_>>(), [second, third, first]);
        assert_eq!((numbered.remove(third), numbered.remove(third), numbered.len()), (Some("c"), None, 2));
        assert_eq!(numbered.get_mut(first), Some(&mut "a"));
        assert_eq!(numbered.get_mut(third), None);
        assert!(numbered.add("d").unwrap() > third);
    }
}
