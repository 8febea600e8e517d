//! `ax-allocator`'s slab heap: seven block sizes, each fed 64 blocks at a time by a buddy allocator
//! to which they never return. As with `slab_allocator_rs`, from which it comes, small requests are
//! aligned to 4096 bytes at most (`docs/finds/slab_allocator_rs.md`).

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use ax_allocator::{BaseAllocator, ByteAllocator, SlabByteAllocator};
use harness::declaration::{Declaration, Reuse};
use harness::subject::{Freed, Region, Subject};

/// The smallest region it takes, and what regions are multiples of.
const REGION_BYTES: u64 = 32 << 10;

/// `ax-allocator`'s `SlabByteAllocator`.
pub struct AxSlab(SlabByteAllocator);

impl Subject for AxSlab {
    const DECLARATION: Declaration = Declaration::new("ax-slab")
        .region_at_least(REGION_BYTES)
        .region_multiple_of(REGION_BYTES)
        .align_max(4096)
        .reuse(Reuse::Cached);

    unsafe fn new(region: Region) -> Self {
        let mut heap = SlabByteAllocator::new();
        heap.init(region.start.addr(), region.bytes);
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
