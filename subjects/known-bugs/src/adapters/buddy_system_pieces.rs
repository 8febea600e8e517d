//! `buddy_system_allocator`'s `Heap`: the region comes in pieces of the largest size class, as a
//! kernel adds its memory areas one by one.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use buddy_system_allocator::Heap;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// Size classes up to 2^9 bytes, so that small regions hold two blocks of the largest.
const ORDER: usize = 10;
const LARGEST_BYTES: usize = 1 << (ORDER - 1);

pub struct Allocator(Heap<ORDER>);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME).region_at_least(64);

    unsafe fn new(region: Region) -> Self {
        let mut heap = Heap::empty();
        let start = region.start.addr();
        for piece in (0..region.bytes).step_by(LARGEST_BYTES) {
            let end = region.bytes.min(piece + LARGEST_BYTES);
            // SAFETY: the caller vouches for the region; the pieces do not overlap.
            unsafe { heap.add_to_heap(start + piece, start + end) };
        }
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
