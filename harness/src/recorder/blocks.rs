//! Which handle a live block has: a table of fixed size, by address.
//!
//! Open addressing: an entry lies at its address's home slot or in the run of used slots behind it.
//! Removing one moves up those behind it that would else be cut off from their home, so that no
//! slot is ever "used before" and lookups stay short however long a recording is.
//!
//! Invariant: between the home of an entry and its slot, every slot is used.

use crate::trace::op::Handle;

/// An address that no block has.
const FREE: usize = 0;
/// An odd number without a pattern: it spreads addresses, which are multiples of 8 and near each
/// other.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A table of `SLOTS` slots.
pub(super) struct Blocks<const SLOTS: usize> {
    /// Apart from the handles, since lookups pass over addresses alone.
    addresses: [usize; SLOTS],
    handles: [Handle; SLOTS],
    live: usize,
}

impl<const SLOTS: usize> Blocks<SLOTS> {
    /// How many entries there may be: a fuller table would be slow.
    pub(super) const ENTRIES_MAX: usize = SLOTS - SLOTS.div_ceil(8);

    pub(super) const fn new() -> Self {
        Self {
            addresses: [FREE; SLOTS],
            handles: [Handle(0); SLOTS],
            live: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.addresses.fill(FREE);
        self.live = 0;
    }

    /// Names the block at `address`, which has no name yet; false if there is no room.
    pub(super) fn insert(&mut self, address: usize, handle: Handle) -> bool {
        if self.live >= Self::ENTRIES_MAX {
            return false;
        }
        let mut slot = Self::home(address);
        while self.addresses[slot] != FREE {
            if self.addresses[slot] == address {
                // The allocator has handed out a live block again: from now on it is this one.
                self.handles[slot] = handle;
                return true;
            }
            slot = Self::behind(slot);
        }
        self.addresses[slot] = address;
        self.handles[slot] = handle;
        self.live += 1;
        true
    }

    pub(super) fn get(&self, address: usize) -> Option<Handle> {
        self.find(address).map(|slot| self.handles[slot])
    }

    pub(super) fn remove(&mut self, address: usize) -> Option<Handle> {
        let mut hole = self.find(address)?;
        let removed = self.handles[hole];
        let mut slot = Self::behind(hole);
        while self.addresses[slot] != FREE {
            let home = Self::home(self.addresses[slot]);
            // Not if its home lies between the hole and itself.
            if Self::distance(home, slot) >= Self::distance(hole, slot) {
                self.addresses[hole] = self.addresses[slot];
                self.handles[hole] = self.handles[slot];
                hole = slot;
            }
            slot = Self::behind(slot);
        }
        self.addresses[hole] = FREE;
        self.live -= 1;
        Some(removed)
    }

    fn find(&self, address: usize) -> Option<usize> {
        if self.live == 0 || address == FREE {
            return None;
        }
        let mut slot = Self::home(address);
        // There is a free slot somewhere: an eighth of them are.
        while self.addresses[slot] != FREE {
            if self.addresses[slot] == address {
                return Some(slot);
            }
            slot = Self::behind(slot);
        }
        None
    }

    /// The slot at which an address is looked for first.
    fn home(address: usize) -> usize {
        let spread = (address as u64).wrapping_mul(SPREAD);
        ((u128::from(spread) * SLOTS as u128) >> 64) as usize
    }

    const fn behind(slot: usize) -> usize {
        if slot + 1 == SLOTS { 0 } else { slot + 1 }
    }

    /// How many slots behind `from` another one lies.
    const fn distance(from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + SLOTS - from
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::vec::Vec;

    #[test]
    fn it_is_a_map_of_bounded_size() {
        let mut table = Blocks::<37>::new();
        let mut model = HashMap::new();
        let mut noise = 1_u32;
        let (mut full, mut missed) = (0, 0);
        for step in 0..200_000 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let address = 4096 + 8 * (noise >> 8) as usize % 480;
            // Fuller and emptier by turns.
            if (noise >> 26) % 4 < 1 + 2 * (step / 1000 % 2) {
                if model.contains_key(&address) {
                    continue;
                }
                let handle = Handle(step);
                let room = model.len() < Blocks::<37>::ENTRIES_MAX;
                assert_eq!(table.insert(address, handle), room);
                match room {
                    true => assert_eq!(model.insert(address, handle), None),
                    false => full += 1,
                }
            } else {
                let removed = model.remove(&address);
                assert_eq!(table.get(address), removed);
                assert_eq!(table.remove(address), removed);
                missed += u32::from(removed.is_none());
            }
            assert_eq!(table.live, model.len());
        }
        assert!(full > 100 && missed > 100, "{full} {missed}");
        let all: Vec<_> = model.keys().map(|&address| table.get(address)).collect();
        assert_eq!(all, model.values().copied().map(Some).collect::<Vec<_>>());
        table.clear();
        assert!(model.keys().all(|&address| table.get(address).is_none()));
    }

    #[test]
    fn null_is_nobodys_and_the_smallest_tables_hold_what_they_say() {
        let mut none = Blocks::<1>::new();
        assert!(!none.insert(8, Handle(0)));
        assert_eq!(none.get(8), None);
        let mut one = Blocks::<2>::new();
        assert!(one.insert(8, Handle(5)));
        assert!(!one.insert(16, Handle(6)));
        assert_eq!(
            (one.get(0), one.get(8), one.get(16)),
            (None, Some(Handle(5)), None)
        );
    }
}
