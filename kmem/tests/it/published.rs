//! The heap of 2019 does what was published, bugs included.

use std::fmt;

use kmem::{Kmem2019, PAGE_SIZE};

use crate::fixture::{Fixture, layout};

fn fresh(bytes: usize) -> Fixture<Kmem2019> {
    Fixture::new(bytes)
}

#[test]
fn a_remainder_over_8_is_split_off() {
    for (size, list) in [
        (40, "T48 T16 F128"),
        (32, "T48 T16 F128"),
        (24, "T32 F16 T16 F128"),
    ] {
        let mut heap = fresh(192);
        let first = heap.kmalloc(40).unwrap();
        heap.kmalloc(8).unwrap();
        heap.kfree(first);
        assert_eq!(heap.kmalloc(size), Some(8));
        assert_eq!(heap.list(), list);
    }
}

#[test]
fn a_request_for_nothing_gets_a_bare_header() {
    let mut heap = fresh(192);
    assert_eq!(heap.kmalloc(0), Some(8));
    assert_eq!(heap.kmalloc(1), Some(16));
    assert_eq!(heap.list(), "T8 T16 F168");
}

#[test]
fn what_does_not_fit_is_null() {
    let mut heap = fresh(192);
    assert_eq!(heap.kmalloc(185), None);
    assert_eq!(heap.kmalloc(usize::MAX - 16), None);
    assert_eq!(heap.kmalloc(184), Some(8));
    assert_eq!(heap.kmalloc(0), None);
}

#[test]
fn kzmalloc_zeroes_to_a_multiple_of_8() {
    let mut heap = Fixture::<Kmem2019>::filled(192, 0xff);
    let block = heap.kzmalloc(13).unwrap();
    assert!((0..16).all(|index| heap.arena.get(block + index) == 0));
    assert_eq!(heap.arena.get(block + 16), 168, "the next header");
}

#[test]
fn alignment_is_ignored() {
    let mut heap = fresh(64 * PAGE_SIZE);
    assert_eq!(heap.alloc(8, 64), Some(8));
    assert_eq!(heap.alloc_zeroed(8, 4096), Some(24));
}

#[test]
fn the_largest_size_wraps_and_is_granted() {
    for size in [usize::MAX, usize::MAX - 6] {
        let mut heap = fresh(64 * PAGE_SIZE);
        assert_eq!(heap.kmalloc(size), Some(8));
        assert_eq!(heap.kzmalloc(size), Some(16), "zeroes nothing");
        assert_eq!(heap.list(), "T8 T8 F262128");
    }
}

#[test]
fn a_size_that_wraps_to_nothing_destroys_the_table() {
    for size in [usize::MAX - 7, usize::MAX - 14] {
        let mut heap = fresh(192);
        assert_eq!(heap.kmalloc(size), Some(8));
        assert_eq!(heap.list(), "F0");
        heap.heap.coalesce();
        assert_eq!(heap.list(), "F0", "coalesce stops there");
        heap.kfree(8);
        assert_eq!(heap.list(), "F0");
    }
}

#[test]
fn the_wrapped_remainder_may_still_fit_the_chunk() {
    let mut heap = fresh(192);
    assert_eq!(heap.kmalloc(184), Some(8));
    heap.kfree(8);
    assert_eq!(heap.kmalloc(176), Some(8), "a remainder of 8 is absorbed");
    assert_eq!(heap.list(), "T192");
}

#[test]
fn one_pass_leaves_free_neighbours() {
    let mut heap = fresh(192);
    let blocks: Vec<usize> = (0..3).map(|_| heap.kmalloc(8).unwrap()).collect();
    heap.kfree(blocks[0]);
    assert_eq!(heap.list(), "F16 T16 T16 F144");
    heap.kfree(blocks[2]);
    assert_eq!(heap.list(), "F16 T16 F160");
    heap.kfree(blocks[1]);
    assert_eq!(heap.list(), "F32 F160", "the merged chunk is stepped past");
    assert_eq!(heap.kmalloc(184), None, "although the heap is empty");
    heap.heap.coalesce();
    assert_eq!(heap.list(), "F192");
}

#[test]
fn coalesce_stops_when_the_next_header_is_past_the_tail() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(8).unwrap();
    heap.kmalloc(8).unwrap();
    heap.arena.set_word(32, u64::MAX >> 1);
    heap.kfree(block);
    assert_eq!(heap.list(), format!("F16 T16 F{}", u64::MAX >> 1));
}

#[test]
fn kfree_trusts_its_pointer() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(24).unwrap();
    heap.kmalloc(8).unwrap();
    heap.kfree(block);
    heap.kfree(block);
    assert_eq!(heap.list(), "F32 T16 F144");
    heap.arena.set_word(24, u64::MAX);
    // No header, and not even aligned: bit 63 of the word 8 bytes below is cleared all the same.
    heap.kfree(32);
    assert_eq!(heap.arena.get(31), 0x7f);
    heap.kfree(30);
    assert_eq!(heap.arena.get(29), 0x7f);
}

#[test]
fn kfree_of_null_does_nothing() {
    let mut heap = fresh(192);
    heap.kmalloc(8).unwrap();
    // SAFETY: null is allowed.
    unsafe { heap.heap.kfree(std::ptr::null_mut()) };
    assert_eq!(heap.list(), "T16 F176");
}

#[test]
fn realloc_always_moves() {
    let mut heap = fresh(192);
    let block = heap.kmalloc(24).unwrap();
    (0..24).for_each(|index| heap.arena.set(block + index, index as u8));
    assert_eq!(heap.realloc(block, (24, 8), 16), Some(40));
    assert_eq!(heap.list(), "F32 T24 F136");
    assert!((0..16).all(|index| heap.arena.get(40 + index) == index as u8));
    assert_eq!(heap.realloc(40, (16, 8), 200), None);
    assert_eq!(heap.list(), "F32 T24 F136");
    // SAFETY: the block is live.
    unsafe { heap.heap.dealloc(heap.ptr(40), layout(16, 8)) };
    assert_eq!(heap.list(), "F56 F136");
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
    assert_eq!(heap.heap.get_head(), head);
    assert_eq!(heap.heap.tail(), heap.ptr(64 * PAGE_SIZE));
    assert_eq!(heap.heap.get_num_allocations(), 64);
}

/// Takes so many lines, then reports an error.
struct Lines(usize);

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self
            .0
            .checked_sub(text.matches('\n').count())
            .ok_or(fmt::Error)?;
        Ok(())
    }
}

#[test]
fn printing_a_chunk_of_size_zero_ends_by_the_writers_error_only() {
    let mut heap = fresh(192);
    heap.kmalloc(usize::MAX - 7).unwrap();
    assert_eq!(heap.heap.print_table(&mut Lines(100)), Err(fmt::Error));
    let mut heap = fresh(192);
    heap.kmalloc(8).unwrap();
    assert_eq!(heap.heap.print_table(&mut Lines(2)), Ok(()));
}
