//! Zeroing: by words for the correct generation, and in a way that stays well behaved when the
//! published one asks for far too much.

#![allow(unsafe_code, reason = "it writes raw memory")]

use core::hint::black_box;

use crate::align::PAGE_SIZE;

/// Stores zeroes into `words` words of 8 bytes from `start` on.
///
/// # Safety
///
/// So many words from `start`, a multiple of 8, may be overwritten.
#[cfg(not(target_arch = "riscv64"))]
#[inline]
pub(crate) unsafe fn zero_words(start: *mut u8, words: usize) {
    // Here the system's `memset` knows the processor.
    // SAFETY: exactly the caller's promise.
    unsafe { start.write_bytes(0, words * size_of::<u64>()) };
}

#[cfg(target_arch = "riscv64")]
pub(crate) use store_words as zero_words;

/// Words that are stored without a branch between them.
#[cfg(any(target_arch = "riscv64", test))]
const UNROLLED: usize = 8;

/// Stores zeroes into `words` words of 8 bytes from `start` on.
///
/// The `memset` of a bare-metal program takes three instructions a word, this takes 1.25. The
/// stores are volatile, or the compiler would see a `memset` in them.
///
/// # Safety
///
/// So many words from `start`, a multiple of 8, may be overwritten.
#[cfg(any(target_arch = "riscv64", test))]
#[inline]
pub(crate) unsafe fn store_words(start: *mut u8, words: usize) {
    let mut at = start.cast::<u64>();
    let end = at.wrapping_add(words);
    let unrolled_end = at.wrapping_add(words - words % UNROLLED);
    while at != unrolled_end {
        for lane in 0..UNROLLED {
            // SAFETY: before `unrolled_end`, and so one of the caller's words.
            unsafe { at.wrapping_add(lane).write_volatile(0) };
        }
        at = at.wrapping_add(UNROLLED);
    }
    while at != end {
        // SAFETY: before `end`, and so one of the caller's words.
        unsafe { at.write_volatile(0) };
        at = at.wrapping_add(1);
    }
}

/// Stores `bytes` zeroes from `start` upwards.
///
/// Not a plain `write_bytes`: its count may exceed every object (a wrapped size), and then the
/// optimiser or a library `memset` would be free to store anywhere first. Here stores go upwards a
/// page at a time, so that an overrun reaches the heap's guard and nothing else.
///
/// # Safety
///
/// Every byte of `[start, start + bytes)` up to the first that faults may be overwritten.
pub(crate) unsafe fn zero_upwards(start: *mut u8, bytes: usize) {
    let mut at = start;
    let mut left = bytes;
    while left > 0 {
        let step = left.min(PAGE_SIZE);
        // SAFETY: the caller gives up these bytes; a step reaches at most one page past the last
        // byte that was stored without a fault.
        unsafe { at.write_bytes(0, step) };
        // Opaque, so that the steps are not fused into one store of the whole length.
        at = black_box(at.wrapping_add(step));
        left -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_words_and_no_other_are_zeroed() {
        for zero in [zero_words, store_words] {
            for words in 0..20 {
                let mut memory = [u64::MAX; 22];
                // SAFETY: at most 19 words, from the second of 22 on.
                unsafe { zero(memory.as_mut_ptr().add(1).cast(), words) };
                let zeroed = |word: usize| (1..=words).contains(&word);
                for (word, value) in memory.into_iter().enumerate() {
                    assert_eq!(value == 0, zeroed(word), "{words} words: {word}");
                }
            }
        }
    }
}
