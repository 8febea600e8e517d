//! The kernel allocators that the rig tests: `no_std`, no dependencies.
//!
//! Two generations of the same published design (a sub-page kernel heap over a page allocator):
//!
//! | | heap | pages | global functions |
//! |---|---|---|---|
//! | correct | [`Kmem`] (`first_fit`) | [`Pages`] (`page`) | [`global`] |
//! | correct, and noticing what clients overwrite | [`SealedKmem`], [`PoisonedKmem`], [`HardenedKmem`] | | [`global`] with the features `seal`, `poison` |
//! | as published in 2019, bugs kept | [`Kmem2019`] (`kmem_2019`) | [`Pages2019`] (`page_2019`) | [`global_2019`] |
//! | the correct heap, growing page by page | [`GrowingKmem`] (`growing`) | a [`PageSource`] | |
//!
//! Both heaps share one memory format (`chunk`): chunks tile the heap, each starts with one header
//! word, and the pointer handed out is the header's address + 8.
//!
//! ```text
//! head                                                               tail
//! | header | payload ... | header | payload ... | header | free ... |
//!          ^ the pointer that kmalloc returns
//! ```
//!
//! State lives in an instance over a region that the caller gives; `global` is a thin layer over
//! one instance, in the published names. An instance keeps everything but its region's bounds in
//! the region itself; [`Kmem`] has side memory besides, so that it need not walk its chunks.
//!
//! All of that is for a single hart at a time. With the feature `harts`, `SharedHeap` puts a heap
//! behind a ticket lock that is held with interrupts masked.
#![no_std]

#[cfg(test)]
extern crate std;

mod align;
mod chunk;
mod first_fit;
mod free_error;
pub mod global;
pub mod global_2019;
mod growing;
#[cfg(feature = "harts")]
mod hart;
mod kmem_2019;
#[cfg(feature = "harts")]
mod locked;
mod page;
mod page_2019;
mod page_descriptor;
mod page_error;
mod page_print;
mod page_source;
mod page_table;
#[cfg(feature = "harts")]
mod shared_heap;
mod zero;

pub use align::{PAGE_ORDER, PAGE_SIZE, align_val};
pub use chunk::{Chunk, Chunks, HEADER_BYTES, Header};
pub use first_fit::{
    CHUNK_BYTES_MIN, Extensible, FirstFit, HardenedKmem, Hardening, Kmem, POISON, PoisonedKmem,
    SealedKmem, Variant,
};
pub use free_error::FreeError;
pub use growing::{GrowingChunks, GrowingKmem};
#[cfg(feature = "harts")]
pub use hart::{Hart, NoInterrupts};
#[cfg(all(
    feature = "harts",
    any(target_arch = "riscv32", target_arch = "riscv64")
))]
pub use hart::{Machine, Supervisor};
pub use kmem_2019::Kmem2019;
#[cfg(feature = "harts")]
pub use locked::{Locked, TicketLock, Waits};
pub use page::Pages;
pub use page_2019::Pages2019;
pub use page_error::PageError;
pub use page_source::PageSource;
pub use page_table::{ENTRIES, Table};
#[cfg(feature = "harts")]
pub use shared_heap::{Heap, SharedHeap};
