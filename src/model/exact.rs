//! The exact model of whatever policy a subject declares.

use harness::declaration::Policy;
use harness::geometry::Geometry;

use crate::model::chunk_list::ChunkList;
use crate::model::first_fit::FirstFit;
use crate::model::lowest_run::LowestRun;

/// A heap that places blocks as a policy says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Exact {
    /// Under [`Policy::FirstFit`].
    FirstFit(FirstFit),
    /// Under [`Policy::LowestRun`].
    LowestRun(LowestRun),
}

impl Exact {
    /// A fresh heap.
    #[must_use]
    pub fn new(policy: Policy, geometry: Geometry) -> Self {
        match policy {
            Policy::FirstFit => Self::FirstFit(FirstFit::new(geometry)),
            Policy::LowestRun => Self::LowestRun(LowestRun::new(geometry.bytes())),
        }
    }

    /// The offset at which `size` bytes are placed; `None` is null.
    pub fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        match self {
            Self::FirstFit(heap) => heap.alloc(size, align),
            // A page is aligned to all that a page allocator can be asked for.
            Self::LowestRun(heap) => heap.alloc(size),
        }
    }

    /// The offset of the block at `block` once it has `size` bytes; `None` is null.
    pub fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64> {
        match self {
            Self::FirstFit(heap) => heap.realloc(block, size, align),
            Self::LowestRun(heap) => heap.realloc(block, size),
        }
    }

    /// Frees the block at `block`.
    ///
    /// # Panics
    /// If no block starts there.
    pub fn free(&mut self, block: u64) {
        match self {
            Self::FirstFit(heap) => heap.free(block),
            Self::LowestRun(heap) => heap.free(block),
        }
    }

    /// Allocates what `capacity` found that an empty heap grants, and frees it. The pages that a heap has
    /// grown by may stay its own.
    pub fn try_block(&mut self, size: u64) {
        if let Some(block) = self.alloc(size, 1) {
            self.free(block);
        }
    }

    /// The chunk list.
    #[must_use]
    pub const fn chunks(&self) -> &ChunkList {
        match self {
            Self::FirstFit(heap) => heap.chunks(),
            Self::LowestRun(heap) => heap.chunks(),
        }
    }
}
