//! The hardened heaps: they place as the plain one does, and each notices of what a client writes
//! where it must not what it is there for, and no more.

use kmem::{FirstFit, FreeError, Hardening, Kmem, Variant};

use crate::fixture::{Fixture, panic_of};

type Heap<V> = Fixture<FirstFit<V>>;
type Plain = Hardening<false, false>;
type Sealed = Hardening<true, false>;
type Poisoned = Hardening<false, true>;
type Hardened = Hardening<true, true>;

const HEAP: usize = 4096;

/// Blocks of 24 bytes at 8, 40 and 72, the last of which ends before the top.
fn three<V: Variant>() -> Heap<V> {
    let mut heap = Heap::filled(HEAP, 0x11);
    for at in [8, 40, 72] {
        assert_eq!(heap.kmalloc(24), Some(at));
    }
    heap
}

fn places_as_the_plain_one<V: Variant>() {
    let mut heap = three::<V>();
    assert_eq!(heap.list(), "T32 T32 T32 F4000");
    heap.kfree(40);
    assert_eq!(heap.list(), "T32 F32 T32 F4000");
    assert_eq!(heap.kzmalloc(16), Some(40));
    assert_eq!(heap.alloc(8, 256), Some(256));
    assert_eq!(heap.realloc(72, (24, 8), 100), Some(72));
    assert_eq!(heap.realloc(72, (100, 8), 8), Some(72));
    [8, 40, 72, 256].into_iter().for_each(|at| heap.kfree(at));
    assert_eq!(heap.list(), "F4096");
    assert!(heap.heap.audit());
    assert_eq!(size_of::<FirstFit<V>>(), size_of::<Kmem>());
}

#[test]
fn their_tables_are_the_plain_heaps() {
    places_as_the_plain_one::<Plain>();
    places_as_the_plain_one::<Sealed>();
    places_as_the_plain_one::<Poisoned>();
    places_as_the_plain_one::<Hardened>();
}

/// An overrun into the header behind a block: all of it, and two sizes that another chunk could
/// have.
fn refuses_an_overrun<V: Variant>() {
    for word in [u64::MAX, 1 << 63 | 32, 1 << 63 | 64] {
        for freed in [8, 40] {
            let mut heap = three::<V>();
            heap.arena.set_word(32, word);
            let block = heap.ptr(freed).addr();
            match heap.try_kfree(freed).unwrap_err() {
                FreeError::SealBroken { address, header } => {
                    assert_eq!((address, header), (block, heap.ptr(32).addr()));
                }
                // The plain heap's own check comes first.
                FreeError::Broken { address, .. } => assert_eq!((address, freed), (block, 40)),
                error => panic!("{error}"),
            }
            assert_eq!(heap.try_kfree(72), Ok(()), "that has nothing to do with it");
        }
    }
}

/// One that claims the block behind as well is taken at its word.
fn takes_an_overrun<V: Variant>() {
    let mut heap = three::<V>();
    heap.arena.set_word(32, 1 << 63 | 64);
    assert_eq!(heap.try_kfree(40), Ok(()));
    assert_eq!(heap.kmalloc(48), Some(40), "over the live block at 72");
}

#[test]
fn a_seal_notices_an_overrun_at_the_free_of_either_block() {
    refuses_an_overrun::<Sealed>();
    refuses_an_overrun::<Hardened>();
    takes_an_overrun::<Poisoned>();
    takes_an_overrun::<Plain>();
}

fn trusts_no_free_chunk_without_seal<V: Variant>() {
    for word in [u64::MAX, 64, 1 << 63 | 32] {
        let mut heap = three::<V>();
        heap.kfree(40);
        heap.arena.set_word(32, word);
        for block in [8, 72] {
            let error = heap.try_kfree(block).unwrap_err();
            assert!(matches!(error, FreeError::SealBroken { .. }), "{error}");
            assert!(error.to_string().contains("its seal is broken"), "{error}");
            // Nor is it moved, to where the header would not be looked at.
            let before = heap.list();
            assert_eq!(heap.try_realloc(block, (24, 8), 100), Err(error));
            assert_eq!(heap.list(), before);
        }
        let broken = format!(
            "the header at {:p} was overwritten (its seal is broken)",
            heap.ptr(32)
        );
        let messages = [
            panic_of(|| _ = heap.kmalloc(8)),
            panic_of(|| _ = heap.alloc(8, 16)),
            panic_of(|| _ = heap.realloc(8, (24, 8), 48)),
        ];
        for message in messages {
            assert!(message.contains(&broken), "{message}");
        }
    }
}

#[test]
fn a_free_chunk_whose_seal_is_broken_is_not_merged_and_not_handed_out() {
    trusts_no_free_chunk_without_seal::<Sealed>();
    trusts_no_free_chunk_without_seal::<Hardened>();
}

/// A hole that begins in another span than the block behind it is found in another way.
#[test]
fn a_large_free_chunk_whose_seal_is_broken_is_not_merged_either() {
    let mut heap = Heap::<Sealed>::new(HEAP);
    assert_eq!(heap.kmalloc(1016), Some(8));
    assert_eq!(heap.kmalloc(24), Some(1032));
    heap.kfree(8);
    heap.arena.set_word(0, 512);
    let error = heap.try_kfree(1032).unwrap_err();
    let header = heap.ptr(0).addr();
    assert!(matches!(error, FreeError::SealBroken { header: at, .. } if at == header));
}

fn notices_a_write_after_free<V: Variant>() {
    // Of each panic Miri makes a second's work.
    for at in (40..64).step_by(if cfg!(miri) { 23 } else { 1 }) {
        let mut heap = three::<V>();
        heap.kfree(40);
        heap.arena.set(at, 0);
        // A block that needs none of those bytes is handed out.
        assert_eq!(heap.kmalloc(32), Some(104));
        let message = panic_of(|| _ = heap.kmalloc(24));
        let word = heap.ptr(at / 8 * 8);
        let written = format!("the free bytes at {word:p} were written to");
        assert!(message.contains(&written), "{message}");
    }
    let mut heap = three::<V>();
    heap.kfree(40);
    heap.arena.set(40, 0);
    let message = panic_of(|| _ = heap.realloc(8, (24, 8), 48));
    assert!(message.contains("were written to"), "{message}");
}

fn lets_a_write_after_free_pass<V: Variant>() {
    let mut heap = three::<V>();
    heap.kfree(40);
    heap.arena.set(40, 0);
    assert_eq!(heap.kmalloc(24), Some(40));
}

#[test]
fn poison_notices_a_write_after_free_when_the_bytes_are_handed_out_again() {
    notices_a_write_after_free::<Poisoned>();
    notices_a_write_after_free::<Hardened>();
    lets_a_write_after_free_pass::<Sealed>();
    lets_a_write_after_free_pass::<Plain>();
}

#[test]
fn the_old_header_of_a_merged_chunk_is_poison_too() {
    let mut heap = three::<Hardened>();
    [8, 72, 40].into_iter().for_each(|at| heap.kfree(at));
    assert_eq!(heap.kmalloc(HEAP - 8), Some(8));
    let held = (16..HEAP).map(|at| heap.arena.get(at));
    assert!(held.into_iter().all(|byte| byte == kmem::POISON));
}
