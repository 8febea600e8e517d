//! What lies where: the block of a pointer and its free neighbours, found without a walk.
//!
//! A pointer is never followed. Its word is looked up in the side memory, and only a header that
//! starts a chunk there is read; what it says is checked against the next chunk's start before it
//! is used.

use super::extent::Extent;
use super::side::{SPAN_WORDS, WORD_BYTES, bit};
use super::{CHUNK_WORDS_MIN, FirstFit, Variant};
use crate::chunk::Header;
use crate::free_error::FreeError;

impl<V: Variant> FirstFit<V> {
    /// The live block whose payload starts at `ptr`.
    #[inline]
    pub(super) fn locate(&self, ptr: *mut u8) -> Option<Extent> {
        // What lies before the heap wraps, and is far behind the top.
        let offset = ptr.addr().wrapping_sub(self.head.addr());
        let at = (offset / WORD_BYTES).wrapping_sub(1);
        let top = self.side.top();
        if !offset.is_multiple_of(WORD_BYTES) || at >= top {
            return None;
        }
        if self.side.span(at / SPAN_WORDS).taken & bit(at) == 0 {
            return None;
        }
        let header = self.header(at);
        let words = header.size() / WORD_BYTES;
        let block = Extent { at, words };
        // An overwritten header gives itself away by an end at which no chunk starts.
        let is_whole = header.is_taken()
            && (CHUNK_WORDS_MIN..=top - at).contains(&words)
            && (block.end() == top || self.is_start(block.end()) || self.ends_region(block.end()));
        is_whole.then_some(block)
    }

    /// Why `locate` found no live block.
    #[cold]
    pub(super) fn why_none(&self, ptr: *mut u8) -> FreeError {
        let address = ptr.addr();
        let (head, tail) = (self.head.addr(), self.tail().addr());
        if !(head..tail).contains(&address) {
            return FreeError::Outside {
                address,
                head,
                tail,
            };
        }
        if !address.is_multiple_of(WORD_BYTES) {
            return FreeError::Misaligned { address };
        }
        // No payload starts at the head, and no chunk behind the top.
        let at = ((address - head) / WORD_BYTES).wrapping_sub(1);
        if at > self.side.top() {
            return FreeError::NoBlock { address };
        }
        // Where no chunk starts may be another owner's page, of which nothing is read.
        let size = || self.header(at).size();
        let span = self.side.span(at / SPAN_WORDS);
        if span.taken & bit(at) != 0 {
            let size = size();
            FreeError::Broken { address, size }
        } else if span.holes & bit(at) != 0 || at == self.side.top() {
            let size = size();
            FreeError::AlreadyFree { address, size }
        } else {
            FreeError::NoBlock { address }
        }
    }

    /// Whether a chunk other than the top starts at `at`, before the top.
    #[inline]
    fn is_start(&self, at: usize) -> bool {
        let span = self.side.span(at / SPAN_WORDS);
        (span.taken | span.holes) & bit(at) != 0
    }

    /// The free chunk at the heap's end.
    #[inline]
    pub(super) fn top(&self) -> Option<Extent> {
        let at = self.side.top();
        let words = self.words - at;
        (words > 0).then_some(Extent { at, words })
    }

    /// The hole that starts at `at`, unless its header was overwritten so that it would not end
    /// before the top.
    #[inline]
    pub(super) fn hole(&self, at: usize) -> Option<Extent> {
        // A header that says taken is too large. None is large enough for the sum to overflow.
        let words = self.header(at).bits() / WORD_BYTES;
        let hole = Extent { at, words };
        // It may begin behind the top, if a block was freed whose header claimed more than the
        // block.
        let is_whole = words > 0 && hole.end() <= self.side.top();
        is_whole.then_some(hole)
    }

    /// Words of the free chunk behind a block that ends before `end`; 0 if there is none.
    #[inline]
    pub(super) fn free_behind(&self, end: usize) -> usize {
        if end == self.side.top() {
            return self.words - end;
        }
        if self.side.span(end / SPAN_WORDS).holes & bit(end) == 0 {
            return 0;
        }
        self.hole(end).map_or(0, |hole| hole.words)
    }

    /// Where the hole starts that ends before the block at `at`; `at` itself if there is none.
    #[inline]
    pub(super) fn hole_before(&self, at: usize) -> usize {
        let Some(last) = at.checked_sub(1) else {
            return at;
        };
        let number = last / SPAN_WORDS;
        let span = self.side.span(number);
        let below = u64::MAX >> (SPAN_WORDS - 1 - last % SPAN_WORDS);
        let (taken, holes) = (span.taken & below, span.holes & below);
        // The chunk before is the one whose bit is the highest of both.
        if holes > taken {
            return number * SPAN_WORDS + highest(holes);
        }
        if taken != 0 {
            return at;
        }
        // It began before the span. If it is a hole, it is the one that the crossing names.
        let start = self.side.crossing(number);
        let is_hole = self.side.span(start / SPAN_WORDS).holes & bit(start) != 0;
        if is_hole && V::SEALS && !self.is_sealed(start) {
            // It may well end here: whoever asks finds out that it is not to be trusted.
            return start;
        }
        let is_hole = is_hole && self.hole(start).is_some_and(|hole| hole.end() == at);
        if is_hole { start } else { at }
    }

    /// The header of the chunk that starts at `at`.
    #[inline]
    pub(super) fn header(&self, at: usize) -> Header {
        // SAFETY: every caller's `at` is less than `words`: the 8 bytes lie in the region that
        // `new` was given, and at a multiple of 8.
        Self::unsealed(unsafe { self.pointer(at).cast::<usize>().read() })
    }

    /// The address of a word.
    #[inline]
    pub(super) fn pointer(&self, at: usize) -> *mut u8 {
        self.head.wrapping_add(at * WORD_BYTES)
    }
}

/// The number of the highest bit that is set. By halves, because the target has no instruction for
/// it, and what the compiler puts in its place takes twice as many.
#[inline]
const fn highest(bits: u64) -> usize {
    let (mut left, mut bit) = (bits, 0);
    let mut half = u64::BITS / 2;
    while half > 0 {
        if left >> half != 0 {
            left >>= half;
            bit += half as usize;
        }
        half /= 2;
    }
    bit
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn the_highest_bit() {
        for bit in 0..64 {
            assert_eq!(highest(1 << bit), bit);
            assert_eq!(highest(u64::MAX >> (63 - bit)), bit);
        }
    }
}
