//! The policy of the correct generation, rule by rule.

use kmem::{Kmem, PAGE_SIZE};

use crate::fixture::{Fixture, layout};

fn fresh(bytes: usize) -> Fixture<Kmem> {
    Fixture::new(bytes)
}

#[test]
fn a_payload_is_a_multiple_of_8_and_at_least_8() {
    for (size, chunk) in [
        (0, 16),
        (1, 16),
        (7, 16),
        (8, 16),
        (9, 24),
        (16, 24),
        (17, 32),
    ] {
        let mut heap = fresh(192);
        assert_eq!(heap.kmalloc(size), Some(8));
        assert_eq!(heap.list(), format!("T{chunk} F{}", 192 - chunk));
    }
}

#[test]
fn too_large_is_null_and_changes_nothing() {
    let mut heap = fresh(192);
    let max = isize::MAX as usize;
    for size in [
        185,
        192,
        4096,
        max - 7,
        max,
        max + 1,
        usize::MAX - 15,
        usize::MAX,
    ] {
        assert_eq!(heap.kmalloc(size), None, "size {size:#x}");
        assert_eq!(heap.kzmalloc(size), None, "size {size:#x}");
    }
    assert_eq!(heap.alloc(8, 1 << 62), None);
    assert_eq!(heap.alloc_zeroed(max - 4095, 4096), None);
    assert_eq!(heap.list(), "F192");
    assert_eq!(heap.kmalloc(184), Some(8));
}

#[test]
fn the_lowest_free_chunk_that_fits_is_taken() {
    let mut heap = fresh(192);
    let blocks: Vec<usize> = [8, 24, 8, 40, 8]
        .map(|size| heap.kmalloc(size).unwrap())
        .to_vec();
    heap.kfree(blocks[1]);
    heap.kfree(blocks[3]);
    assert_eq!(heap.list(), "T16 F32 T16 F48 T16 F64");
    assert_eq!(heap.kmalloc(32), Some(blocks[3]));
    assert_eq!(heap.kmalloc(8), Some(blocks[1]));
}

#[test]
fn a_remainder_under_16_is_absorbed() {
    for (size, list) in [
        (24, "T32 T16 F144"),
        (16, "T32 T16 F144"),
        (8, "T16 F16 T16 F144"),
    ] {
        let mut heap = fresh(192);
        let first = heap.kmalloc(24).unwrap();
        heap.kmalloc(8).unwrap();
        heap.kfree(first);
        assert_eq!(heap.kmalloc(size), Some(8));
        assert_eq!(heap.list(), list);
    }
}

#[test]
fn an_aligned_block_leaves_a_front_gap_of_nothing_or_a_chunk() {
    let mut heap = fresh(192);
    // Offset 16 would leave 8 bytes in front, so the next multiple is taken.
    assert_eq!(heap.alloc(8, 16), Some(32));
    assert_eq!(heap.list(), "F24 T16 F152");

    let mut heap = fresh(192);
    heap.kmalloc(16).unwrap();
    assert_eq!(heap.alloc(8, 32), Some(32), "without a gap");
    assert_eq!(heap.list(), "T24 T16 F152");
    // The header at 56 would leave a gap of 16: a chunk.
    assert_eq!(heap.alloc(8, 64), Some(64));
    assert_eq!(heap.list(), "T24 T16 F16 T16 F120");
}

#[test]
fn an_aligned_request_skips_a_chunk_in_which_only_the_size_fits() {
    let mut heap = fresh(256);
    let hole = heap.kmalloc(24).unwrap();
    heap.kmalloc(8).unwrap();
    heap.kfree(hole);
    assert_eq!(
        heap.alloc(24, 64),
        Some(128),
        "64 would leave 8 bytes in front"
    );
    assert_eq!(heap.list(), "F32 T16 F72 T32 F104");
}

#[test]
fn small_alignments_place_like_kmalloc() {
    for align in [1, 2, 4, 8] {
        let mut heap = fresh(192);
        heap.kmalloc(8).unwrap();
        assert_eq!(heap.alloc(3, align), Some(24));
    }
}

#[test]
fn freeing_merges_with_both_neighbours() {
    let mut heap = fresh(192);
    let blocks: Vec<usize> = (0..4).map(|_| heap.kmalloc(8).unwrap()).collect();
    heap.kfree(blocks[0]);
    assert_eq!(heap.list(), "F16 T16 T16 T16 F128");
    heap.kfree(blocks[2]);
    assert_eq!(heap.list(), "F16 T16 F16 T16 F128");
    heap.kfree(blocks[1]);
    assert_eq!(heap.list(), "F48 T16 F128");
    heap.heap.coalesce();
    assert_eq!(heap.list(), "F48 T16 F128");
    heap.kfree(blocks[3]);
    assert_eq!(heap.list(), "F192");
}

#[test]
fn shrinking_splits_off_the_tail() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(40).unwrap();
    heap.kmalloc(8).unwrap();
    assert_eq!(heap.realloc(block, (40, 8), 33), Some(block));
    assert_eq!(heap.list(), "T48 T16 F128");
    assert_eq!(heap.realloc(block, (33, 8), 32), Some(block));
    assert_eq!(heap.list(), "T48 T16 F128", "8 bytes are no chunk");
    assert_eq!(heap.realloc(block, (32, 8), 24), Some(block));
    assert_eq!(heap.list(), "T32 F16 T16 F128");
}

#[test]
fn a_split_off_tail_merges_with_a_free_successor() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(40).unwrap();
    assert_eq!(heap.realloc(block, (40, 8), 32), Some(block));
    assert_eq!(heap.list(), "T48 F144", "8 bytes stay where they are");
    assert_eq!(heap.realloc(block, (32, 8), 8), Some(block));
    assert_eq!(heap.list(), "T16 F176");
}

#[test]
fn growing_uses_a_free_successor() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(8).unwrap();
    assert_eq!(heap.realloc(block, (8, 8), 100), Some(block));
    assert_eq!(heap.list(), "T112 F80");
    assert_eq!(heap.realloc(block, (100, 8), 176), Some(block));
    assert_eq!(heap.list(), "T192", "a remainder of 8 is absorbed");
}

#[test]
fn growing_moves_with_its_contents_where_it_must() {
    let mut heap = fresh(256);
    let block = heap.alloc(24, 32).unwrap();
    heap.kmalloc(8).unwrap();
    heap.kmalloc(8).unwrap();
    assert_eq!(heap.list(), "T24 T32 T16 F184");
    (0..24).for_each(|index| heap.arena.set(block + index, index as u8 + 1));
    assert_eq!(
        heap.realloc(block, (24, 32), 64),
        Some(96),
        "aligned as before"
    );
    assert_eq!(heap.list(), "T24 F32 T16 F16 T72 F96");
    assert!((0..24).all(|index| heap.arena.get(96 + index) == index as u8 + 1));
}

#[test]
fn a_failed_realloc_leaves_everything() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(24).unwrap();
    heap.kmalloc(8).unwrap();
    (0..24).for_each(|index| heap.arena.set(block + index, 7));
    for size in [137, 4096, usize::MAX] {
        assert_eq!(heap.realloc(block, (24, 8), size), None);
        assert_eq!(heap.list(), "T32 T16 F144");
    }
    assert!((0..24).all(|index| heap.arena.get(block + index) == 7));
}

#[test]
fn zeroed_requests_are_zeroed_to_a_multiple_of_8_and_not_beyond() {
    for aligned in [false, true] {
        let mut heap = Fixture::<Kmem>::filled(192, 0xff);
        let size = 13;
        let block = if aligned {
            heap.alloc_zeroed(size, 64)
        } else {
            heap.kzmalloc(size)
        };
        let block = block.unwrap();
        assert!((0..16).all(|index| heap.arena.get(block + index) == 0));
        assert_eq!(
            heap.arena.get(block + 16),
            if aligned { 112 } else { 168 },
            "next header"
        );
    }
    let mut heap = Fixture::<Kmem>::filled(192, 0xff);
    heap.kmalloc(13).unwrap();
    assert_eq!(heap.arena.get(8), 0xff, "not asked for");
}

#[test]
fn the_table_is_one_line_a_chunk() {
    let mut heap = fresh(64 * PAGE_SIZE);
    heap.kmalloc(24).unwrap();
    let (head, rest) = (heap.ptr(0), heap.ptr(32));
    let expected = format!(
        "{head:p}: Length = 32         Taken = true\n{rest:p}: Length = 262112     Taken = false\n"
    );
    assert_eq!(heap.table(), expected);
}

#[test]
fn it_tells_its_extent() {
    let heap = fresh(64 * PAGE_SIZE);
    assert_eq!(heap.heap.get_head(), heap.ptr(0));
    assert_eq!(heap.heap.tail(), heap.ptr(64 * PAGE_SIZE));
    assert_eq!(heap.heap.get_num_allocations(), 64);
    assert_eq!(fresh(192).heap.get_num_allocations(), 0);
}

#[test]
fn the_smallest_heap_holds_one_block() {
    let mut heap = fresh(16);
    let block = heap.kmalloc(8).unwrap();
    assert_eq!(heap.kmalloc(0), None);
    // SAFETY: the block is live.
    unsafe { heap.heap.dealloc(heap.ptr(block), layout(8, 8)) };
    assert_eq!(heap.list(), "F16");
}

#[test]
fn a_damaged_heap_is_not_followed_outside() {
    for word in [
        0,
        u64::MAX,
        1 << 62,
        u64::MAX >> 1,
        8,
        0x8000_0000_0000_0007,
    ] {
        let mut heap = fresh(192);
        let block = heap.kmalloc(8).unwrap();
        let next = heap.kmalloc(24).unwrap();
        heap.arena.set_word(next - 8, word);
        // Whatever these return, they come back and stay inside.
        let _ = heap.try_kfree(next);
        let _ = heap.kmalloc(16);
        let _ = heap.try_realloc(block, (8, 8), 48);
        let _ = heap.try_kfree(block);
        assert!(heap.guards_are_intact(), "header {word:#x}");
    }
}
