//! The allocators that this project brings along, each an adapter of a few lines.

#![allow(unsafe_code, reason = "an adapter calls an allocator")]

mod complete_pages;
mod first_fit_heap;
mod growing_heap;
pub(crate) mod kernel_heap;
pub(crate) mod page_allocator;

pub use complete_pages::CompletePages;
pub use first_fit_heap::FirstFitHeap;
pub use growing_heap::GrowingHeap;
pub use kernel_heap::PublishedHeap;
pub use page_allocator::PublishedPages;

use harness::entry::Entry;
use kmem::Hardening;

// What an adapter takes its allocator from: a mutant has the same adapter over sources of its own.
use kmem as allocators;

/// Both generations of both allocators, and the heaps that notice what clients overwrite.
pub const ALL: [Entry; 7] = [
    Entry::of::<PublishedHeap>(),
    Entry::of::<FirstFitHeap>().growing::<GrowingHeap>(),
    Entry::of::<FirstFitHeap<Hardening<true, false>>>(),
    Entry::of::<FirstFitHeap<Hardening<false, true>>>(),
    Entry::of::<FirstFitHeap<Hardening<true, true>>>(),
    Entry::of::<PublishedPages>(),
    Entry::of::<CompletePages>(),
];
