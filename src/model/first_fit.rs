//! Address-ordered first fit over chunks with 8-byte headers: the policy of `kmem`.
//!
//! - payload = max(8, the request rounded up to 8); chunk = payload + header;
//! - a remainder of at least 16 bytes becomes a free chunk, a smaller one is absorbed;
//! - an aligned request takes the lowest chunk in which its payload fits at an aligned offset with
//!   a front gap of 0 or at least 16 bytes; the gap stays a free chunk;
//! - a freed chunk merges with both neighbours at once;
//! - `realloc` shrinks in place, grows in place into a free successor, else moves.
//!
//! A heap that grows does so where all of that would come to null, and then it is done again. For a
//! `realloc`, pages that lie right behind the block, or behind its free successor, come first.
//!
//! Blocks are named by their payload's offset.

use harness::geometry::Geometry;

use crate::model::chunk_list::{ChunkList, FreeChunk};
use crate::model::pages;

const HEADER_BYTES: u64 = 8;
const PAYLOAD_BYTES_MIN: u64 = 8;
const CHUNK_BYTES_MIN: u64 = HEADER_BYTES + PAYLOAD_BYTES_MIN;

/// A heap under this policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FirstFit {
    chunks: ChunkList,
    geometry: Geometry,
}

impl FirstFit {
    /// A fresh heap.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        Self {
            chunks: pages::fresh(geometry),
            geometry,
        }
    }

    /// Where `size` bytes are placed; `None` is null.
    pub fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        let need = chunk_for(size)?;
        let found = find(&self.chunks, need, align);
        let (chunk, front) = match found {
            Some(found) => found,
            None if self.grow(need, align) => find(&self.chunks, need, align)?,
            None => return None,
        };
        self.chunks
            .carve(chunk.index, front, taken_of(need, chunk.size - front));
        Some(chunk.offset + front + HEADER_BYTES)
    }

    /// Where the block lies once it has `size` bytes; `None` is null, and the block as it was.
    pub fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64> {
        let need = chunk_for(size)?;
        let mut stays = self.resize(block, need);
        if !stays && find(&self.chunks, need, align).is_none() {
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

    /// Whether the block could be made a chunk of `need` bytes where it is.
    fn resize(&mut self, block: u64, need: u64) -> bool {
        let (index, old) = self.chunks.taken_at(block - HEADER_BYTES);
        let behind = self.chunks.free_behind(index);
        if need <= old {
            // What is split off is merged with a free chunk behind; what is too small to be split
            // off stays, even if there is one.
            self.chunks.resize(index, taken_of(need, old));
        } else if need <= old + behind {
            self.chunks.resize(index, taken_of(need, old + behind));
        } else {
            return false;
        }
        true
    }

    /// Takes the pages behind a block that it needs to stay where it is, if they are nobody's.
    fn grow_behind(&mut self, block: u64, need: u64) -> bool {
        let chunk = block - HEADER_BYTES;
        let room = |chunks: &ChunkList| {
            let (index, size) = chunks.taken_at(chunk);
            size + chunks.free_behind(index)
        };
        let end = chunk + room(&self.chunks);
        let fits = |chunks: &ChunkList| room(chunks) >= need;
        pages::grow_at(self.geometry, &mut self.chunks, end, fits)
    }

    /// Takes the pages that a request needs, if there are enough.
    fn grow(&mut self, need: u64, align: u64) -> bool {
        let fits = |chunks: &ChunkList| find(chunks, need, align).is_some();
        pages::grow(self.geometry, &mut self.chunks, fits)
    }

    /// Frees a block.
    pub fn free(&mut self, block: u64) {
        let (index, _) = self.chunks.taken_at(block - HEADER_BYTES);
        self.chunks.free(index);
        self.chunks.remove_islands();
    }

    /// The chunks.
    #[must_use]
    pub const fn chunks(&self) -> &ChunkList {
        &self.chunks
    }
}

/// The lowest free chunk in which a chunk of `need` bytes fits, and its front gap there.
fn find(chunks: &ChunkList, need: u64, align: u64) -> Option<(FreeChunk, u64)> {
    chunks.free_chunks().find_map(|chunk| {
        let front = front_gap(chunk.offset, align);
        let fits = front <= chunk.size && need <= chunk.size - front;
        fits.then_some((chunk, front))
    })
}

fn chunk_for(size: u64) -> Option<u64> {
    size.max(PAYLOAD_BYTES_MIN)
        .checked_next_multiple_of(8)?
        .checked_add(HEADER_BYTES)
}

/// The chunk that `need` bytes become where there is room for `room`.
const fn taken_of(need: u64, room: u64) -> u64 {
    if room - need >= CHUNK_BYTES_MIN {
        need
    } else {
        room
    }
}

/// How far into the free chunk at `chunk` the lowest header may lie whose payload is aligned.
fn front_gap(chunk: u64, align: u64) -> u64 {
    let align = align.max(PAYLOAD_BYTES_MIN);
    let lowest = chunk + HEADER_BYTES;
    let mut payload = lowest.next_multiple_of(align);
    while payload > lowest && payload - lowest < CHUNK_BYTES_MIN {
        payload += align;
    }
    payload - lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heap of 160 bytes after so many allocs with alignment 8.
    fn heap(sizes: &[u64]) -> FirstFit {
        let mut heap = FirstFit::new(Geometry::from_bytes(160).unwrap());
        for &size in sizes {
            heap.alloc(size, 8).expect("it fits");
        }
        heap
    }

    #[track_caller]
    fn assert_chunks(heap: &FirstFit, expected: &str) {
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
}
