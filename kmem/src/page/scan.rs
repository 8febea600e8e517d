//! Looking through descriptors and writing them, eight at a time.

use core::ops::Range;

use super::Pages;

/// A descriptor's bit, in each of the eight of a word.
const fn in_each(mark: u8) -> u64 {
    u64::from_ne_bytes([mark; 8])
}

impl Pages {
    /// The first of these pages whose descriptor has the bit `mark` set, or not set.
    #[inline]
    pub(super) fn first(&self, pages: Range<usize>, mark: u8, set: bool) -> Option<usize> {
        let mut page = pages.start;
        while page < pages.end {
            let word = self.descriptors.wrapping_add(page).cast::<u64>();
            if !word.is_aligned() || pages.end - page < 8 {
                if (self.read(page) & mark != 0) == set {
                    return Some(page);
                }
                page += 1;
                continue;
            }
            assert!(pages.end <= self.count, "page {} is not managed", pages.end);
            // SAFETY: there are `count` descriptors at the region's start, and eight of them from
            // here on are before the end of the pages; the word is aligned.
            let word = u64::from_le(unsafe { word.read() });
            let found = if set { word } else { !word } & in_each(mark);
            if found != 0 {
                return Some(page + found.trailing_zeros() as usize / 8);
            }
            page += 8;
        }
        None
    }

    /// Gives these pages a descriptor.
    #[inline]
    pub(super) fn fill(&mut self, pages: Range<usize>, descriptor: u8) {
        assert!(pages.end <= self.count, "page {} is not managed", pages.end);
        let start = self.descriptors.wrapping_add(pages.start);
        // SAFETY: there are `count` descriptors at the region's start.
        unsafe { start.write_bytes(descriptor, pages.len()) };
    }
}
