//! Stores where no block is: behind the heap, and in other owners' pages.

use core::slice;

use crate::run::ground::DIRT;
use crate::run::pattern::Pattern;
use crate::subject::Region;
use crate::trace::geometry::PAGE_BYTES;

impl Region {
    /// Whether nothing was stored to the slack's first `8 * N` bytes, as far as can be seen at a
    /// glance: it has none, or so many. This is asked at each op, and a call would take the guest
    /// longer than the answer.
    #[inline]
    pub(super) fn is_untouched_behind<const N: usize>(self) -> bool {
        if self.slack < 8 * N {
            return self.slack == 0;
        }
        let words = self.start.wrapping_add(self.bytes).cast::<u64>();
        // SAFETY: the slack has so many words and is readable; it lies behind a heap of whole
        // words, which starts at one.
        let word = |index| unsafe { words.add(index).read() };
        let differences = |all, index| all | word(index) ^ u64::from_ne_bytes([DIRT; 8]);
        (0..N).fold(0, differences) == 0
    }

    /// The first of the slack's first `watched` bytes that was written to, from the region's start.
    pub(super) fn stray_store(self, watched: usize) -> Option<u64> {
        let length = self.slack.min(watched);
        if length == 0 {
            return None;
        }
        // SAFETY: the slack lies behind the region's bytes, and it is no more than all of it.
        unsafe { self.first_other(self.bytes, length, DIRT) }
    }

    /// The first byte of other owners' pages, which held `fill`, that was written to, from the
    /// region's start.
    pub(super) fn stray_store_to_others(self, fill: u8) -> Option<u64> {
        let mut pages = self.growth.others(self.bytes as u64);
        // SAFETY: other owners' pages lie in the region.
        pages.find_map(|page| unsafe { self.first_other(page as usize, PAGE_BYTES as usize, fill) })
    }

    /// The first of so many bytes from `at` on that is not `fill`, from the region's start.
    ///
    /// # Safety
    ///
    /// The bytes lie in the region or in its slack, which are readable while it is in use; that is
    /// as long as there is a `Heap`.
    unsafe fn first_other(self, at: usize, length: usize, fill: u8) -> Option<u64> {
        // SAFETY: the caller vouches for the bytes.
        let bytes = unsafe { slice::from_raw_parts(self.start.add(at), length) };
        if Pattern::repeating(fill).holds(bytes) {
            return None;
        }
        let first = bytes.iter().position(|&byte| byte != fill)?;
        Some((at + first) as u64)
    }
}
