//! `dlmalloc`: Doug Lea's allocator over a source of segments. The source here has one segment, the
//! region, and gives it away once. The bins point into the instance from the first call on.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::null_mut;

use ::dlmalloc::{Allocator, Dlmalloc};
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// What the crate rounds its requests for segments up to: it asks for whole multiples.
const GRANULE_BYTES: u64 = 64 << 10;

/// The region as a source of one segment.
struct OneSegment {
    region: Region,
    given: Cell<bool>,
}

// SAFETY: the crate hands the region's memory to whoever has the heap, and the rig gives each heap
// to one thread alone.
unsafe impl Send for OneSegment {}

// SAFETY: the segment is the region, which the caller of `SegmentMalloc::new` vouches for; it is
// given once and never taken back.
unsafe impl Allocator for OneSegment {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size > self.region.bytes || self.given.replace(true) {
            return (null_mut(), 0, 0);
        }
        (self.region.start, self.region.bytes, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        4096
    }
}

/// `dlmalloc` over one segment.
pub struct SegmentMalloc(Dlmalloc<OneSegment>);

impl Subject for SegmentMalloc {
    const DECLARATION: Declaration = Declaration::new("dlmalloc")
        .region_at_least(GRANULE_BYTES)
        .region_multiple_of(GRANULE_BYTES);

    unsafe fn new(region: Region) -> Self {
        let given = Cell::new(false);
        Self(Dlmalloc::new_with_allocator(OneSegment { region, given }))
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        unsafe { self.0.malloc(layout.size(), layout.align()) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.free(block, layout.size(), layout.align()) }
        Freed::Done
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        unsafe { self.0.calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe {
            self.0
                .realloc(block, layout.size(), layout.align(), new_size)
        }
    }
}
