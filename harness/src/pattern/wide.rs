//! Patterns written and compared 64 bytes at a time, where the processor has AVX-512.
//!
//! Bytes that a block does not have are masked out, so that blocks of fewer than 256 bytes are compared without
//! a branch that depends on their size, which the processor could not foretell. What is masked out is not
//! accessed, wherever it lies.

use core::arch::x86_64::{
    __m512i, _bzhi_u64, _mm512_add_epi64, _mm512_loadu_epi8, _mm512_mask_loadu_epi8,
    _mm512_mask_storeu_epi8, _mm512_or_si512, _mm512_set_epi64, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_storeu_epi8, _mm512_test_epi64_mask, _mm512_xor_si512,
};

use super::Pattern;

/// Bytes, and words, of a register.
const BYTES: u64 = 64;
const WORDS: u64 = BYTES / 8;
/// Registers that are compared between two branches.
const REGISTERS: u64 = 4;

/// Says that the processor has what is used here.
#[derive(Clone, Copy)]
pub(super) struct Wide(());

impl Wide {
    /// On a processor that has it.
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        (std::is_x86_feature_detected!("avx512bw") && std::is_x86_feature_detected!("bmi2"))
            .then_some(Self(()))
    }

    /// Whether each of these blocks, of so many bytes, holds its pattern.
    ///
    /// # Safety
    /// All those bytes may be read.
    #[inline]
    pub(super) unsafe fn all_hold(
        self,
        blocks: impl Iterator<Item = (Pattern, *const u8, u64)>,
    ) -> bool {
        // SAFETY: the caller's promise, and the processor has what it takes.
        unsafe { all_hold(blocks) }
    }

    /// Writes the first `size` bytes of a block.
    ///
    /// # Safety
    /// The block has so many bytes, and they may be written.
    #[inline]
    pub(super) unsafe fn fill(self, pattern: Pattern, block: *mut u8, size: u64) {
        // SAFETY: as above.
        unsafe { fill(pattern, block, size) }
    }
}

#[target_feature(enable = "avx512bw,bmi2")]
unsafe fn all_hold(blocks: impl Iterator<Item = (Pattern, *const u8, u64)>) -> bool {
    for (pattern, block, size) in blocks {
        // SAFETY: the caller's promise.
        let differences = unsafe { compare(pattern, block, size) };
        if _mm512_test_epi64_mask(differences, differences) != 0 {
            return false;
        }
    }
    true
}

#[target_feature(enable = "avx512bw,bmi2")]
#[inline]
unsafe fn compare(pattern: Pattern, block: *const u8, size: u64) -> __m512i {
    let (mut at, mut left) = (block, size);
    let mut words = first_words(pattern);
    let mut differences = _mm512_setzero_si512();
    while left >= REGISTERS * BYTES {
        for _ in 0..REGISTERS {
            // SAFETY: these bytes are left.
            let found = unsafe { _mm512_loadu_epi8(at.cast()) };
            differences = _mm512_or_si512(differences, _mm512_xor_si512(found, words));
            (at, words) = (at.wrapping_add(BYTES as usize), next_words(pattern, words));
        }
        left -= REGISTERS * BYTES;
    }
    for _ in 0..REGISTERS {
        // SAFETY: the mask admits the bytes that are left; in the place of others comes the pattern.
        let found = unsafe { _mm512_mask_loadu_epi8(words, mask(left), at.cast()) };
        differences = _mm512_or_si512(differences, _mm512_xor_si512(found, words));
        (at, words) = (at.wrapping_add(BYTES as usize), next_words(pattern, words));
        left = left.saturating_sub(BYTES);
    }
    differences
}

#[target_feature(enable = "avx512bw,bmi2")]
unsafe fn fill(pattern: Pattern, block: *mut u8, size: u64) {
    let (mut at, mut left) = (block, size);
    let mut words = first_words(pattern);
    while left >= BYTES {
        // SAFETY: these bytes are left.
        unsafe { _mm512_storeu_epi8(at.cast(), words) };
        (at, words) = (at.wrapping_add(BYTES as usize), next_words(pattern, words));
        left -= BYTES;
    }
    // SAFETY: the mask admits the bytes that are left.
    unsafe { _mm512_mask_storeu_epi8(at.cast(), mask(left), words) };
}

/// The mask of the first `count` bytes, or of all that a register has. Of `count` the processor takes eight
/// bits, so it must be below 256.
#[target_feature(enable = "bmi2")]
#[inline]
fn mask(count: u64) -> u64 {
    debug_assert!(count < REGISTERS * BYTES);
    _bzhi_u64(u64::MAX, count as u32)
}

/// The pattern's first words.
#[target_feature(enable = "avx512f")]
#[inline]
fn first_words(pattern: Pattern) -> __m512i {
    let [a, b, c, d, e, f, g, h] = core::array::from_fn(|index| pattern.word(index as u64) as i64);
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

/// The words behind these.
#[target_feature(enable = "avx512f")]
#[inline]
fn next_words(pattern: Pattern, words: __m512i) -> __m512i {
    let steps = pattern.step.wrapping_mul(WORDS);
    _mm512_add_epi64(words, _mm512_set1_epi64(steps as i64))
}
