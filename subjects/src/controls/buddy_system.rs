//! `buddy_system_allocator`: powers of two, buddies by absolute address. The rig's regions are
//! aligned to their size on both sides, so offsets decide alone, and any alignment up to a block's
//! size is served.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use buddy_system_allocator::Heap;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// Size classes up to 2^32 bytes, as in the crate's own examples.
const ORDER: usize = 33;

/// `buddy_system_allocator`.
pub struct BuddySystem(Heap<ORDER>);

impl Subject for BuddySystem {
    const DECLARATION: Declaration = Declaration::new("buddy-system");

    unsafe fn new(region: Region) -> Self {
        let mut heap = Heap::empty();
        // SAFETY: the caller vouches for the region.
        unsafe { heap.init(region.start.addr(), region.bytes) };
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.alloc(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { self.0.dealloc(block, layout) };
        }
        Freed::Done
    }
}
