//! `talc` 4, which most of its users still have: another layout, other ways in. Its allocating
//! calls are safe to move between, as its lists lie in the region.

use core::alloc::Layout;
use core::ptr::{NonNull, null_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use talc4::{ErrOnOom, Span, Talc};

/// `talc` 4.
pub struct Talc4(Talc<ErrOnOom>);

impl Subject for Talc4 {
    const DECLARATION: Declaration = Declaration::new("talc-4")
        // The lists take a little more than 1 KiB of the first region.
        .region_at_least(2048);

    unsafe fn new(region: Region) -> Self {
        let mut heap = Talc::new(ErrOnOom);
        let span = Span::from_base_size(region.start, region.bytes);
        // SAFETY: the caller vouches for the region.
        unsafe { heap.claim(span) }.expect("the region holds the lists");
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches that the size is not 0.
        let granted = unsafe { self.0.malloc(layout) };
        granted.map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { self.0.free(block, layout) };
        }
        Freed::Done
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(live) = NonNull::new(block) else {
            return null_mut();
        };
        if new_size <= layout.size() {
            // SAFETY: the block is live, and the size is neither 0 nor larger than it.
            unsafe { self.0.shrink(live, layout, new_size) };
            return block;
        }
        // SAFETY: the block is live, and the size is larger than it.
        let granted = unsafe { self.0.grow(live, layout, new_size) };
        granted.map_or(null_mut(), NonNull::as_ptr)
    }
}
