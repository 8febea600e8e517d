//! `blink-alloc`: an arena over a source of chunks. Freed memory is not used again.

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use blink_alloc::BlinkAlloc;
use harness::declaration::{Declaration, Reuse};
use harness::subject::{Freed, Region, Subject};

use crate::api::Allocator as Arena;
use crate::source::Source;

const NAME: &str = env!("CARGO_PKG_NAME");

pub struct Allocator(BlinkAlloc<Source>);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(64)
        .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        Self(BlinkAlloc::new_in(Source::new(region)))
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let granted = Arena::allocate(&&self.0, layout);
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        let granted = Arena::allocate_zeroed(&&self.0, layout);
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { Arena::deallocate(&&self.0, block, layout) };
        }
        Freed::Done
    }
}
