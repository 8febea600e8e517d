//! `buddy_system_allocator`'s `FrameAllocator`: numbers of frames, here those of the region.

use std::alloc::Layout;
use std::ptr::null_mut;

use buddy_system_allocator::FrameAllocator;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// A frame, in bytes: small, so that small regions hold many.
const FRAME_BYTES: usize = 64;
/// The number of the region's first frame; a multiple of the longest run.
const FRAME_FIRST: usize = 1 << 20;

pub struct Allocator {
    frames: FrameAllocator,
    region: Region,
}

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(FRAME_BYTES as u64)
        .region_multiple_of(FRAME_BYTES as u64)
        .align_max(FRAME_BYTES as u64);

    unsafe fn new(region: Region) -> Self {
        let mut frames = FrameAllocator::new();
        frames.add_frame(FRAME_FIRST, FRAME_FIRST + region.bytes / FRAME_BYTES);
        Self { frames, region }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let granted = self.frames.alloc(layout.size().div_ceil(FRAME_BYTES));
        granted.map_or(null_mut(), |frame| {
            let offset = (frame - FRAME_FIRST) * FRAME_BYTES;
            self.region.start.wrapping_add(offset)
        })
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        let offset = block.addr() - self.region.start.addr();
        let count = layout.size().div_ceil(FRAME_BYTES);
        self.frames
            .dealloc(FRAME_FIRST + offset / FRAME_BYTES, count);
        Freed::Done
    }
}
