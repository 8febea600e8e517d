//! The ways in which the chunk list changes: header and side memory together, so that the two say
//! the same.
//!
//! Whoever changes the list puts what there is afterwards, calls `forget` for the starts that are
//! no more, and `settle_largest` for a hole that is gone or has shrunk, last. A chunk is put in an
//! open stretch: what moves the top up comes first.

use super::extent::Extent;
use super::side::{self, STRETCH_WORDS, WORD_BYTES};
use super::{FirstFit, Variant};
use crate::chunk::Header;

impl<V: Variant> FirstFit<V> {
    /// Makes `chunk` a taken one.
    #[inline]
    pub(super) fn put_taken(&mut self, chunk: Extent) {
        self.write_header(chunk, true);
        self.side.set_taken(chunk.at);
    }

    /// Makes `chunk` a free one that another follows.
    #[inline]
    pub(super) fn put_hole(&mut self, chunk: Extent) {
        self.write_header(chunk, false);
        self.side.set_hole(chunk.at, chunk.end());
    }

    /// Makes `chunk`, which ends with the heap, a free one.
    #[inline]
    pub(super) fn put_top(&mut self, chunk: Extent) {
        self.write_header(chunk, false);
        self.side.set_top(chunk.at);
        self.side.clear(chunk.at);
    }

    /// Notes that no chunk starts there any more.
    #[inline]
    pub(super) fn forget(&mut self, at: usize) {
        self.side.clear(at);
    }

    /// Finds the largest hole of the stretch anew in which `gone` was a hole.
    #[inline(always)]
    pub(super) fn settle_largest(&mut self, gone: Extent) {
        let stretch = gone.at / STRETCH_WORDS;
        let before = self.side.maxima.of_stretch(stretch);
        if before as usize != gone.words {
            return;
        }
        let now = self.largest_hole(stretch);
        self.side.maxima.lower(stretch, before, now);
    }

    /// Words of the largest hole that starts in an open stretch.
    #[inline]
    fn largest_hole(&self, stretch: usize) -> u32 {
        let mut largest = 0;
        for span in side::spans_of(stretch) {
            for at in self.side.holes(span) {
                // A header that was overwritten may count as any size: no search relies on it.
                largest = largest.max((self.header(at).bits() / WORD_BYTES) as u32);
            }
        }
        largest
    }

    #[inline]
    pub(super) fn write_header(&mut self, chunk: Extent, taken: bool) {
        let header = Header::new(chunk.words * WORD_BYTES, taken);
        let word = self.pointer(chunk.at).cast::<usize>();
        // SAFETY: every caller's chunk starts less than `words` words from the head: the 8 bytes
        // lie in the region that `new` was given, and at a multiple of 8.
        unsafe { word.write(Self::sealed(chunk.at, header)) };
    }
}
