//! How an empty heap's capacity goes from cycle to cycle, for a subject that keeps caches.
//!
//! Such a subject may keep some of its memory for requests like those it met, so that one look
//! says nothing. What it may not do is keep more with every cycle.

use harness::declaration::Reuse;

/// So many cycles in a row must each leave less than the one before. A cache that fills up does
/// so in fewer, and then stands still.
pub const FALLS_MIN: u32 = 8;

/// A run of capacities that fall.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cycles {
    last: u64,
    falls: u32,
}

impl Cycles {
    /// Cycles that start from what the fresh heap grants, in bytes.
    #[must_use]
    pub const fn new(fresh_capacity: u64) -> Self {
        Self {
            last: fresh_capacity,
            falls: 0,
        }
    }

    /// With one more cycle, after which the empty heap grants this many bytes.
    #[must_use]
    pub const fn with(self, capacity: u64) -> Self {
        Self {
            last: capacity,
            falls: if capacity < self.last {
                self.falls + 1
            } else {
                0
            },
        }
    }

    /// Whether an empty heap that grants `capacity` bytes owes its client more, after cycles that
    /// started from what the `fresh` one grants.
    #[must_use]
    pub fn lack(self, reuse: Reuse, fresh: u64, capacity: u64) -> bool {
        match reuse {
            Reuse::Whole => capacity < fresh,
            Reuse::Cached => self.with(capacity).leak(),
            Reuse::Never => false,
        }
    }

    /// Whether memory goes with every cycle.
    #[must_use]
    pub const fn leak(self) -> bool {
        self.falls >= FALLS_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(capacities: &[u64]) -> bool {
        capacities
            .iter()
            .fold(Cycles::new(100), |cycles, &bytes| cycles.with(bytes))
            .leak()
    }

    #[test]
    fn only_a_fall_with_every_cycle_is_a_leak() {
        assert!(leak(&[99, 98, 97, 96, 95, 94, 93, 92]));
        assert!(!leak(&[99, 98, 97, 96, 95, 94, 93]));
        assert!(!leak(&[99, 98, 97, 96, 96, 95, 94, 93, 92]));
        assert!(!leak(&[10; 100]));
    }
}
