//! What is filled in holds, and nothing else does.

use super::*;
use crate::trace::OPS_MAX;
use crate::trace::geometry::Geometry;
use std::vec::Vec;

/// What a block of `size` bytes must hold, byte by byte.
fn expected(pattern: Pattern, size: usize) -> Vec<u8> {
    (0..size as u64).map(|at| pattern.byte(at)).collect()
}

fn fill(pattern: Pattern, bytes: &mut [u8]) {
    // SAFETY: filling leaves no byte that is none.
    pattern.fill(unsafe { &mut *(core::ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) });
}

fn of(handle: usize) -> Pattern {
    Pattern::of(Handle(handle as u32))
}

#[test]
fn what_was_filled_holds_and_a_changed_byte_shows() {
    const BYTES: usize = 8 * 40;
    let mut memory = [0_u64; BYTES / 8 + 3];
    // SAFETY: words are bytes too.
    let (_, memory, _) = unsafe { memory.align_to_mut::<u8>() };
    for (size, start) in (0..BYTES).flat_map(|size| [(size, 8), (size, 8 + size % 8)]) {
        let pattern = of(size);
        memory.fill(0xee);
        fill(pattern, &mut memory[start..][..size]);
        let (before, rest) = memory.split_at_mut(start);
        let (block, behind) = rest.split_at_mut(size);
        assert_eq!(block, expected(pattern, size), "{size} at {start}");
        assert!(before.iter().chain(&*behind).all(|&byte| byte == 0xee));
        assert!(pattern.holds(block), "{size} at {start}");
        for at in 0..size {
            block[at] ^= 1 << (at % 8);
            assert!(!pattern.holds(block), "{size} at {start}: {at}");
            block[at] ^= 1 << (at % 8);
        }
    }
}

/// Two blocks' words at a distance of whole words differ by the same number everywhere. It is 0 at
/// one distance, modulo 2^64, and that is longer than any heap.
#[test]
fn at_a_distance_of_whole_words_every_word_differs() {
    let words_max = Geometry::BYTES_MAX as i64 / 8;
    // Newton's method, which doubles the number of right bits.
    let inverse = (0..6).fold(STEP, |inverse: u64, _| {
        inverse.wrapping_mul(2_u64.wrapping_sub(STEP.wrapping_mul(inverse)))
    });
    assert_eq!(STEP.wrapping_mul(inverse), 1);
    for handles_apart in 1..OPS_MAX {
        let apart = of(handles_apart).first.wrapping_sub(of(0).first);
        let equal_at = apart.wrapping_mul(inverse);
        assert_eq!(of(handles_apart).word(0), of(0).word(equal_at));
        let distance = (equal_at as i64).unsigned_abs();
        assert!(distance > words_max as u64, "{handles_apart} handles apart");
    }
    // Of one block: `STEP` is odd, so no two of 2^64 words are equal.
    assert_eq!(STEP % 2, 1);
}

/// At a distance of other bytes a word is put together of two. Where it is right, the one behind it
/// is right only if it is `STEP` more, which it never is: its lower bits have risen by the upper
/// ones of `STEP`, and by a carry from the bits that were cut off.
#[test]
fn at_any_other_distance_two_words_in_a_row_are_never_both_right() {
    for cut in (8..64).step_by(8) {
        let lower = u64::MAX >> cut;
        for carry in [0, 1] {
            assert_ne!(((STEP >> cut) + carry) & lower, STEP & lower, "{cut} bits");
        }
    }
}

#[test]
fn one_byte_blocks_of_neighbouring_handles_differ() {
    let bytes: Vec<_> = (0..OPS_MAX).map(|handle| of(handle).byte(0)).collect();
    // Of 256 in a row no two are equal, which is as many as there are bytes.
    for (handle, byte) in bytes.iter().enumerate() {
        let behind = &bytes[handle + 1..bytes.len().min(handle + 256)];
        assert!(!behind.contains(byte), "a{handle}");
    }
}

#[test]
fn a_block_that_is_moved_holds_and_so_does_what_is_left_of_it() {
    let mut memory = [0; 1000];
    for (from, to, size, kept) in [(0, 500, 333, 333), (3, 408, 400, 77), (400, 1, 9, 8)] {
        fill(of(7), &mut memory[from..][..size]);
        memory.copy_within(from..from + kept, to);
        assert!(of(7).holds(&memory[to..][..kept]));
        // Grown in place: what is new is filled in from the last whole word on.
        let grown = &mut memory[to..][..kept + 50];
        let (_, new) = grown.split_at_mut(kept & !7);
        fill(of(7).from(kept as u64), new);
        assert!(of(7).holds(grown));
    }
}

#[test]
fn a_store_of_a_shifted_or_stale_copy_shows() {
    const BYTES: usize = 256;
    let mine = expected(of(3), BYTES);
    for handle in 0..64 {
        let copy = expected(of(handle), 2 * BYTES);
        for shift in 0..BYTES {
            if handle == 3 && shift == 0 {
                continue;
            }
            // Two words are enough, wherever they are stored.
            for at in (0..=BYTES - 16).step_by(8) {
                let mut block = mine.clone();
                block[at..at + 16].copy_from_slice(&copy[(at + shift) % BYTES..][..16]);
                assert!(!of(3).holds(&block), "a{handle} + {shift} at {at}");
            }
        }
    }
}

#[test]
fn bytes_alike_are_a_pattern_too() {
    for byte in [0, 0xa5] {
        let mut block = [1; 29];
        fill(Pattern::repeating(byte), &mut block);
        assert_eq!(block, [byte; 29]);
        assert!(Pattern::repeating(byte).holds(&block));
        block[28] ^= 1;
        assert!(!Pattern::repeating(byte).holds(&block));
    }
}
