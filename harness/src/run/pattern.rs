//! What the client writes into its blocks: bytes that name the block and the place, so that a
//! store by anyone else shows.
//!
//! ```text
//! block   | first | first + step | first + 2 * step | ... | start of the next word |
//! bytes   0       8              16                 24   8 * n                    size
//! ```
//!
//! Shifted by whole words, two patterns differ by one number in every word; shifted by other bytes,
//! no two words in a row are right. So neither a shifted copy nor what another block held passes
//! for what was filled in.

#![allow(unsafe_code, reason = "it fills and checks blocks")]

#[cfg(test)]
mod tests;

use core::mem::MaybeUninit;

use crate::trace::op::Handle;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const STEP: u64 = 0xd6e8_feb8_6659_fd93;

/// The pattern of one handle's block. It does not depend on the block's size or address, so that
/// a realloc must carry it over as it stands.
#[derive(Clone, Copy)]
pub struct Pattern {
    first: u64,
    step: u64,
}

impl Pattern {
    /// What a zeroed block holds.
    pub const ZERO: Self = Self::repeating(0);

    /// The same byte everywhere.
    #[must_use]
    pub const fn repeating(byte: u8) -> Self {
        Self {
            first: u64::from_ne_bytes([byte; 8]),
            step: 0,
        }
    }

    /// The pattern of `handle`.
    #[must_use]
    pub const fn of(handle: Handle) -> Self {
        Self {
            first: (handle.0 as u64 + 1).wrapping_mul(SEED),
            step: STEP,
        }
    }

    /// The word at bytes `8 * index ..`.
    #[must_use]
    pub const fn word(self, index: u64) -> u64 {
        self.first.wrapping_add(index.wrapping_mul(self.step))
    }

    /// What a block holds from position `from` on, a multiple of 8.
    #[must_use]
    pub const fn from(self, from: u64) -> Self {
        Self {
            first: self.word(from / 8),
            step: self.step,
        }
    }

    /// The byte at `position`.
    #[must_use]
    pub const fn byte(self, position: u64) -> u8 {
        self.word(position / 8).to_le_bytes()[(position % 8) as usize]
    }

    /// The eight bytes from `position` on.
    #[inline]
    const fn eight(self, position: u64) -> u64 {
        let (word, bits) = (self.word(position / 8), 8 * (position % 8));
        match bits {
            0 => word,
            _ => word >> bits | word.wrapping_add(self.step) << (64 - bits),
        }
    }

    /// Writes the pattern's first bytes.
    #[inline]
    pub fn fill(self, bytes: &mut [MaybeUninit<u8>]) {
        let size = bytes.len() as u64;
        if let Some(words) = aligned_words_mut(bytes) {
            self.fill_words(words, |word| MaybeUninit::new(word.to_le()));
        } else {
            let words = bytes.as_chunks_mut::<8>().0;
            self.fill_words(words, |word| word.to_le_bytes().map(MaybeUninit::new));
        }
        if size.is_multiple_of(8) {
            return;
        }
        // What is left, as one word that may begin in the last one.
        match bytes.last_chunk_mut::<8>() {
            Some(end) => *end = self.eight(size - 8).to_le_bytes().map(MaybeUninit::new),
            None => {
                for (at, byte) in bytes.iter_mut().zip(self.first.to_le_bytes()) {
                    at.write(byte);
                }
            }
        }
    }

    #[inline]
    fn fill_words<W>(self, words: &mut [W], of: impl Fn(u64) -> W) {
        let mut word = self.first;
        for at in words {
            *at = of(word);
            word = word.wrapping_add(self.step);
        }
    }

    /// Whether these are the pattern's first bytes.
    #[inline]
    #[must_use]
    pub fn holds(self, bytes: &[u8]) -> bool {
        let size = bytes.len() as u64;
        let differences = match aligned_words(bytes) {
            Some(words) => self.differences(words, |word| u64::from_le(*word)),
            None => self.differences(bytes.as_chunks::<8>().0, |word| u64::from_le_bytes(*word)),
        };
        if size.is_multiple_of(8) {
            return differences == 0;
        }
        match bytes.last_chunk::<8>() {
            Some(end) => (differences | u64::from_le_bytes(*end) ^ self.eight(size - 8)) == 0,
            None => bytes.iter().eq(&self.first.to_le_bytes()[..bytes.len()]),
        }
    }

    /// The bits in which any of the first words differs from the pattern.
    #[inline]
    fn differences<W>(self, words: &[W], value: impl Fn(&W) -> u64) -> u64 {
        let (mut differences, mut expected) = (0, self.first);
        for word in words {
            differences |= value(word) ^ expected;
            expected = expected.wrapping_add(self.step);
        }
        differences
    }
}

/// The whole words, where a machine that reaches others byte by byte can take them as they lie.
#[inline]
fn aligned_words(bytes: &[u8]) -> Option<&[u64]> {
    if !cfg!(target_arch = "riscv64") {
        return None;
    }
    // SAFETY: any eight bytes are a word.
    let (before, words, _) = unsafe { bytes.align_to() };
    before.is_empty().then_some(words)
}

/// The same, to be filled.
#[inline]
fn aligned_words_mut(bytes: &mut [MaybeUninit<u8>]) -> Option<&mut [MaybeUninit<u64>]> {
    if !cfg!(target_arch = "riscv64") {
        return None;
    }
    // SAFETY: any eight bytes are a word.
    let (before, words, _) = unsafe { bytes.align_to_mut() };
    before.is_empty().then_some(words)
}
