//! Where a new block goes: the search for a chunk, and the cutting of it.

use core::ptr::null_mut;

use super::extent::Extent;
use super::side::{self, WORD_BYTES};
use super::{CHUNK_BYTES_MIN, FirstFit, PAYLOAD_BYTES_MIN};
use crate::align::PAGE_SIZE;
use crate::chunk::HEADER_BYTES;
use crate::defect;
use crate::zero::zero_words;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    #[inline]
    pub(super) fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        let Some(need) = Self::chunk_words(size) else {
            return null_mut();
        };
        let align = match DEFECT {
            defect::ALIGNMENT_IGNORED => PAYLOAD_BYTES_MIN,
            defect::ALIGN_AT_MOST_64 => align.min(64),
            _ => align,
        };
        if align > PAYLOAD_BYTES_MIN || Self::searches_otherwise() {
            return self.place_elsewhere(need, align);
        }
        let Some(stretch) = self.side.maxima.first(Self::least_words(need)) else {
            return self.place_at_top(need);
        };
        match self.first_hole(stretch, Self::least_words(need)) {
            Some(hole) => self.take(hole, 0, need, false),
            // Its header was overwritten: there may be others.
            None => self.place_elsewhere(need, align),
        }
    }

    /// Places a block of so many words that fits no hole.
    #[inline(never)]
    fn place_at_top(&mut self, need: usize) -> *mut u8 {
        let top = self.top();
        match top.filter(|top| top.words >= Self::least_words(need)) {
            Some(top) => self.take(top, 0, need, true),
            None => null_mut(),
        }
    }

    /// Places a block whose place depends on more than its size.
    #[inline(never)]
    fn place_elsewhere(&mut self, need: usize, align: usize) -> *mut u8 {
        let found = match Self::searches_otherwise() {
            true => self.find_otherwise(need, align),
            false => self.find(need, align),
        };
        found.map_or(null_mut(), |(chunk, gap)| {
            self.take(chunk, gap, need, chunk.end() >= self.words)
        })
    }

    /// Makes a block of `need` words in a free chunk, behind a front gap. `last` says that the chunk is
    /// the top.
    #[inline]
    fn take(&mut self, chunk: Extent, gap: usize, need: usize, last: bool) -> *mut u8 {
        if Self::has(defect::PANIC) && chunk.words == need && self.chunks().any(|other| other.taken)
        {
            panic!("planted defect: exact fit of {need} words");
        }
        let at = chunk.at + gap;
        let room = match DEFECT {
            // These take chunks that are too small.
            defect::FIT_8_TOO_SMALL | defect::FRONT_GAP_NOT_COUNTED => {
                (chunk.words - gap).max(need)
            }
            _ => chunk.words - gap,
        };
        self.assert_untouched(chunk, gap, need);
        self.settle(at, need, room, last);
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
        let is_aligned_more = align > PAYLOAD_BYTES_MIN;
        if block.is_null()
            || Self::has(defect::NOT_ZEROED)
            || Self::has(defect::ALIGNED_NOT_ZEROED) && is_aligned_more
        {
            return block;
        }
        // This cannot overflow, since `chunk_words` added more.
        let rounded = size.next_multiple_of(8);
        let left = self.tail().addr() - block.addr();
        let bytes = match DEFECT {
            defect::ZEROES_8_TOO_LITTLE => rounded.saturating_sub(8),
            defect::ZEROES_WHOLE_WORDS_ONLY => size & !7,
            defect::ZEROES_A_PAGE_AT_MOST => rounded.min(PAGE_SIZE),
            defect::HEADER_OVERWRITTEN if rounded < left => rounded + HEADER_BYTES,
            _ => rounded,
        };
        // SAFETY: the block, at a multiple of 8, was just handed out with at least the size rounded up to 8.
        unsafe { zero_words(block, bytes / WORD_BYTES) };
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

    /// The lowest free chunk for an aligned block of so many words, and the words of the front gap in
    /// it: each that is large enough is tried.
    pub(super) fn find(&self, need: usize, align: usize) -> Option<(Extent, usize)> {
        let least = Self::least_words(need);
        let mut found = self.side.maxima.first(least);
        while let Some(stretch) = found {
            for at in side::spans_of(stretch).flat_map(|span| self.side.holes(span)) {
                self.assert_sealed(at);
                let Some(hole) = self.hole(at).filter(|hole| hole.words >= least) else {
                    continue;
                };
                if let Some(gap) = self.gap_in(hole, need, align) {
                    return Some((hole, gap));
                }
                if Self::has(defect::ALIGNED_TRIES_ONE_CHUNK) {
                    return None;
                }
            }
            found = self.side.maxima.next(stretch, least);
        }
        let top = self.top().filter(|top| top.words >= least)?;
        Some((top, self.gap_in(top, need, align)?))
    }

    /// Words of the smallest free chunk that is looked at for a block that needs so many.
    const fn least_words(need: usize) -> usize {
        match DEFECT {
            defect::EXACT_FIT_REFUSED => need + 1,
            defect::FIT_8_TOO_SMALL => need - 1,
            _ => need,
        }
    }

    /// Words of the front gap with which a block that needs so many fits into a free chunk.
    #[inline]
    pub(super) fn gap_in(&self, chunk: Extent, need: usize, align: usize) -> Option<usize> {
        if align <= PAYLOAD_BYTES_MIN {
            return Some(0);
        }
        let gap = self.gap_at(chunk.at, align)?;
        let gap_max = match DEFECT {
            defect::FRONT_GAP_NOT_COUNTED => chunk.words,
            _ => chunk.words.saturating_sub(need),
        };
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
        let front = Extent {
            at: chunk.at,
            words: gap,
        };
        match DEFECT {
            defect::FRONT_GAP_NOT_WRITTEN => {}
            defect::FRONT_GAP_TAKEN => self.put_taken(front),
            defect::FRONT_GAP_TO_PREDECESSOR => self.give_to_predecessor(front),
            _ => self.put_hole(front),
        }
    }

    /// Makes the `room` words at `at` a taken chunk of `need` words and a free remainder, or one taken
    /// chunk if the remainder would be too small. `last` says that the room ends with the heap.
    #[inline]
    pub(super) fn settle(&mut self, at: usize, need: usize, room: usize, last: bool) {
        let is_split = Self::splits((room - need) * WORD_BYTES);
        let words = match DEFECT {
            defect::OFF_BY_8_SPLIT if is_split => need - 1,
            defect::ABSORBED_NOT_COUNTED => need,
            _ if is_split => need,
            _ => room,
        };
        if is_split {
            self.split_off(at + words, room - words, last);
        } else if last {
            self.side.set_top(self.words);
        }
        let block = Extent { at, words };
        match DEFECT {
            defect::TAKEN_BIT_NOT_SET => self.put_hole(block),
            _ => self.put_taken(block),
        }
    }

    /// Makes what is left behind a block a free chunk.
    #[inline]
    fn split_off(&mut self, at: usize, left: usize, last: bool) {
        let words = match DEFECT {
            defect::REMAINDER_8_TOO_LONG => left + 1,
            defect::REMAINDER_8_TOO_SHORT => left - 1,
            _ => left,
        };
        let remainder = Extent { at, words };
        match DEFECT {
            defect::REMAINDER_NOT_WRITTEN => {}
            defect::REMAINDER_TAKEN => {
                if last {
                    self.side.set_top(self.words);
                }
                self.put_taken(remainder);
            }
            _ if last => self.put_top(remainder),
            _ => self.put_hole(remainder),
        }
    }

    /// Whether a remainder of so many bytes becomes a chunk of its own.
    pub(super) const fn splits(remainder: usize) -> bool {
        match DEFECT {
            defect::WRONG_REMAINDER_TEST => remainder > CHUNK_BYTES_MIN,
            defect::REMAINDER_OF_24_ABSORBED => remainder > CHUNK_BYTES_MIN + 8,
            defect::REMAINDER_OF_8_SPLIT => remainder >= HEADER_BYTES,
            defect::NEVER_SPLIT => false,
            _ => remainder >= CHUNK_BYTES_MIN,
        }
    }

    /// Words of the chunk for a request, or nothing if that overflows.
    #[inline]
    pub(super) fn chunk_words(size: usize) -> Option<usize> {
        let unit = match DEFECT {
            defect::PAYLOAD_ROUNDED_DOWN => 1,
            defect::PAYLOAD_ROUNDED_TO_16 => 16,
            _ => WORD_BYTES,
        };
        let header = match DEFECT {
            defect::HEADER_NOT_COUNTED => 0,
            _ => HEADER_BYTES,
        };
        let rounding = header + unit - 1;
        let bytes = match DEFECT {
            defect::OVERFLOW_UNCHECKED => size.wrapping_add(rounding),
            _ => size.checked_add(rounding)?,
        };
        let words = match DEFECT {
            defect::PAYLOAD_ROUNDED_TO_16 => (bytes - header) / unit * 2 + 1,
            _ => bytes / WORD_BYTES,
        };
        let least = match DEFECT {
            defect::NO_LEAST_PAYLOAD => 0,
            _ => (PAYLOAD_BYTES_MIN + header) / WORD_BYTES,
        };
        Some(words.max(least))
    }

    /// Bytes from a free chunk at address `chunk` to the lowest header in it whose payload is
    /// aligned and which leaves room for a whole chunk, or nothing, in front of it.
    fn front_gap(chunk: usize, align: usize) -> Option<usize> {
        let payload = match DEFECT {
            defect::HEADER_ALIGNED => chunk,
            _ => chunk + HEADER_BYTES,
        };
        let aligned = payload.checked_add(align - 1)? & !(align - 1);
        let gap = aligned - payload;
        let is_allowed = match DEFECT {
            defect::FRONT_GAP_OF_8 => true,
            defect::FRONT_GAP_OF_16_REFUSED => gap == 0 || gap > CHUNK_BYTES_MIN,
            defect::ALIGNED_PLACE_REFUSED => gap >= CHUNK_BYTES_MIN,
            _ => gap == 0 || gap >= CHUNK_BYTES_MIN,
        };
        if is_allowed {
            Some(gap)
        } else {
            gap.checked_add(align)
        }
    }
}
