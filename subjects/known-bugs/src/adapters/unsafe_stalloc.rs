//! `stalloc`'s `UnsafeStalloc`: blocks of 8 bytes, placed at the region's start.

use std::alloc::{GlobalAlloc, Layout};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use stalloc::UnsafeStalloc;

const NAME: &str = env!("CARGO_PKG_NAME");

type Blocks = UnsafeStalloc<511, 8>;

pub struct Allocator(*mut Blocks);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(size_of::<Blocks>() as u64)
        // What more than a block asks is broken in the fixed version too.
        .align_max(8);

    unsafe fn new(region: Region) -> Self {
        let blocks = region.start.cast::<Blocks>();
        // SAFETY: the region is aligned, large enough by the declaration, and ours.
        unsafe { blocks.write(Blocks::new()) };
        Self(blocks)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: `new` made what the pointer points to; the caller vouches for the layout.
        unsafe { (*self.0).alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: as above; the caller vouches for the block.
        unsafe { (*self.0).dealloc(block, layout) };
        Freed::Done
    }
}
