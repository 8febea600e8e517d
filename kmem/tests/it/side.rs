//! The side memory: what is planted in it shows in an audit, and what it is for works in large heaps.

use kmem::{FirstFit, Kmem, PAGE_SIZE, defect};

use crate::fixture::Fixture;
use crate::xorshift::Random;

/// Whether so many random allocs and frees all leave headers and side memory that agree.
fn agrees<const DEFECT: u8>(ops: usize) -> bool {
    let mut heap = Fixture::<FirstFit<DEFECT>>::filled(16 * PAGE_SIZE, 0x5a);
    let mut random = Random(7);
    let mut live = Vec::new();
    for _ in 0..ops {
        if random.below(5) < 3 {
            let bound = [40, 200, 1_500][random.below(3)];
            live.extend(heap.kmalloc(random.below(bound)));
        } else if !live.is_empty() {
            let freed = live.swap_remove(random.below(live.len()));
            // A mutant may have lost the block.
            let _ = heap.try_kfree(freed);
        }
        if !heap.heap.audit() {
            return false;
        }
    }
    true
}

const OPS: usize = if cfg!(miri) { 200 } else { 10_000 };

#[test]
fn headers_and_side_memory_agree() {
    assert!(agrees::<{ defect::NONE }>(OPS));
}

#[test]
#[cfg(not(miri))] // What mutants do to memory is not defined.
fn an_audit_tells_what_is_planted_in_the_side_memory() {
    assert!(!agrees::<{ defect::TAKEN_MARK_KEPT }>(OPS));
    assert!(!agrees::<{ defect::HOLE_MARK_KEPT }>(OPS));
    assert!(!agrees::<{ defect::CROSSING_NOT_NOTED }>(OPS));
    assert!(!agrees::<{ defect::CROSSING_AT_END }>(OPS));
    assert!(!agrees::<{ defect::LARGEST_WHERE_IT_ENDS }>(OPS));
    assert!(!agrees::<{ defect::OTHER_HOLES_FORGOTTEN }>(OPS));
    assert!(!agrees::<{ defect::NODES_NOT_RAISED }>(OPS));
    assert!(!agrees::<{ defect::NODES_NOT_LOWERED }>(OPS));
    assert!(!agrees::<{ defect::SIBLINGS_FORGOTTEN }>(OPS));
    assert!(!agrees::<{ defect::LARGEST_NOT_LOWERED }>(OPS));
}

#[test]
fn an_audit_tells_an_overwritten_header() {
    for word in [0, 16, u64::MAX] {
        let mut heap = Fixture::<Kmem>::new(192);
        heap.kmalloc(24).unwrap();
        assert!(heap.heap.audit());
        heap.arena.set_word(32, word);
        assert!(!heap.heap.audit(), "header {word:#x}");
    }
}

#[test]
fn what_fits_is_found_behind_thousands_of_holes_that_do_not() {
    let pages = if cfg!(miri) { 8 } else { 1_024 };
    let mut heap = Fixture::<Kmem>::filled(pages * PAGE_SIZE, 0x5a);
    let blocks = pages * PAGE_SIZE / 64;
    // Holes of 32 bytes with 32-byte blocks between, to the heap's end; one of 64 far up.
    let all: Vec<usize> = (0..blocks * 2).map(|_| heap.kmalloc(24).unwrap()).collect();
    assert_eq!(heap.kmalloc(0), None);
    all.iter().step_by(2).for_each(|&at| heap.kfree(at));
    let far = all[all.len() - 7];
    heap.kfree(far);
    assert!(heap.heap.audit());
    assert_eq!(heap.kmalloc(80), Some(far - 32));
    assert_eq!(heap.kmalloc(32), None);
    assert_eq!(heap.kmalloc(24), Some(all[0]));
    assert!(heap.heap.audit());
    // An aligned one passes over holes in which it would fit but for its alignment.
    let page_aligned = heap.alloc(24, 4096);
    assert_eq!(page_aligned, None, "payloads are at 8 modulo 32");
    assert!(heap.guards_are_intact());
}

#[test]
fn a_block_before_a_large_hole_is_merged_with_it() {
    let mut heap = Fixture::<Kmem>::new(64 * PAGE_SIZE);
    let [low, large, high] = [24, 100_000, 24].map(|size| heap.kmalloc(size).unwrap());
    let last = heap.kmalloc(24).unwrap();
    heap.kfree(large);
    assert_eq!(heap.list(), "T32 F100008 T32 T32 F162040");
    heap.kfree(high);
    assert_eq!(heap.list(), "T32 F100040 T32 F162040");
    assert!(heap.heap.audit());
    heap.kfree(low);
    assert_eq!(heap.list(), "F100072 T32 F162040");
    assert!(heap.heap.audit());
    heap.kfree(last);
    assert_eq!(heap.list(), "F262144");
    assert!(heap.heap.audit());
}

#[test]
fn the_side_memory_is_a_page_or_a_twentieth_at_most() {
    assert_eq!(Kmem::side_bytes(16), 96);
    for pages in [1, 20, 64, 1_024, 8_192] {
        let bytes = pages * PAGE_SIZE;
        assert!(Kmem::side_bytes(bytes) <= PAGE_SIZE.max(bytes / 20));
    }
}
