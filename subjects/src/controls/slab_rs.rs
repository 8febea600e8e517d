//! `slab_allocator_rs`: an eighth of the region for each of seven block sizes, and one for buddies.
//! Small requests of any alignment go to a slab of at most 4096-byte blocks, which is no stricter
//! aligned (`docs/finds/slab_allocator_rs.md`).

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use slab_allocator_rs::{Heap, MIN_HEAP_SIZE};

/// `slab_allocator_rs`.
pub struct SlabRs(Heap);

impl Subject for SlabRs {
    const DECLARATION: Declaration = Declaration::new("slab-rs")
        .region_at_least(MIN_HEAP_SIZE as u64)
        .region_multiple_of(MIN_HEAP_SIZE as u64)
        .align_max(4096);

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region.
        Self(unsafe { Heap::new(region.start.addr(), region.bytes) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.allocate(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { self.0.deallocate(block, layout) };
        }
        Freed::Done
    }
}
