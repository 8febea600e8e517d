//! `buddy_system_allocator`'s `Heap`, made of a region larger than its largest size class.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use buddy_system_allocator::Heap;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// Size classes up to 2^9 bytes, so that most regions are larger.
const ORDER: usize = 10;

pub struct Allocator(Heap<ORDER>);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME).region_at_least(64);

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
            self.0.dealloc(block, layout);
        }
        Freed::Done
    }
}
