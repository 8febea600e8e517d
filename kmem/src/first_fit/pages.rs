//! A heap that grows: pages that become its own, and such as it has no more.
//!
//! Pages between two regions look to all other code like the inside of a taken chunk that nobody
//! can name: no chunk starts there, so no bit is set, and nothing merges across.

use core::marker::PhantomData;
use core::ops::Range;

use super::extent::Extent;
use super::page_map::{PAGE_WORDS, PageMap};
use super::side::{self, Side, WORD_BYTES};
use super::{FirstFit, Variant};
use crate::align::PAGE_SIZE;
use crate::chunk::Chunks;

impl<V: Variant> FirstFit<V> {
    /// Bytes of side memory for a heap that can reach so many pages, bits of pages included.
    pub(crate) const fn side_bytes_of_reach(reach: usize) -> usize {
        side::bytes(reach * PAGE_WORDS) + super::page_map::bytes(reach)
    }

    /// A heap of `pages` pages that can reach `reach` pages from `start` on.
    ///
    /// # Safety
    ///
    /// As for [`new`](Self::new), of the first pages, and of [`side_bytes_of_reach`](
    /// Self::side_bytes_of_reach) bytes of side memory. `start` may be used to access all pages in
    /// reach that [`add_pages`](Self::add_pages) says are the heap's. From 1 to `reach` are at
    /// first.
    pub(crate) unsafe fn within(start: *mut u8, pages: usize, reach: usize, side: *mut u8) -> Self {
        let words = pages * PAGE_WORDS;
        let bits = side.wrapping_add(side::bytes(reach * PAGE_WORDS));
        // SAFETY: the caller vouches for the side memory, of which the bits are the end.
        let (side, map) = unsafe {
            (
                Side::new(side, reach * PAGE_WORDS),
                PageMap::new(bits.cast(), reach),
            )
        };
        let mut heap = Self {
            head: start,
            words,
            side,
            pages: map,
            variant: PhantomData,
        };
        heap.pages.set(0..pages, true);
        heap.write_header(Extent { at: 0, words }, false);
        heap
    }

    /// Makes pages the heap's that nobody uses: one free chunk, together with the free chunks
    /// beside them.
    pub(crate) fn add_pages(&mut self, pages: Range<usize>) {
        let added = extent_of(&pages);
        self.pages.set(pages, true);
        if added.end() < self.words {
            let (first, after) = (self.hole_before(added.at), self.free_behind(added.end()));
            return self.merge(added, first, after);
        }
        let top = self.top();
        self.words = added.end();
        match top.filter(|top| top.end() == added.at) {
            Some(top) => {
                let words = self.words - top.at;
                self.put_top(Extent { at: top.at, words });
            }
            None => {
                // First, since it opens the stretches that the old top ends in.
                self.put_top(added);
                if let Some(hole) = top {
                    self.put_hole(hole);
                }
            }
        }
    }

    /// Takes the pages of a region from the heap that is one free chunk, and not the first.
    pub(crate) fn drop_region(&mut self, pages: Range<usize>) {
        let gone = extent_of(&pages);
        let before = self.pages.end_of_last(pages.start, true);
        self.pages.set(pages, false);
        if gone.end() < self.words {
            self.forget(gone.at);
            return self.settle_largest(gone);
        }
        // It was the top. What the region before ends with is it now.
        let end = before * PAGE_WORDS;
        let at = self.hole_before(end);
        self.words = end;
        if at == end {
            return self.side.set_top(end);
        }
        let last = Extent {
            at,
            words: end - at,
        };
        self.put_top(last);
        self.settle_largest(last);
    }

    /// The region that a word lies in, if it is one free chunk and not the first.
    pub(crate) fn empty_region(&self, at: usize) -> Option<Range<usize>> {
        let page = at / PAGE_WORDS;
        let start = self.pages.end_of_last(page, false);
        if start == 0 {
            return None;
        }
        let region = start..self.pages.first(page, false);
        let free = self.free_behind(start * PAGE_WORDS);
        (free == extent_of(&region).words).then_some(region)
    }

    /// How many pages from the start of `run`, all of which are free, let a request fit: the free
    /// chunks before and behind the run count too.
    pub(crate) fn pages_for(&self, run: Range<usize>, size: usize, align: usize) -> Option<usize> {
        let need = Self::chunk_words(size)?;
        let run_words = extent_of(&run);
        let start = match self.pages.has(run.start.wrapping_sub(1)) {
            true if run_words.at == self.words => self.side.top(),
            true => self.hole_before(run_words.at),
            false => run_words.at,
        };
        let gap = self.gap_at(start, align)?;
        self.pages_up_to(start + gap + need, run)
    }

    /// The page behind the region of a live block, if nothing but a free chunk lies between.
    pub(crate) fn page_behind(&self, payload: *mut u8) -> Option<usize> {
        let end = self.locate(payload)?.end();
        let end = end + self.free_behind(end);
        let page = end / PAGE_WORDS;
        (end.is_multiple_of(PAGE_WORDS) && !self.pages.has(page)).then_some(page)
    }

    /// How many pages from the start of `run`, which begins at [`Self::page_behind`] and all of
    /// which are free, let the block be resized where it is.
    pub(crate) fn pages_for_block(
        &self,
        payload: *mut u8,
        size: usize,
        run: Range<usize>,
    ) -> Option<usize> {
        let need = Self::chunk_words(size)?;
        self.pages_up_to(self.locate(payload)?.at + need, run)
    }

    /// How many pages from the start of `run`, all of which are free, reach up to a word, with the
    /// free chunk behind them.
    fn pages_up_to(&self, end: usize, run: Range<usize>) -> Option<usize> {
        let run_words = extent_of(&run);
        let behind = match self.pages.has(run.end) {
            true => self.free_behind(run_words.end()),
            false => 0,
        };
        let pages = end.saturating_sub(run_words.at).div_ceil(PAGE_WORDS);
        // Up to the region behind, more pages are not to be had.
        let fits = pages <= run.len() || end <= run_words.end() + behind;
        fits.then_some(pages.clamp(1, run.len()))
    }

    /// Whether the heap's pages end before this word, which is not the tail.
    #[inline]
    pub(super) fn ends_region(&self, at: usize) -> bool {
        let is_border = V::GROWS && !self.pages.is_whole() && at.is_multiple_of(PAGE_WORDS);
        is_border && !self.pages.has(at / PAGE_WORDS)
    }

    /// Which pages in reach are the heap's.
    pub(crate) const fn page_map(&self) -> &PageMap {
        &self.pages
    }

    /// The chunks of a region.
    pub(crate) fn chunks_of(&self, region: &Range<usize>) -> Chunks<'_> {
        let start = self.head.wrapping_add(region.start * PAGE_SIZE);
        // SAFETY: the heap's pages are readable and exclusive (contract of `within`).
        unsafe { Chunks::new(start, region.len() * PAGE_SIZE, Self::SEAL_BITS) }
    }

    /// The word in which the header of the block at `payload` lies, of one in reach.
    pub(crate) fn word_of(&self, payload: *mut u8) -> usize {
        (payload.addr().wrapping_sub(self.head.addr()) / WORD_BYTES).wrapping_sub(1)
    }
}

fn extent_of(pages: &Range<usize>) -> Extent {
    Extent {
        at: pages.start * PAGE_WORDS,
        words: pages.len() * PAGE_WORDS,
    }
}
