//! `talc` 5: boundary tags, binned free lists at the region's start. A `TalcCell` keeps no pointer
//! into itself.

use core::alloc::{GlobalAlloc, Layout};

use ::talc::TalcCell;
use ::talc::source::Manual;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// `talc` 5.
pub struct Talc5(TalcCell<Manual>);

impl Subject for Talc5 {
    const DECLARATION: Declaration = Declaration::new("talc")
        // The bins take some 1.5 KiB of the first region.
        .region_at_least(2048);

    unsafe fn new(region: Region) -> Self {
        let heap = TalcCell::new(Manual);
        // SAFETY: the caller vouches for the region.
        let claimed = unsafe { heap.claim(region.start, region.bytes) };
        assert!(claimed.is_some(), "the region holds the bins");
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::alloc(&self.0, layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::dealloc(&self.0, block, layout) }
        Freed::Done
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::alloc_zeroed(&self.0, layout) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::realloc(&self.0, block, layout, new_size) }
    }
}
