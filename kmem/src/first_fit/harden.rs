//! What the hardened variants do besides: sealing each header, and poisoning what is free.
//!
//! ```text
//! header   | 63 taken | 62 ... 48 seal | 47 ... 0 size |     the seal depends on the rest and on
//! its place free     | header | 0xa5 0xa5 0xa5 ... 0xa5          |
//! ```
//!
//! A client that overruns its block breaks the next header's seal. What would use that header is
//! then refused: freeing or resizing the block that it is of, or one beside it. One that writes
//! into what it gave back breaks the poison, which is looked at when those bytes are handed out
//! again. Who meets either while it looks for room has nobody to tell but the kernel, and panics.
//!
//! Not noticed are a write that stays inside live blocks, one that puts back what was there, one
//! into what was freed and handed out again, reads of any kind, and one header in 32,768 that is
//! overwritten at random. A seal is for accidents: an attacker who can write over a header can
//! write its seal too.
//!
//! Where blocks go is the same as in [`Kmem`](crate::Kmem), whose code this does not change.

use super::extent::Extent;
use super::side::WORD_BYTES;
use super::{FirstFit, Variant};
use crate::chunk::Header;

/// What each byte of a free chunk's payload holds in a heap that poisons.
pub const POISON: u8 = 0xa5;

const POISON_WORD: u64 = u64::from_ne_bytes([POISON; 8]);
const SEAL_SHIFT: u32 = 48;
/// The bits of a header that are its seal.
const SEAL_BITS: usize = 0x7fff << SEAL_SHIFT;

/// The seal of a header at word `at`, in its place.
const fn seal(at: usize, bits: usize) -> usize {
    // 2^64 divided by the golden ratio: each bit of the factors changes half of the upper ones.
    const MIX: usize = 0x9e37_79b9_7f4a_7c15;
    let mixed = (bits ^ at.rotate_left(24)).wrapping_mul(MIX);
    (mixed ^ mixed >> 32).wrapping_mul(MIX) >> 1 & SEAL_BITS
}

/// Seals.
impl<V: Variant> FirstFit<V> {
    /// The bits of a header that say nothing of its chunk.
    pub(super) const SEAL_BITS: usize = if V::SEALS { SEAL_BITS } else { 0 };

    /// A header as it is stored at `at`.
    #[inline]
    pub(super) const fn sealed(at: usize, header: Header) -> usize {
        if !V::SEALS {
            return header.bits();
        }
        header.bits() | seal(at, header.bits())
    }

    /// A header as it was stored, without its seal.
    #[inline]
    pub(super) const fn unsealed(bits: usize) -> Header {
        Header::from_bits(bits & !Self::SEAL_BITS)
    }

    /// Whether the header at `at` is as it was written.
    pub(super) fn is_sealed(&self, at: usize) -> bool {
        // SAFETY: every caller's `at` is less than `words`: the 8 bytes lie in the region that
        // `new` was given, and at a multiple of 8.
        let bits = unsafe { self.pointer(at).cast::<usize>().read() };
        bits == Self::sealed(at, Self::unsealed(bits))
    }

    /// Where a header lies that is not as it was written: that of a block, of what follows it, or
    /// of the hole before it that starts at `first`.
    #[inline]
    pub(super) fn broken_seal(&self, block: Extent, first: usize) -> Option<*mut u8> {
        if !V::SEALS {
            return None;
        }
        let mut beside = [block.at, block.end(), first].into_iter();
        let broken = beside.find(|&at| at < self.words && !self.is_sealed(at));
        broken.map(|at| self.pointer(at))
    }

    /// Panics if the header at `at` is not as it was written.
    #[inline]
    pub(super) fn assert_sealed(&self, at: usize) {
        if V::SEALS && !self.is_sealed(at) {
            let header = self.pointer(at);
            panic!("kmem: the header at {header:p} was overwritten (its seal is broken)");
        }
    }
}

/// Poison.
impl<V: Variant> FirstFit<V> {
    /// Poisons a block that becomes free, with the headers that are no more: its own if it is
    /// merged into the hole before it, and that of the free chunk behind it if there is one.
    #[inline]
    pub(super) fn poison_freed(&mut self, block: Extent, before: bool, after: bool) {
        let (own, behind) = (usize::from(!before), usize::from(after));
        self.poison(block.at + own, block.words - own + behind);
    }

    /// Looks at what a block of `need` words takes of a free chunk, behind a front gap.
    #[inline]
    pub(super) fn assert_untouched(&self, chunk: Extent, gap: usize, need: usize) {
        self.assert_sealed(chunk.at);
        if V::POISONS {
            let header = usize::from(gap == 0);
            let words = Self::handed_out(chunk.words - gap, need);
            self.assert_poisoned(chunk.at + gap + header, words - header);
        }
    }

    /// Poisons what a block gives back that is cut anew to `need` words of `room`, or looks at what
    /// it takes. `after` is the number of free words behind it.
    #[inline]
    pub(super) fn exchange_poison(
        &mut self,
        block: Extent,
        after: usize,
        need: usize,
        room: usize,
    ) {
        if !V::POISONS {
            return;
        }
        let end = block.at + Self::handed_out(room, need);
        if end > block.end() {
            self.assert_poisoned(block.end() + 1, end - block.end() - 1);
        } else {
            // With the header of the free chunk that is merged.
            self.poison(end, block.end() - end + usize::from(after > 0));
        }
    }

    /// Words of the chunk that a block of `need` words gets of `room`.
    const fn handed_out(room: usize, need: usize) -> usize {
        match Self::splits((room - need) * WORD_BYTES) {
            true => need,
            false => room,
        }
    }

    /// Fills so many free words, of which none is a header.
    #[inline]
    pub(super) fn poison(&mut self, at: usize, words: usize) {
        if V::POISONS {
            debug_assert!(at + words <= self.words);
            // SAFETY: every caller's words are of chunks that are free, and nobody's but this
            // instance's.
            unsafe { self.pointer(at).write_bytes(POISON, words * WORD_BYTES) };
        }
    }

    /// Panics if one of so many free words, of which none is a header, was written to.
    fn assert_poisoned(&self, at: usize, words: usize) {
        for word in at..at + words {
            let address = self.pointer(word).cast::<u64>();
            // SAFETY: every caller's words are of a free chunk, which `poison` has written.
            if unsafe { address.read() } != POISON_WORD {
                panic!(
                    "kmem: the free bytes at {address:p} were written to (their poison is gone)"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SEAL_BITS, seal};

    #[test]
    fn a_changed_bit_breaks_the_seal() {
        for (at, bits) in [(0, 32), (4, 1 << 63 | 48), (1 << 21, 262_144)] {
            let whole = seal(at, bits);
            assert_eq!(whole & !SEAL_BITS, 0);
            for bit in (0..48).chain([63]) {
                assert_ne!(seal(at, bits ^ 1 << bit), whole, "bit {bit} of {bits:#x}");
            }
            assert_ne!(seal(at + 2, bits), whole);
        }
    }
}
