//! `buddy-alloc`: buddies from leaves of 16 bytes. Its `malloc` is not told an alignment.

use std::alloc::Layout;
use std::process::ExitCode;

use buddy_alloc::buddy_alloc::{BuddyAlloc, BuddyAllocParam};
use harness::declaration::{Declaration, RegionNeeds};
use harness::foreign::{Adapter, Foreign};
use harness::subject::Region;
use harness::entry::Entry;

const NAME: &str = env!("CARGO_PKG_NAME");

/// The smallest leaf the crate takes.
const LEAF_BYTES: usize = 16;

pub struct Allocator(BuddyAlloc);

impl Foreign for Allocator {
    const DECLARATION: Declaration = Declaration {
        region: RegionNeeds {
            bytes_min: 1024,
            bytes_multiple: 8,
            zeroed: false,
        },
        // No block is aligned to more than a leaf.
        align_max: LEAF_BYTES as u64,
        ..Declaration::foreign(NAME)
    };

    unsafe fn new(region: Region) -> Self {
        let param = BuddyAllocParam::new(region.start, region.bytes, LEAF_BYTES);
        // SAFETY: the caller vouches for the region.
        Self(unsafe { BuddyAlloc::new(param) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.0.malloc(layout.size())
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) {
        self.0.free(block);
    }
}

static SUBJECTS: [Entry; 1] = [Entry::of::<Adapter<Allocator>>()];

fn main() -> ExitCode {
    kmem_rig::cli::main(&SUBJECTS)
}
