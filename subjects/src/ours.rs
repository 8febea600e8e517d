//! The allocators that this project brings along, each an adapter of a few lines.

mod kernel_heap;
mod page_allocator;

pub use kernel_heap::{FirstFitHeap, PublishedHeap};
pub use page_allocator::{CompletePages, PublishedPages};

use harness::entry::Entry;

/// Both generations of both allocators.
pub const ALL: [Entry; 4] = [
    Entry::of::<PublishedHeap>(),
    Entry::of::<FirstFitHeap>(),
    Entry::of::<PublishedPages>(),
    Entry::of::<CompletePages>(),
];
