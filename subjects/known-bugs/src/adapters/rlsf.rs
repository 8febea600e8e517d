//! `rlsf`: two-level segregated fit, with 32 by 32 lists.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut, slice_from_raw_parts_mut};

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use rlsf::Tlsf;

const NAME: &str = env!("CARGO_PKG_NAME");

pub struct Allocator(Tlsf<'static, u32, u32, 32, 32>);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME).region_at_least(128);

    unsafe fn new(region: Region) -> Self {
        let mut heap = Tlsf::INIT;
        let pool = NonNull::new(slice_from_raw_parts_mut(region.start, region.bytes));
        // SAFETY: the caller vouches for the region.
        let inserted = pool.and_then(|pool| unsafe { heap.insert_free_block_ptr(pool) });
        assert!(inserted.is_some(), "the region holds a block");
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.allocate(layout).map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { self.0.deallocate(block, layout.align()) };
        }
        Freed::Done
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (Some(block), Ok(new)) = (
            NonNull::new(block),
            Layout::from_size_align(new_size, layout.align()),
        ) else {
            return null_mut();
        };
        // SAFETY: exactly the caller's promise; the alignment stays.
        let granted = unsafe { self.0.reallocate(block, new) };
        granted.map_or(null_mut(), NonNull::as_ptr)
    }
}
