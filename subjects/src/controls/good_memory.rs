//! `good_memory_allocator`: boundary tags with bins by size and alignment. Chunks in its lists
//! point into the instance, so it is initialised at its first call, where it stays from then on.

use core::alloc::Layout;

use good_memory_allocator::{
    Allocator, DEFAULT_ALIGNMENT_SUB_BINS_AMOUNT, DEFAULT_SMALLBINS_AMOUNT,
};
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// `good_memory_allocator` with its default numbers of bins.
pub struct GoodMemory {
    heap: Allocator<DEFAULT_SMALLBINS_AMOUNT, DEFAULT_ALIGNMENT_SUB_BINS_AMOUNT>,
    region: Region,
}

impl Subject for GoodMemory {
    const DECLARATION: Declaration = Declaration::new("good-memory")
        // A header and the smallest chunk's links.
        .region_at_least(64);

    unsafe fn new(region: Region) -> Self {
        Self {
            heap: Allocator::empty(),
            region,
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        if !self.heap.was_initialized() {
            let Region { start, bytes, .. } = self.region;
            // SAFETY: the caller of `new` vouches for the region, and this is the first call, from
            // which on the instance stays where it is.
            unsafe { self.heap.init(start.addr(), bytes) };
        }
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.dealloc(block) }
        Freed::Done
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.realloc(block, layout, new_size) }
    }
}
