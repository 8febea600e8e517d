//! Which pages a heap has of those it can reach: a bit for each, counted from the head.
//!
//! A *region* is a longest run of pages that are the heap's. A heap that cannot grow has one, and
//! keeps no bits.

use core::ops::Range;
use core::ptr::null_mut;

use super::side::WORD_BYTES;
use crate::align::PAGE_SIZE;

/// Words of a page.
pub(crate) const PAGE_WORDS: usize = PAGE_SIZE / WORD_BYTES;

/// Pages of a word of bits.
const BITS: usize = u64::BITS as usize;

/// The bits. It does not own their memory.
#[derive(Debug)]
pub(crate) struct PageMap {
    /// Null iff the heap cannot grow.
    bits: *mut u64,
    /// How many pages there are to have.
    pages: usize,
}

/// Bytes of the bits for so many pages.
pub(crate) const fn bytes(pages: usize) -> usize {
    pages.div_ceil(BITS) * size_of::<u64>()
}

impl PageMap {
    /// Of a heap that cannot grow.
    pub const WHOLE: Self = Self {
        bits: null_mut(),
        pages: 0,
    };

    /// A map of `pages` pages of which the heap has none.
    ///
    /// # Safety
    ///
    /// For the life of the value, the [`bytes`] bytes from `bits`, a multiple of 8, are readable,
    /// writable and used by nobody else.
    pub unsafe fn new(bits: *mut u64, pages: usize) -> Self {
        for index in 0..pages.div_ceil(BITS) {
            // SAFETY: the caller vouches for so many words.
            unsafe { bits.wrapping_add(index).write(0) };
        }
        Self { bits, pages }
    }

    /// Whether the heap cannot grow.
    pub const fn is_whole(&self) -> bool {
        self.bits.is_null()
    }

    /// How many pages there are to have.
    pub const fn reach(&self) -> usize {
        self.pages
    }

    /// Whether a page is the heap's.
    pub fn has(&self, page: usize) -> bool {
        page < self.pages && self.word(page / BITS) >> (page % BITS) & 1 != 0
    }

    /// Gives the heap pages, or takes them from it.
    pub fn set(&mut self, pages: Range<usize>, owned: bool) {
        assert!(
            pages.end <= self.pages,
            "page {} is out of reach",
            pages.end
        );
        for page in pages {
            let (word, bit) = (self.word(page / BITS), 1 << (page % BITS));
            let word = if owned { word | bit } else { word & !bit };
            // SAFETY: `new` was given a bit for each page, and makes this their only user.
            unsafe { self.bits.wrapping_add(page / BITS).write(word) };
        }
    }

    /// How many pages are the heap's.
    pub fn count(&self) -> usize {
        let words = 0..self.pages.div_ceil(BITS);
        words
            .map(|index| self.word(index).count_ones() as usize)
            .sum()
    }

    /// The first page, at or behind `from`, that is the heap's, or is not; the number of pages if
    /// there is none.
    pub fn first(&self, from: usize, owned: bool) -> usize {
        let mut page = from;
        while page < self.pages {
            let word = self.word(page / BITS);
            let left = if owned { word } else { !word } >> (page % BITS);
            if left != 0 {
                return (page + left.trailing_zeros() as usize).min(self.pages);
            }
            page = (page / BITS + 1) * BITS;
        }
        self.pages
    }

    /// The page behind the last one before `end` that is the heap's, or is not; 0 if there is none.
    pub fn end_of_last(&self, end: usize, owned: bool) -> usize {
        let mut end = end;
        while let Some(last) = end.checked_sub(1) {
            let word = self.word(last / BITS);
            let left = if owned { word } else { !word } << (BITS - 1 - last % BITS);
            if left != 0 {
                return end - left.leading_zeros() as usize;
            }
            end = last / BITS * BITS;
        }
        0
    }

    /// The first region that starts at or behind a page.
    pub fn region(&self, from: usize) -> Option<Range<usize>> {
        let start = self.first(from, true);
        (start < self.pages).then(|| start..self.first(start, false))
    }

    fn word(&self, index: usize) -> u64 {
        // SAFETY: every caller's word holds the bit of a page, for which `new` was given memory and
        // which it has written.
        unsafe { self.bits.wrapping_add(index).read() }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn finds_what_a_list_finds() {
        for pages in [1, 63, 64, 65, 130, 200] {
            let mut bits = vec![u64::MAX; bytes(pages) / 8];
            // SAFETY: there are as many words, and they outlive the map.
            let mut map = unsafe { PageMap::new(bits.as_mut_ptr(), pages) };
            let mut list: Vec<bool> = vec![false; pages];
            let mut random = 1_usize;
            for _ in 0..60 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let start = (random >> 33) % pages;
                let end = start + (random >> 50) % (pages - start + 1);
                map.set(start..end, random >> 63 != 0);
                list[start..end].fill(random >> 63 != 0);
                assert_eq!(map.count(), list.iter().filter(|&&owned| owned).count());
                for (page, owned) in (0..pages).flat_map(|page| [(page, false), (page, true)]) {
                    assert_eq!(map.has(page), list[page]);
                    let is = |at: &usize| list[*at] == owned;
                    assert_eq!(
                        map.first(page, owned),
                        (page..pages).find(is).unwrap_or(pages)
                    );
                    let last = (0..page).rev().find(is);
                    assert_eq!(map.end_of_last(page, owned), last.map_or(0, |at| at + 1));
                }
            }
            assert!(!map.has(pages));
        }
    }
}
