//! The allocators that this project brings along, each an adapter of a few lines.

mod kernel_heap;
mod page_allocator;

pub use kernel_heap::{FirstFitHeap, GrowingHeap, PublishedHeap};
pub use page_allocator::{CompletePages, PublishedPages};

use harness::entry::Entry;
use kmem::defect;

/// Both generations of both allocators, and the heaps that notice what clients overwrite.
pub const ALL: [Entry; 7] = [
    Entry::of::<PublishedHeap>(),
    Entry::of::<FirstFitHeap>().growing::<GrowingHeap>(),
    Entry::of::<FirstFitHeap<{ defect::SEALED }>>(),
    Entry::of::<FirstFitHeap<{ defect::POISONED }>>(),
    Entry::of::<FirstFitHeap<{ defect::HARDENED }>>(),
    Entry::of::<PublishedPages>(),
    Entry::of::<CompletePages>(),
];
