//! `kmem` and `page` with one fault each: what the oracles are tested on.
//!
//! A mutant is a patch, `mutants/NAME.patch`, whose head says what the fault is. The build script
//! (`mutants/make.rs`) applies it to a copy of kmem's sources. They are the slips that people make:
//! a comparison one off, a size with or without its header, a case of two forgotten.
//!
//! Left out on purpose are faults that neither a client nor the table can tell from the original:
//!
//! - zeroing the size asked for instead of that rounded up to 8: the rest is not the client's;
//! - a move that copies the slack behind the contents as well: the new block holds as much;
//! - a shrink to the very same chunk that lays the remainder's header anew: it writes what is
//!   there;
//! - clearing the payload or the old header of a chunk that is merged away: nobody reads those;
//! - a request for 0 pages that gets one, or a page taken whose run is marked in another order.

#![allow(unsafe_code, reason = "an adapter calls an allocator")]

use harness::entry::Entry;

pub use made::{CANARIES, GROWTH_MUTANTS, HEAP_MUTANTS, PAGE_MUTANTS, SIDE_MUTANTS, SLOW_MUTANTS};

// Copies of sources that are checked where they come from.
#[allow(warnings, clippy::all, clippy::pedantic)]
mod made {
    use super::mutant;
    use harness::entry::Entry;

    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}

/// An allocator that is wrong on purpose, under its own name.
const fn mutant(name: &'static str, mut entry: Entry) -> Entry {
    entry.declaration = entry.declaration.planted(true);
    entry.declaration.name = name;
    entry.declaration.assert_sound();
    entry
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use std::vec;
    use std::vec::Vec;

    use harness::entry::{AnySubject, Request};
    use harness::geometry::Growth;
    use harness::subject::Region;

    use super::*;
    use crate::{ALL, MUTANT_NAMES};

    #[test]
    fn every_name_has_its_entry_and_none_comes_twice() {
        let planted = ALL.iter().filter(|entry| entry.declaration.planted);
        let names = MUTANT_NAMES.iter().copied().flatten().copied();
        assert!(planted.map(Entry::name).eq(names));
        for (index, entry) in ALL.iter().enumerate() {
            assert!(
                ALL[..index]
                    .iter()
                    .all(|other| other.name() != entry.name())
            );
            assert!(entry.name().len() < harness::declaration::NAME_BYTES);
        }
    }

    /// Whether headers and side memory agree after each of 10,000 random allocs and frees.
    fn agrees(subject: &mut dyn AnySubject) -> bool {
        let mut state = 7_u64;
        let mut below = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % bound as u64) as usize
        };
        let mut live = Vec::new();
        (0..10_000).all(|_| {
            if below(5) < 3 {
                let bound = [40, 200, 1_500][below(3)];
                let request = Request {
                    size: below(bound),
                    align: None,
                    zeroed: false,
                };
                // SAFETY: the heap takes any size.
                let block = unsafe { subject.alloc(request) };
                live.extend(Some(block).filter(|block| !block.is_null()));
            } else if !live.is_empty() {
                let freed = live.swap_remove(below(live.len()));
                // SAFETY: the block is not used any more; one that a mutant has lost is refused.
                unsafe { subject.free(freed, Layout::new::<u64>()) };
            }
            subject.audit()
        })
    }

    fn is_told_by_an_audit(entry: &Entry) -> bool {
        const BYTES: usize = 64 << 10;
        let mut heap = vec![0_u64; BYTES / 8];
        let mut side = vec![0_u64; entry.side_bytes(BYTES, Growth::NONE) / 8];
        let region = Region {
            start: heap.as_mut_ptr().cast(),
            bytes: BYTES,
            slack: 0,
            growth: Growth::NONE,
            side: side.as_mut_ptr().cast(),
        };
        let mut told = false;
        // SAFETY: both outlive the subject, and nobody else uses them.
        unsafe { entry.with_fresh(region, &mut |subject| told = !agrees(subject)) };
        told
    }

    #[test]
    #[cfg(not(miri))] // What mutants do to memory is not defined.
    fn an_audit_tells_what_is_wrong_with_the_side_memory() {
        assert!(!is_told_by_an_audit(&crate::ours::ALL[1]));
        assert!(SLOW_MUTANTS.iter().all(is_told_by_an_audit));
        // It looks at sound side memory wrongly.
        let passed = SIDE_MUTANTS
            .iter()
            .filter(|entry| !is_told_by_an_audit(entry));
        let passed: Vec<_> = passed.map(Entry::name).collect();
        assert_eq!(passed, ["search-ends-with-group"]);
    }
}
