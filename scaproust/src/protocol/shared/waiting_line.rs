//! The order in which the conversations of a socket wait for room.
//!
//! A conversation may leave from the middle: its entry stays for the moment, and is removed together with others once they are
//! the greater part. So to leave takes the same time however many wait.

use std::collections::VecDeque;

use super::Place;

/// What an entry is recognised by. A place may have entries that it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// The places that wait, the first one first.
#[derive(Debug, Default)]
pub(super) struct WaitingLine {
    entries: VecDeque<(Place, Ticket)>,
    /// How many entries were left.
    left: usize,
    last: u64,
    /// How many entries were looked at to remove others.
    #[cfg(test)]
    looks: usize,
}

impl WaitingLine {
    /// Adds a place behind the others. `is_left` of the other calls tells of an entry with this ticket whether the place has
    /// left it.
    pub(super) fn push(&mut self, place: Place) -> Ticket {
        self.last += 1;
        self.entries.push_back((place, Ticket(self.last)));
        Ticket(self.last)
    }

    /// The first place.
    pub(super) fn first(&mut self, is_left: impl Fn(Place, Ticket) -> bool) -> Option<Place> {
        while let Some(&(place, ticket)) = self.entries.front() {
            if !is_left(place, ticket) {
                return Some(place);
            }
            self.left -= 1;
            self.entries.pop_front();
        }
        None
    }

    /// Removes the first place.
    pub(super) fn pop(&mut self) {
        self.entries.pop_front();
    }

    /// A place has left its entry.
    pub(super) fn leave(&mut self, is_left: impl Fn(Place, Ticket) -> bool) {
        self.left += 1;
        if self.left * 2 > self.entries.len() {
            #[cfg(test)]
            {
                self.looks += self.entries.len();
            }
            self.entries.retain(|(place, ticket)| !is_left(*place, *ticket));
            self.left = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u32 = 10_000;
    const MOST: usize = 4 * COUNT as usize;

    #[test]
    fn to_leave_does_not_depend_on_how_many_wait() {
        let mut line = WaitingLine::default();
        let mut tickets: Vec<_> = (0..COUNT).map(|place| Some(line.push(place))).collect();
        for place in (0..COUNT).rev() {
            tickets[place as usize] = None;
            line.leave(|place, ticket| tickets[place as usize] != Some(ticket));
        }
        assert!(line.entries.is_empty() && line.looks <= MOST, "{} looks", line.looks);
    }

    #[test]
    fn places_that_have_left_take_no_room() {
        let mut line = WaitingLine::default();
        let mut tickets = [Some(line.push(0)), None];
        for _ in 0..COUNT {
            tickets[1] = Some(line.push(1));
            tickets[1] = None;
            line.leave(|place, ticket| tickets[place as usize] != Some(ticket));
        }
        assert!(line.entries.len() <= 3 && line.looks <= MOST);
    }

    #[test]
    fn a_place_that_comes_again_is_behind_the_others() {
        let mut line = WaitingLine::default();
        let mut tickets = [0, 1, 2].map(|place| Some(line.push(place)));
        tickets[0] = None;
        line.leave(|place, ticket| tickets[place as usize] != Some(ticket));
        tickets[0] = Some(line.push(0));
        let mut order = Vec::new();
        while let Some(place) = line.first(|place, ticket| tickets[place as usize] != Some(ticket)) {
            tickets[place as usize] = None;
            line.pop();
            order.push(place);
        }
        assert_eq!((order, line.left), (vec![1, 2, 0], 0));
    }
}
