//! What the correct generation refuses to free, and that it changes nothing then.

use std::error::Error;
use std::ptr::{null_mut, without_provenance_mut};

use kmem::{FreeError, Kmem};

use crate::fixture::{Fixture, panic_of};

/// A heap with a free chunk, two blocks, and a free rest.
fn heap() -> Fixture<Kmem> {
    let mut heap = Fixture::new(192);
    let blocks: Vec<usize> = (0..3).map(|_| heap.kmalloc(24).unwrap()).collect();
    heap.kfree(blocks[0]);
    assert_eq!(heap.list(), "F32 T32 T32 F96");
    heap
}

fn refused(offset: usize) -> FreeError {
    let mut heap = heap();
    let error = heap.try_kfree(offset).expect_err("a refusal was due");
    assert_eq!(heap.list(), "F32 T32 T32 F96", "offset {offset}");
    error
}

#[test]
fn outside() {
    for offset in [192, 200, 1 << 40, 0usize.wrapping_sub(8), 193] {
        assert!(
            matches!(refused(offset), FreeError::Outside { .. }),
            "offset {offset:#x}"
        );
    }
    let wild = without_provenance_mut(8);
    // SAFETY: no block starts there.
    let error = unsafe { heap().heap.try_kfree(wild) };
    assert!(matches!(error, Err(FreeError::Outside { address: 8, .. })));
}

#[test]
fn misaligned() {
    for offset in [1, 39, 41, 44, 191] {
        assert!(
            matches!(refused(offset), FreeError::Misaligned { .. }),
            "offset {offset}"
        );
    }
}

#[test]
fn no_block() {
    // Headers, interiors of blocks and of free chunks, the last word of the heap.
    for offset in [0, 16, 32, 48, 56, 64, 80, 112, 184] {
        assert!(
            matches!(refused(offset), FreeError::NoBlock { .. }),
            "offset {offset}"
        );
    }
}

#[test]
fn already_free() {
    for offset in [8, 104] {
        assert!(
            matches!(refused(offset), FreeError::AlreadyFree { .. }),
            "offset {offset}"
        );
    }
}

#[test]
fn a_double_free_after_a_merge() {
    let mut heap = heap();
    heap.kfree(40);
    assert_eq!(heap.list(), "F64 T32 F96");
    assert!(matches!(heap.try_kfree(40), Err(FreeError::NoBlock { .. })));
    assert_eq!(heap.list(), "F64 T32 F96");
}

#[test]
fn an_overwritten_header() {
    let mut heap = heap();
    heap.arena.set_word(32, u64::MAX);
    assert!(matches!(heap.try_kfree(40), Err(FreeError::Broken { .. })));
    assert_eq!(
        heap.try_kfree(72),
        Ok(()),
        "the next block's header is its own"
    );
}

#[test]
fn null_is_no_refusal() {
    let mut heap = heap();
    // SAFETY: null does nothing.
    assert_eq!(unsafe { heap.heap.try_kfree(null_mut()) }, Ok(()));
    assert_eq!(heap.list(), "F32 T32 T32 F96");
}

#[test]
fn kfree_and_realloc_panic_with_the_error() {
    let mut heap = heap();
    let error = heap.try_kfree(48).unwrap_err();
    assert_eq!(panic_of(|| heap.kfree(48)), format!("kfree: {error}"));
    assert_eq!(heap.try_realloc(48, (8, 8), 8), Err(error));
    let panic = panic_of(|| _ = heap.realloc(48, (8, 8), 8));
    assert_eq!(panic, format!("realloc: {error}"));
    assert_eq!(heap.list(), "F32 T32 T32 F96");
}

/// A free chunk that claims a live block gives its place away while the block moves.
#[test]
fn a_block_whose_place_was_taken_for_free_is_no_block_any_more() {
    let mut heap = Fixture::<Kmem>::new(192);
    for (size, at) in [(24, 8), (8, 40), (24, 56)] {
        assert_eq!(heap.kmalloc(size), Some(at));
    }
    heap.kfree(8);
    heap.arena.set_word(0, 48);
    let error = heap.try_realloc(40, (8, 8), 24).unwrap_err();
    assert!(matches!(error, FreeError::AlreadyFree { size: 16, .. }));
    assert_eq!(heap.list(), "T32 F16 T32 F112");
}

#[test]
fn the_message_names_the_address_and_what_is_there() {
    let error: Box<dyn Error> = Box::new(FreeError::NoBlock { address: 0x1010 });
    let text = "0x1010: no block starts there (interior, or freed before)";
    assert_eq!(error.to_string(), text);
}
