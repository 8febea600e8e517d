//! The lowest run of free pages that is long enough: the policy of `page`.
//!
//! Requests are rounded up to whole pages. Each allocation is one chunk, and each maximal run of
//! free pages is one. Blocks are named by their first byte's offset; `realloc` is the default of
//! Rust's `GlobalAlloc`: allocate, copy, free.

use harness::declaration::Reserved;
use harness::geometry::PAGE_BYTES;

use crate::model::area::area;
use crate::model::chunk_list::ChunkList;

/// A heap under this policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LowestRun {
    runs: ChunkList,
}

impl LowestRun {
    /// A fresh heap in a region of `bytes` bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self {
            runs: ChunkList::new(area(Reserved::PageDescriptors, bytes)),
        }
    }

    /// Where `size` bytes are placed; `None` is null.
    pub fn alloc(&mut self, size: u64) -> Option<u64> {
        let need = size
            .checked_next_multiple_of(PAGE_BYTES)
            .filter(|&need| need > 0)?;
        let run = self.runs.free_chunks().find(|run| run.size >= need)?;
        self.runs.carve(run.index, 0, need);
        Some(run.offset)
    }

    /// Where the block lies once it has `size` bytes; `None` is null, and the block as it was.
    pub fn realloc(&mut self, block: u64, size: u64) -> Option<u64> {
        let moved = self.alloc(size)?;
        self.free(block);
        Some(moved)
    }

    /// Frees a block.
    pub fn free(&mut self, block: u64) {
        let (index, _) = self.runs.taken_at(block);
        self.runs.free(index);
    }

    /// Allocations and runs of free pages.
    #[must_use]
    pub const fn chunks(&self) -> &ChunkList {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = PAGE_BYTES;

    /// Six pages behind a page of descriptors.
    fn heap() -> LowestRun {
        LowestRun::new(7 * PAGE)
    }

    #[test]
    fn requests_are_rounded_up_and_placed_lowest() {
        let mut heap = heap();
        assert_eq!(heap.alloc(1), Some(PAGE));
        assert_eq!(heap.alloc(PAGE + 1), Some(2 * PAGE));
        assert_eq!(heap.alloc(PAGE), Some(4 * PAGE));
        assert_eq!(
            heap.chunks().brief(PAGE),
            "4 chunks: page 1 1 taken, page 2 2 taken, page 4 1 taken, page 5 2 free"
        );
        heap.free(2 * PAGE);
        assert_eq!(heap.alloc(3 * PAGE), None);
        assert_eq!(heap.alloc(PAGE), Some(2 * PAGE));
        assert_eq!(heap.alloc(2 * PAGE), Some(5 * PAGE));
    }

    #[test]
    fn the_last_run_is_tried_and_too_much_is_null() {
        assert_eq!(heap().alloc(6 * PAGE), Some(PAGE));
        for size in [0, 6 * PAGE + 1, u64::MAX - PAGE, u64::MAX] {
            assert_eq!(heap().alloc(size), None, "{size}");
        }
    }

    #[test]
    fn freed_runs_are_one_run() {
        let mut heap = heap();
        let blocks = [(); 3].map(|()| heap.alloc(2 * PAGE).expect("it fits"));
        heap.free(blocks[0]);
        heap.free(blocks[2]);
        heap.free(blocks[1]);
        assert_eq!(heap, self::heap());
    }

    #[test]
    fn a_realloc_moves_always() {
        let mut heap = heap();
        assert_eq!(heap.alloc(2 * PAGE), Some(PAGE));
        assert_eq!(heap.realloc(PAGE, PAGE), Some(3 * PAGE));
        assert_eq!(heap.realloc(3 * PAGE, 4 * PAGE), None);
        assert_eq!(
            heap.chunks().brief(PAGE),
            "3 chunks: page 1 2 free, page 3 1 taken, page 4 3 free"
        );
    }
}
