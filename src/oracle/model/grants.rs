//! What the empty heap granted, for a subject of whose overhead nothing is known.
//!
//! It knows no sizes of headers and no classes: only that a request which the empty heap granted
//! once must be granted when the heap is empty again, if the subject reuses all its memory. A
//! smaller request says nothing about a larger one, nor the other way round: allocators by size
//! classes are not monotone. So only the same request is compared.

use harness::declaration::{Declaration, Reuse};
use harness::op::{Align, Op};

/// What an empty heap must grant.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Each once.
    granted: Vec<(u64, Option<Align>)>,
}

impl Grants {
    /// Whether a subject is judged by them: it does not declare its overhead, and reuses all
    /// memory.
    #[must_use]
    pub fn judge(declaration: &Declaration) -> bool {
        declaration.overhead.is_none() && declaration.reuse == Reuse::Whole
    }

    /// Grants of a heap whose fresh instance grants `fresh_capacity` bytes; 0 if that is unknown.
    #[must_use]
    pub fn new(fresh_capacity: u64) -> Self {
        let mut grants = Self::default();
        grants.reset(fresh_capacity);
        grants
    }

    /// Makes these the grants of another heap.
    pub fn reset(&mut self, fresh_capacity: u64) {
        self.granted.clear();
        self.granted
            .extend((fresh_capacity > 0).then_some((fresh_capacity, None)));
    }

    /// Takes note of an op to which the empty heap answered with a block.
    pub fn note(&mut self, op: &Op) {
        self.granted
            .extend(asked(op).filter(|request| !self.granted.contains(request)));
    }

    /// Whether the empty heap granted the very same before.
    #[must_use]
    pub fn hold(&self, op: &Op) -> bool {
        asked(op).is_some_and(|request| self.granted.contains(&request))
    }
}

fn asked(op: &Op) -> Option<(u64, Option<Align>)> {
    match *op {
        Op::Alloc { size, align, .. } => Some((size, align)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn alloc(size: u64, align: Option<Align>) -> Op {
        Op::Alloc {
            size,
            align,
            zeroed: false,
        }
    }

    #[test]
    fn only_the_same_request_is_known() {
        let mut grants = Grants::new(0);
        assert!(!grants.hold(&alloc(24, None)));
        grants.note(&alloc(24, None));
        assert!(grants.hold(&alloc(24, None)));
        assert!(!grants.hold(&alloc(8, None)));
        assert!(!grants.hold(&alloc(24, Align::from_bytes(64))));
        assert!(!grants.hold(&Op::FreeAll));
    }

    #[test]
    fn the_fresh_heap_counts_where_it_was_measured() {
        assert!(Grants::new(184).hold(&alloc(184, None)));
        assert!(!Grants::new(0).hold(&alloc(0, None)));
    }
}
