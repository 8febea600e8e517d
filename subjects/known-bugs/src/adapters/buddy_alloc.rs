//! `buddy-alloc`: buddies from leaves of 16 bytes. Its `malloc` is not told an alignment.

use std::alloc::Layout;

use buddy_alloc::buddy_alloc::{BuddyAlloc, BuddyAllocParam};
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// The smallest leaf the crate takes.
const LEAF_BYTES: usize = 16;

pub struct Allocator(BuddyAlloc);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(1024)
        // No block is aligned to more than a leaf.
        .align_max(LEAF_BYTES as u64);

    unsafe fn new(region: Region) -> Self {
        let param = BuddyAllocParam::new(region.start, region.bytes, LEAF_BYTES);
        // SAFETY: the caller vouches for the region.
        Self(unsafe { BuddyAlloc::new(param) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.malloc(layout.size())
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        self.0.free(block);
        Freed::Done
    }
}
