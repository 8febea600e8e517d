//! The side memory: it says what the headers say, and what it is for works in large heaps.

use kmem::{Kmem, PAGE_SIZE};

use crate::fixture::Fixture;
use crate::xorshift::Random;

#[test]
fn headers_and_side_memory_agree() {
    let mut heap = Fixture::<Kmem>::filled(16 * PAGE_SIZE, 0x5a);
    let mut random = Random(7);
    let mut live = Vec::new();
    for _ in 0..if cfg!(miri) { 200 } else { 10_000 } {
        if random.below(5) < 3 {
            let bound = [40, 200, 1_500][random.below(3)];
            live.extend(heap.kmalloc(random.below(bound)));
        } else if !live.is_empty() {
            heap.kfree(live.swap_remove(random.below(live.len())));
        }
        assert!(heap.heap.audit());
    }
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
fn an_audit_tells_a_header_that_hides_another() {
    let mut heap = Fixture::<Kmem>::new(4096);
    for size in [24, 1_016, 24] {
        heap.kmalloc(size).unwrap();
    }
    // Over the second block too, which starts in the first stretch of the side memory and ends
    // behind it.
    heap.arena.set_word(0, 1 << 63 | 1_056);
    assert!(!heap.heap.audit());
    heap.arena.set_word(0, 1 << 63 | 32);
    heap.kfree(40);
    assert!(heap.heap.audit());
    // It would end in another span.
    heap.arena.set_word(32, 520);
    assert!(!heap.heap.audit());
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
