//! The policies: where a subject that declares one places its blocks, and the chunk list that it
//! leaves.
//!
//! - What a request takes, and of which chunk, is in `fit`.
//! - A freed chunk merges with both neighbours at once.
//! - In place, `realloc` shrinks, or grows into a free successor; else it allocates, copies, frees,
//!   as it always does where runs of pages are placed.
//!
//! A heap that grows does so where all of that would come to null, and then it is done again. For a
//! `realloc`, pages that lie right behind the block, or behind its free successor, come first.
//!
//! Blocks are named by their payload's offset.

use std::fmt::Debug;

use harness::declaration::{Policy, Reserved};
use harness::geometry::Geometry;
use harness::subject::Chunk;

use crate::oracle::model::area::area;
use crate::oracle::model::chunk_list::ChunkList;
use crate::oracle::model::fit::{chunk_for, find, header, room, taken_of};
use crate::oracle::model::pages;

/// Where a policy places blocks.
pub trait Placing: Clone + Debug {
    /// A fresh heap.
    fn new(policy: Policy, geometry: Geometry) -> Self;

    /// Starts again with another fresh heap.
    fn reset(&mut self, policy: Policy, geometry: Geometry) {
        *self = Self::new(policy, geometry);
    }

    /// The offset at which `size` bytes are placed; `None` is null.
    fn alloc(&mut self, size: u64, align: u64) -> Option<u64>;

    /// The offset of the block at `block` once it has `size` bytes; `None` is null, and the block
    /// as it was.
    fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64>;

    /// Frees the block at `block`.
    ///
    /// # Panics
    /// If no block starts there.
    fn free(&mut self, block: u64);

    /// Allocates what `capacity` found that an empty heap grants, and frees it. The pages that a
    /// heap has grown by may stay its own.
    fn try_block(&mut self, size: u64) {
        if let Some(block) = self.alloc(size, 1) {
            self.free(block);
        }
    }

    /// The hash of the chunk list.
    fn hash(&self) -> u64;

    /// The chunk list, lowest first.
    fn table(&self) -> impl Iterator<Item = Chunk>;
}

/// A heap that places blocks as a policy says.
#[derive(Debug, PartialEq, Eq)]
pub struct Exact {
    policy: Policy,
    geometry: Geometry,
    chunks: ChunkList,
}

clone_in_place!(Exact {
    policy,
    geometry,
    chunks
});

impl Placing for Exact {
    fn new(policy: Policy, geometry: Geometry) -> Self {
        let chunks = ChunkList::EMPTY;
        let mut heap = Self {
            policy,
            geometry,
            chunks,
        };
        heap.reset(policy, geometry);
        heap
    }

    fn reset(&mut self, policy: Policy, geometry: Geometry) {
        (self.policy, self.geometry) = (policy, geometry);
        self.chunks.clear();
        let first = match policy {
            Policy::FirstFit => 0..geometry.first_bytes(),
            Policy::LowestRun => area(Reserved::PageDescriptors, geometry.bytes()),
        };
        if !first.is_empty() {
            self.chunks.add(first.start, first.end - first.start);
        }
    }

    #[inline]
    fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        let need = chunk_for(self.policy, size)?;
        let mut found = find(self.policy, &self.chunks, need, align);
        if found.is_none() && self.grow(need, align) {
            found = find(self.policy, &self.chunks, need, align);
        }
        let (index, front) = found?;
        let gap = self.chunks.gaps()[index];
        let size = taken_of(self.policy, need, gap.size - front);
        self.chunks.carve(index, front, size);
        Some(gap.offset + front + header(self.policy))
    }

    #[inline]
    fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64> {
        let need = chunk_for(self.policy, size)?;
        let mut stays = self.resize(block, need);
        if !stays && self.grows() && find(self.policy, &self.chunks, need, align).is_none() {
            let grown = self.grow_behind(block, need) || self.grow(need, align);
            // In new pages, it may have a place where it is.
            stays = grown && self.resize(block, need);
        }
        if stays {
            return Some(block);
        }
        let moved = self.alloc(size, align)?;
        self.free(block);
        Some(moved)
    }

    #[inline]
    fn free(&mut self, block: u64) {
        self.chunks.free(block - header(self.policy));
        if self.grows() {
            self.chunks.remove_islands();
        }
    }

    #[inline]
    fn hash(&self) -> u64 {
        self.chunks.hash()
    }

    fn table(&self) -> impl Iterator<Item = Chunk> {
        self.chunks.chunks()
    }
}

impl Exact {
    /// The chunk list.
    #[must_use]
    pub const fn chunks(&self) -> &ChunkList {
        &self.chunks
    }

    const fn grows(&self) -> bool {
        !self.geometry.growth().is_none()
    }

    /// Whether the block could be made a chunk of `need` bytes where it is.
    fn resize(&mut self, block: u64, need: u64) -> bool {
        if self.policy == Policy::LowestRun {
            return false;
        }
        let chunk = block - header(self.policy);
        let old = self.chunks.size_at(chunk);
        // What a shrunk block gives back is merged with a free chunk behind; what is too small to
        // be split off stays, even if there is one.
        let room = match need <= old {
            true => old,
            false => room(&self.chunks, chunk),
        };
        if need > room {
            return false;
        }
        self.chunks.resize(chunk, taken_of(self.policy, need, room));
        true
    }

    /// Takes the pages behind a block that it needs to stay where it is, if they are nobody's.
    fn grow_behind(&mut self, block: u64, need: u64) -> bool {
        let chunk = block - header(self.policy);
        let end = chunk + room(&self.chunks, chunk);
        let fits = |chunks: &ChunkList| room(chunks, chunk) >= need;
        pages::grow_at(self.geometry, &mut self.chunks, end, fits)
    }

    /// Takes the pages that a request needs, if there are enough.
    fn grow(&mut self, need: u64, align: u64) -> bool {
        let policy = self.policy;
        let fits = |chunks: &ChunkList| find(policy, chunks, need, align).is_some();
        self.grows() && pages::grow(self.geometry, &mut self.chunks, fits)
    }
}

#[cfg(test)]
mod tests {
    use harness::geometry::PAGE_BYTES as PAGE;

    use super::*;

    /// A heap of 160 bytes after so many allocs with alignment 8.
    fn heap(sizes: &[u64]) -> Exact {
        let mut heap = Exact::new(Policy::FirstFit, Geometry::from_bytes(160).unwrap());
        for &size in sizes {
            heap.alloc(size, 8).expect("it fits");
        }
        heap
    }

    #[track_caller]
    fn assert_chunks(heap: &Exact, expected: &str) {
        assert_eq!(heap.chunks().brief(1), expected);
    }

    #[test]
    fn payloads_are_multiples_of_8_and_never_smaller() {
        assert_chunks(
            &heap(&[0, 1, 9]),
            "4 chunks: 0x0 16 taken, 0x10 16 taken, 0x20 24 taken, 0x38 104 free",
        );
    }

    #[test]
    fn a_remainder_of_16_is_split_and_of_8_is_absorbed() {
        assert_chunks(&heap(&[136]), "2 chunks: 0x0 144 taken, 0x90 16 free");
        assert_chunks(&heap(&[144]), "1 chunk: 0x0 160 taken");
        assert_chunks(&heap(&[152]), "1 chunk: 0x0 160 taken");
    }

    #[test]
    fn what_is_too_large_is_null() {
        for size in [
            153,
            1 << 62,
            u64::MAX - 16,
            u64::MAX - 8,
            u64::MAX - 7,
            u64::MAX,
        ] {
            assert_eq!(heap(&[]).alloc(size, 8), None, "{size}");
            let mut used = heap(&[8]);
            assert_eq!(used.realloc(8, size, 8), None, "{size}");
            assert_eq!(used, heap(&[8]));
        }
    }

    #[test]
    fn the_lowest_fitting_chunk_is_taken() {
        let mut heap = heap(&[24, 8, 40, 8]);
        heap.free(8);
        heap.free(56);
        assert_eq!(heap.alloc(32, 8), Some(56));
        assert_eq!(heap.alloc(24, 8), Some(8));
    }

    #[test]
    fn a_front_gap_is_0_or_a_chunk() {
        // An offset of 8 is 24 bytes short of 32, 8 short of 16, and aligned to 8.
        assert_eq!(heap(&[]).alloc(8, 1), Some(8));
        assert_eq!(heap(&[]).alloc(8, 8), Some(8));
        assert_eq!(heap(&[]).alloc(8, 32), Some(32));
        let mut sixteen = heap(&[]);
        assert_eq!(sixteen.alloc(8, 16), Some(32));
        assert_chunks(
            &sixteen,
            "3 chunks: 0x0 24 free, 0x18 16 taken, 0x28 120 free",
        );
        let mut no_gap = heap(&[16]);
        assert_eq!(no_gap.alloc(8, 32), Some(32));
        assert_chunks(
            &no_gap,
            "3 chunks: 0x0 24 taken, 0x18 16 taken, 0x28 120 free",
        );
    }

    #[test]
    fn an_aligned_request_skips_a_chunk_it_does_not_fit_in() {
        let mut heap = heap(&[24, 8]);
        heap.free(8);
        // At 8 and at 56 the next multiple of 16 would leave 8 bytes in front.
        assert_eq!(heap.alloc(8, 16), Some(80));
        assert_eq!(heap.alloc(8, 1 << 21), None);
    }

    #[test]
    fn a_freed_chunk_merges_with_both_neighbours() {
        let mut heap = heap(&[8, 8, 8, 8]);
        heap.free(8);
        heap.free(40);
        assert_chunks(
            &heap,
            "5 chunks: 0x0 16 free, 0x10 16 taken, 0x20 16 free, 0x30 16 taken, 0x40 96 free",
        );
        heap.free(24);
        assert_chunks(&heap, "3 chunks: 0x0 48 free, 0x30 16 taken, 0x40 96 free");
        heap.free(56);
        assert_chunks(&heap, "1 chunk: 0x0 160 free");
    }

    #[test]
    fn a_shrink_splits_off_16_and_merges_it() {
        let mut between = heap(&[32, 8]);
        assert_eq!(between.realloc(8, 16, 8), Some(8));
        assert_chunks(
            &between,
            "4 chunks: 0x0 24 taken, 0x18 16 free, 0x28 16 taken, 0x38 104 free",
        );
        let mut open = heap(&[32]);
        assert_eq!(open.realloc(8, 16, 8), Some(8));
        assert_chunks(&open, "2 chunks: 0x0 24 taken, 0x18 136 free");
        let mut little = heap(&[32]);
        assert_eq!(little.realloc(8, 24, 8), Some(8));
        assert_chunks(&little, "2 chunks: 0x0 40 taken, 0x28 120 free");
    }

    #[test]
    fn a_growth_takes_from_the_free_chunk_behind() {
        let mut grown = heap(&[8]);
        assert_eq!(grown.realloc(8, 40, 8), Some(8));
        assert_chunks(&grown, "2 chunks: 0x0 48 taken, 0x30 112 free");
        assert_eq!(grown.realloc(8, 144, 8), Some(8));
        assert_chunks(&grown, "1 chunk: 0x0 160 taken");
    }

    #[test]
    fn a_growth_without_room_moves_and_frees_the_old_block() {
        let mut heap = heap(&[8, 8, 8]);
        heap.free(8);
        assert_eq!(heap.realloc(24, 16, 8), Some(56));
        assert_chunks(
            &heap,
            "4 chunks: 0x0 32 free, 0x20 16 taken, 0x30 24 taken, 0x48 88 free",
        );
        assert_eq!(heap.realloc(40, 88, 8), None);
        assert_eq!(heap.realloc(40, 80, 8), Some(80));
        assert_chunks(&heap, "3 chunks: 0x0 48 free, 0x30 24 taken, 0x48 88 taken");
    }

    #[test]
    fn a_moved_block_keeps_its_alignment() {
        let mut heap = heap(&[]);
        assert_eq!(heap.alloc(8, 32), Some(32));
        assert_eq!(heap.alloc(8, 8), Some(8));
        assert_eq!([heap.alloc(8, 8), heap.alloc(8, 8)], [Some(48), Some(64)]);
        assert_eq!(heap.realloc(32, 24, 32), Some(96));
    }

    /// Six pages behind a page of descriptors.
    fn pages() -> Exact {
        Exact::new(Policy::LowestRun, Geometry::from_pages(7).unwrap())
    }

    #[test]
    fn requests_are_rounded_up_and_placed_lowest() {
        let mut heap = pages();
        assert_eq!(heap.alloc(1, 8), Some(PAGE));
        assert_eq!(heap.alloc(PAGE + 1, 8), Some(2 * PAGE));
        assert_eq!(heap.alloc(PAGE, 8), Some(4 * PAGE));
        assert_eq!(
            heap.chunks().brief(PAGE),
            "4 chunks: page 1 1 taken, page 2 2 taken, page 4 1 taken, page 5 2 free"
        );
        heap.free(2 * PAGE);
        assert_eq!(heap.alloc(3 * PAGE, 8), None);
        assert_eq!(heap.alloc(PAGE, 8), Some(2 * PAGE));
        assert_eq!(heap.alloc(2 * PAGE, 8), Some(5 * PAGE));
    }

    #[test]
    fn the_last_run_is_tried_and_too_much_is_null() {
        assert_eq!(pages().alloc(6 * PAGE, 8), Some(PAGE));
        for size in [0, 6 * PAGE + 1, u64::MAX - PAGE, u64::MAX] {
            assert_eq!(pages().alloc(size, 8), None, "{size}");
        }
    }

    #[test]
    fn freed_runs_are_one_run() {
        let mut heap = pages();
        let blocks = [(); 3].map(|()| heap.alloc(2 * PAGE, 8).expect("it fits"));
        heap.free(blocks[0]);
        heap.free(blocks[2]);
        heap.free(blocks[1]);
        assert_eq!(heap, pages());
    }

    #[test]
    fn a_realloc_moves_always() {
        let mut heap = pages();
        assert_eq!(heap.alloc(2 * PAGE, 8), Some(PAGE));
        assert_eq!(heap.realloc(PAGE, PAGE, 8), Some(3 * PAGE));
        assert_eq!(heap.realloc(3 * PAGE, 4 * PAGE, 8), None);
        assert_eq!(
            heap.chunks().brief(PAGE),
            "3 chunks: page 1 2 free, page 3 1 taken, page 4 3 free"
        );
    }
}
