//! What will happen, in order of time.

use std::{cmp::Reverse, collections::BinaryHeap};

use meshwork::Monotonic;

/// Things that are due at some moment. What is due at one moment comes in the order in which it was put in.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    /// Moment, number, and place in `things`: small, since a heap moves its entries about.
    order: BinaryHeap<Reverse<(Monotonic, u64, usize)>>,
    things: Vec<Option<T>>,
    /// The places that are empty.
    free: Vec<usize>,
    /// Numbers what was put in.
    pushed: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), things: Vec::new(), free: Vec::new(), pushed: 0 }
    }
}

impl<T> Queue<T> {
    /// Puts in something that is due at `at`.
    pub(crate) fn push(&mut self, at: Monotonic, thing: T) {
        let place = match self.free.pop() {
            Some(place) => {
                self.things[place] = Some(thing);
                place
            }
            None => {
                self.things.push(Some(thing));
                self.things.len() - 1
            }
        };
        self.order.push(Reverse((at, self.pushed, place)));
        self.pushed += 1;
    }

    /// What is due next, and when.
    pub(crate) fn pop(&mut self) -> Option<(Monotonic, T)> {
        let Reverse((at, _, place)) = self.order.pop()?;
        self.free.push(place);
        Some((at, self.things[place].take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_of_time_and_then_as_it_was_put_in() {
        let mut queue = Queue::default();
        for (at, thing) in [(5, 'c'), (3, 'a'), (5, 'd'), (4, 'b')] {
            queue.push(Monotonic(at), thing);
        }
        assert_eq!(queue.pop(), Some((Monotonic(3), 'a')));
        // A place that is free again is not a rank.
        queue.push(Monotonic(5), 'e');
        let rest: String = std::iter::from_fn(|| queue.pop()).map(|(_, thing)| thing).collect();
        assert_eq!(rest, "bcde");
    }
}
