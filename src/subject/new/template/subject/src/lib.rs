//! `my-heap` as the rig sees it.
#![no_std]

mod heap;

use core::alloc::Layout;

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// `my-heap`.
pub struct MyHeap(heap::Heap);

impl Subject for MyHeap {
    const DECLARATION: Declaration = Declaration::new("my-heap").region_at_least(32);

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the region is the subject's alone.
        Self(unsafe { heap::Heap::new(region.start, region.bytes) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.alloc(layout)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: the caller vouches for the block.
        unsafe { self.0.free(block, layout) };
        Freed::Done
    }
}
