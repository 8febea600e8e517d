//! The states reached so far, each with the step that first led to it.
//!
//! They are kept in the order in which they were reached, which is also the order in which they
//! are expanded: shortest path first. Only the number of a state is kept, not its heap: whoever
//! expands it goes there again by its path.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::menu::Step;
use super::state::State;

/// What a state costs in memory, in bytes, at the worst moment: when the list (32 bytes a state)
/// and the index (17 bytes a slot, slots doubled from 8/7) have just grown, and both the old and
/// the new memory are held.
pub const STATE_BYTES_MAX: u64 = 32 * 3 + 17 * 3 * 8 / 7 + 6;

#[derive(Clone, Copy, Debug)]
struct Node {
    state: State,
    /// The place of the state from which `step` led here; its own for the first.
    parent: u32,
    step: Step,
}
const _: () = assert!(size_of::<Node>() == 32);

/// Every state reached, by place from 0.
#[derive(Debug, Default)]
pub struct Seen {
    nodes: Vec<Node>,
    /// Set iff the state is in `nodes`.
    index: HashSet<State, BuildHasherDefault<Mix>>,
}

impl Seen {
    /// The fresh heap alone.
    #[must_use]
    pub fn new(fresh: State) -> Self {
        let mut seen = Self::default();
        seen.insert(fresh, 0, Step::from_bits(0));
        seen
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the state was reached.
    #[must_use]
    pub fn contains(&self, state: State) -> bool {
        self.index.contains(&state)
    }

    /// Adds a state that `step` leads to from the one at `parent`; whether it is new.
    pub fn insert(&mut self, state: State, parent: u32, step: Step) -> bool {
        let new = self.index.insert(state);
        if new {
            self.nodes.push(Node {
                state,
                parent,
                step,
            });
        }
        new
    }

    /// The state at a place.
    #[must_use]
    pub fn state(&self, place: u32) -> State {
        self.nodes[place as usize].state
    }

    /// The steps that lead from the fresh heap to the state at `place`.
    pub fn path(&self, mut place: u32, path: &mut Vec<Step>) {
        path.clear();
        while place != 0 {
            let node = self.nodes[place as usize];
            path.push(node.step);
            place = node.parent;
        }
        path.reverse();
    }
}

/// Hashes one state: a multiplication spreads its low digits, a fold brings the high bits down.
/// Nobody chooses states to collide.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u128(byte.into());
        }
    }

    fn write_u128(&mut self, state: u128) {
        const ODD: [u128; 2] = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];
        let low = u128::from(state as u64 ^ self.0) * ODD[0];
        let high = u128::from((state >> 64) as u64) * ODD[1];
        let mixed = low ^ high.rotate_left(32);
        self.0 = (mixed >> 64) as u64 ^ mixed as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_to_a_state_is_kept() {
        let mut seen = Seen::new(7);
        let step = Step::from_bits;
        assert!(seen.insert(8, 0, step(1)));
        assert!(seen.insert(9, 1, step(2)));
        assert!(!seen.insert(9, 0, step(3)));
        assert!(!seen.insert(7, 2, step(4)));
        assert_eq!((seen.len(), seen.state(2)), (3, 9));
        assert!(seen.contains(8) && !seen.contains(10));
        let mut path = Vec::new();
        seen.path(2, &mut path);
        assert_eq!(path, [step(1), step(2)]);
        seen.path(0, &mut path);
        assert_eq!(path, []);
    }
}
