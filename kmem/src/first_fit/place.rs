//! Where a new block goes: the search for a chunk, and the cutting of it.

use core::ptr::null_mut;

use super::extent::Extent;
use super::side::{self, WORD_BYTES};
use super::{CHUNK_BYTES_MIN, CHUNK_WORDS_MIN, FirstFit, PAYLOAD_BYTES_MIN, Variant};
use crate::chunk::HEADER_BYTES;
use crate::zero::zero_words;

impl<V: Variant> FirstFit<V> {
    #[inline]
    pub(super) fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        let Some(need) = Self::chunk_words(size) else {
            return null_mut();
        };
        if align > PAYLOAD_BYTES_MIN {
            return self.place_elsewhere(need, align);
        }
        let Some(stretch) = self.side.maxima.first(need) else {
            return self.place_at_top(need);
        };
        match self.first_hole(stretch, need) {
            Some(hole) => self.take(hole, 0, need, false),
            // Its header was overwritten: there may be others.
            None => self.place_elsewhere(need, align),
        }
    }

    /// Places a block of so many words that fits no hole.
    #[inline(never)]
    fn place_at_top(&mut self, need: usize) -> *mut u8 {
        let top = self.top();
        match top.filter(|top| top.words >= need) {
            Some(top) => self.take(top, 0, need, true),
            None => null_mut(),
        }
    }

    /// Places a block whose place depends on more than its size.
    #[inline(never)]
    fn place_elsewhere(&mut self, need: usize, align: usize) -> *mut u8 {
        let found = self.find(need, align);
        found.map_or(null_mut(), |(chunk, gap)| {
            self.take(chunk, gap, need, chunk.end() >= self.words)
        })
    }

    /// Makes a block of `need` words in a free chunk, behind a front gap. `last` says that the
    /// chunk is the top.
    #[inline]
    fn take(&mut self, chunk: Extent, gap: usize, need: usize, last: bool) -> *mut u8 {
        let at = chunk.at + gap;
        self.assert_untouched(chunk, gap, need);
        self.settle(at, need, chunk.words - gap, last);
        if gap > 0 {
            self.cut_front(chunk, gap);
        }
        if !last {
            self.settle_largest(chunk);
        }
        self.pointer(at).wrapping_add(HEADER_BYTES)
    }

    pub(super) fn place_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = self.place(size, align);
        if block.is_null() {
            return block;
        }
        let words = size.div_ceil(WORD_BYTES);
        // SAFETY: the block, at a multiple of 8, was just handed out with at least the size rounded
        // up to 8.
        unsafe { zero_words(block, words) };
        block
    }

    /// The lowest hole of at least so many words in an open stretch.
    #[inline]
    fn first_hole(&self, stretch: usize, least: usize) -> Option<Extent> {
        for span in side::spans_of(stretch) {
            for at in self.side.holes(span) {
                self.assert_sealed(at);
                let hole = self.hole(at).filter(|hole| hole.words >= least);
                if hole.is_some() {
                    return hole;
                }
            }
        }
        None
    }

    /// The lowest free chunk for an aligned block of so many words, and the words of the front gap
    /// in it: each that is large enough is tried.
    fn find(&self, need: usize, align: usize) -> Option<(Extent, usize)> {
        let mut found = self.side.maxima.first(need);
        while let Some(stretch) = found {
            for at in side::spans_of(stretch).flat_map(|span| self.side.holes(span)) {
                self.assert_sealed(at);
                let Some(hole) = self.hole(at).filter(|hole| hole.words >= need) else {
                    continue;
                };
                if let Some(gap) = self.gap_in(hole, need, align) {
                    return Some((hole, gap));
                }
            }
            found = self.side.maxima.next(stretch, need);
        }
        let top = self.top().filter(|top| top.words >= need)?;
        Some((top, self.gap_in(top, need, align)?))
    }

    /// Words of the front gap with which a block that needs so many fits into a free chunk.
    #[inline]
    fn gap_in(&self, chunk: Extent, need: usize, align: usize) -> Option<usize> {
        if align <= PAYLOAD_BYTES_MIN {
            return Some(0);
        }
        let gap = self.gap_at(chunk.at, align)?;
        let gap_max = chunk.words.saturating_sub(need);
        (gap <= gap_max).then_some(gap)
    }

    /// Words of the front gap of a block in a free chunk that starts at `at`, however long that is.
    #[inline]
    pub(super) fn gap_at(&self, at: usize, align: usize) -> Option<usize> {
        Some(Self::front_gap(self.pointer(at).addr(), align)? / WORD_BYTES)
    }

    /// Makes the first `gap` words of a free chunk a free chunk of their own.
    #[inline(never)]
    fn cut_front(&mut self, chunk: Extent, gap: usize) {
        self.put_hole(Extent {
            at: chunk.at,
            words: gap,
        });
    }

    /// Makes the `room` words at `at` a taken chunk of `need` words and a free remainder, or one
    /// taken chunk if the remainder would be too small. `last` says that the room ends with the
    /// heap.
    #[inline]
    pub(super) fn settle(&mut self, at: usize, need: usize, room: usize, last: bool) {
        let is_split = Self::splits((room - need) * WORD_BYTES);
        let words = if is_split { need } else { room };
        if is_split {
            self.split_off(at + words, room - words, last);
        } else if last {
            self.side.set_top(self.words);
        }
        self.put_taken(Extent { at, words });
    }

    /// Makes what is left behind a block a free chunk.
    #[inline]
    fn split_off(&mut self, at: usize, words: usize, last: bool) {
        let remainder = Extent { at, words };
        match last {
            true => self.put_top(remainder),
            false => self.put_hole(remainder),
        }
    }

    /// Whether a remainder of so many bytes becomes a chunk of its own.
    pub(super) const fn splits(remainder: usize) -> bool {
        remainder >= CHUNK_BYTES_MIN
    }

    /// Words of the chunk for a request, or nothing if that overflows.
    #[inline]
    pub(super) fn chunk_words(size: usize) -> Option<usize> {
        let bytes = size.checked_add(HEADER_BYTES + WORD_BYTES - 1)?;
        Some((bytes / WORD_BYTES).max(CHUNK_WORDS_MIN))
    }

    /// Bytes from a free chunk at address `chunk` to the lowest header in it whose payload is
    /// aligned and which leaves room for a whole chunk, or nothing, in front of it.
    fn front_gap(chunk: usize, align: usize) -> Option<usize> {
        let payload = chunk + HEADER_BYTES;
        let aligned = payload.checked_add(align - 1)? & !(align - 1);
        let gap = aligned - payload;
        if gap == 0 || gap >= CHUNK_BYTES_MIN {
            Some(gap)
        } else {
            gap.checked_add(align)
        }
    }
}
