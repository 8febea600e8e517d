//! `linked_list_allocator`: a sorted list of holes, no headers.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use linked_list_allocator::Heap;

const NAME: &str = env!("CARGO_PKG_NAME");

pub struct Allocator(Heap);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME).region_at_least(64);

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
