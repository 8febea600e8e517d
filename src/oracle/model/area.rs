//! Which bytes of a region are handed out.

use std::ops::Range;

use harness::declaration::Reserved;
use harness::geometry::PAGE_BYTES;

/// The bytes that chunks tile, as offsets, in a region of `bytes` bytes.
///
/// With page descriptors it is the largest number of whole pages that fit behind one descriptor
/// byte a page, where pages begin at a multiple of their size.
#[must_use]
pub fn area(reserved: Reserved, bytes: u64) -> Range<u64> {
    match reserved {
        Reserved::Nothing => 0..bytes,
        Reserved::PageDescriptors => (0..=bytes / PAGE_BYTES)
            .rev()
            .map(|pages| (pages.next_multiple_of(PAGE_BYTES), pages * PAGE_BYTES))
            .find(|(first, length)| first + length <= bytes)
            .map_or(0..0, |(first, length)| first..first + length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_heap_is_all_chunks() {
        assert_eq!(area(Reserved::Nothing, 192), 0..192);
    }

    #[test]
    fn descriptors_take_whole_pages_from_the_start() {
        // Region and first page in pages, then how many pages are left.
        for (region, first, pages) in [
            (1, 0, 0),
            (2, 1, 1),
            (64, 1, 63),
            (4097, 1, 4096),
            (4098, 1, 4096),
            (4099, 2, 4097),
        ] {
            let found = area(Reserved::PageDescriptors, region * PAGE_BYTES);
            assert_eq!(
                found,
                first * PAGE_BYTES..(first + pages) * PAGE_BYTES,
                "{region} pages"
            );
        }
    }
}
