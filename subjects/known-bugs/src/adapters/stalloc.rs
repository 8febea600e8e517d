//! `stalloc`'s `Stalloc` through its calls on blocks of 8 bytes, placed at the region's start.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use stalloc::Stalloc;

const NAME: &str = env!("CARGO_PKG_NAME");

/// Blocks of 8 bytes in all.
const BLOCKS: usize = 511;

type Blocks = Stalloc<BLOCKS, 8>;

pub struct Allocator(*mut Blocks);

fn blocks(bytes: usize) -> usize {
    bytes.div_ceil(8)
}

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(size_of::<Blocks>() as u64)
        // What more than a block asks is broken in the fixed version too.
        .align_max(8);

    unsafe fn new(region: Region) -> Self {
        let heap = region.start.cast::<Blocks>();
        // SAFETY: the region is aligned, large enough by the declaration, and ours.
        unsafe { heap.write(Blocks::new()) };
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let count = blocks(layout.size());
        if count > BLOCKS {
            return null_mut();
        }
        // SAFETY: `new` made what the pointer points to; the count and the alignment are not 0.
        let granted = unsafe { (*self.0).allocate_blocks(count, 1) };
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block.cast()) {
            // SAFETY: as above; the caller vouches for the block.
            unsafe { (*self.0).deallocate_blocks(block, blocks(layout.size())) };
        }
        Freed::Done
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (old, new) = (blocks(layout.size()), blocks(new_size));
        if let Some(block) = NonNull::new(block.cast()).filter(|_| new < old) {
            // SAFETY: as above; the new count is less than the old one and not 0.
            unsafe { (*self.0).shrink_in_place(block, old, new) };
        }
        // It is never grown in place: growing has bugs of its own.
        if new <= old { block } else { null_mut() }
    }
}
