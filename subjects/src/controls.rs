//! Allocators that kernels and firmware use, in current releases: the controls. The rig must be
//! silent on them, unless a find is real; those are written up in `docs/finds/`.
//!
//! Each file says which release it is about (the manifest pins it), how the crate is meant to be
//! used over one region, and why its declaration is what its documentation and source say. Nothing
//! of the crates is copied, and nothing is worked around silently: a request that a crate does not
//! serve as [`core::alloc::Layout`] asks is left out by the declaration, with the reason beside it.

#![allow(unsafe_code, reason = "an adapter calls an allocator")]

mod ax_slab;
mod buddy_alloc;
mod buddy_system;
mod critical;
mod dlmalloc;
mod embedded_llff;
mod embedded_tlsf;
mod good_memory;
mod linked_list;
mod rlsf;
mod slab_rs;
mod stalloc;
mod talc;
mod talc_4;

pub use ax_slab::AxSlab;
pub use buddy_alloc::BuddyAlloc;
pub use buddy_system::BuddySystem;
pub use dlmalloc::SegmentMalloc;
pub use embedded_llff::EmbeddedLlff;
pub use embedded_tlsf::EmbeddedTlsf;
pub use good_memory::GoodMemory;
pub use linked_list::LinkedList;
pub use rlsf::FlexibleTlsf;
pub use slab_rs::SlabRs;
pub use stalloc::Stalloc;
pub use talc::Talc5;
pub use talc_4::Talc4;

use harness::entry::Entry;

/// Somebody else's allocators.
pub const CONTROLS: [Entry; 13] = [
    Entry::of::<Talc5>(),
    Entry::of::<Talc4>(),
    Entry::of::<LinkedList>(),
    Entry::of::<BuddySystem>(),
    Entry::of::<FlexibleTlsf>(),
    Entry::of::<EmbeddedLlff>(),
    Entry::of::<EmbeddedTlsf>(),
    Entry::of::<SegmentMalloc>(),
    Entry::of::<GoodMemory>(),
    Entry::of::<BuddyAlloc>(),
    Entry::of::<SlabRs>(),
    Entry::of::<AxSlab>(),
    Entry::of::<Stalloc>(),
];
