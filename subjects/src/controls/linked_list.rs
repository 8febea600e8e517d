//! `linked_list_allocator`: a sorted list of holes that merges at every free, no headers.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use linked_list_allocator::Heap;

/// `linked_list_allocator`.
pub struct LinkedList(Heap);

impl Subject for LinkedList {
    const DECLARATION: Declaration = Declaration::new("linked-list")
        // The documented minimum is two to three words.
        .region_at_least(24);

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region.
        Self(unsafe { Heap::new(region.start, region.bytes) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let granted = self.0.allocate_first_fit(layout);
        granted.map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { self.0.deallocate(block, layout) };
        }
        Freed::Done
    }
}
