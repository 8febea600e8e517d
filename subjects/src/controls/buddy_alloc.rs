//! `buddy-alloc`: buddies from leaves of 16 bytes, counted from behind its own tables, so that no
//! block is aligned to more than a leaf. Its `malloc` is not told an alignment, and its
//! `GlobalAlloc` drops it: stricter requests are not made, nor are regions so small that making the
//! heap writes behind them (`docs/finds/buddy-alloc.md`).

use core::alloc::Layout;

use ::buddy_alloc::buddy_alloc::{BuddyAlloc as Buddies, BuddyAllocParam};
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// The smallest leaf the crate takes.
const LEAF_BYTES: usize = 16;

/// `buddy-alloc`.
pub struct BuddyAlloc(Buddies);

impl Subject for BuddyAlloc {
    const DECLARATION: Declaration = Declaration::new("buddy-alloc")
        .region_at_least(520)
        .align_max(LEAF_BYTES as u64);

    unsafe fn new(region: Region) -> Self {
        let param = BuddyAllocParam::new(region.start, region.bytes, LEAF_BYTES);
        // SAFETY: the caller vouches for the region.
        Self(unsafe { Buddies::new(param) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.malloc(layout.size())
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        self.0.free(block);
        Freed::Done
    }
}
