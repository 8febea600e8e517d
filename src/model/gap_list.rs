//! The exact placement again, for searching: only the gaps are listed, and the hash of the chunk
//! list is kept instead of the list.
//!
//! It does what [`super::first_fit`] and [`super::lowest_run`] do, in time that does not grow with
//! the number of taken chunks; those are what it is tested against, and what a find is judged by.
//!
//! Invariant between calls: gaps are in address order, none is empty and no two touch; `hash` is
//! that of all gaps and all taken chunks.

use std::ops::Range;

use harness::declaration::{Overhead, Policy};
use harness::subject::Chunk;
use harness::table::ChunkHash;

use super::area::area;

/// What every payload is aligned to, whatever was asked for.
const ALIGN_MIN: u64 = 8;

/// The gaps of one heap.
#[derive(Clone, Debug)]
pub struct GapList {
    header: u64,
    /// A power of two.
    granularity: u64,
    chunk_min: u64,
    /// Whether `realloc` tries to stay in place.
    resizes: bool,
    gaps: Vec<Gap>,
    hash: ChunkHash,
}

/// A free chunk, in two words: a third that is only partly written takes as long to copy as to find.
#[derive(Clone, Copy, Debug)]
struct Gap {
    offset: u64,
    size: u64,
}

impl Gap {
    const fn chunk(self) -> Chunk {
        Chunk {
            offset: self.offset,
            size: self.size,
            taken: false,
        }
    }
}

impl GapList {
    /// A list that must be [reset](Self::reset) before it is used.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header: 0,
            granularity: 1,
            chunk_min: 1,
            resizes: false,
            gaps: Vec::new(),
            hash: ChunkHash::EMPTY,
        }
    }

    /// A fresh heap in a region of `bytes` bytes.
    pub fn reset(&mut self, policy: Policy, overhead: Overhead, bytes: u64) {
        let Range { start, end } = area(overhead.reserved, bytes);
        self.header = overhead.header;
        self.granularity = overhead.granularity;
        self.chunk_min = overhead.chunk_min;
        self.resizes = policy == Policy::FirstFit;
        self.gaps.clear();
        self.hash = ChunkHash::EMPTY;
        if start < end {
            self.insert(0, start, end - start);
        }
    }

    /// The hash of the chunk list.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// Where the payload of a taken chunk starts.
    #[must_use]
    pub const fn payload(&self, chunk: Chunk) -> u64 {
        chunk.offset + self.header
    }

    /// The chunk that `size` bytes get; `None` is null.
    pub fn alloc(&mut self, size: u64, align: u64) -> Option<Chunk> {
        let need = self.chunk_for(size)?;
        let (index, front) = if align <= ALIGN_MIN {
            (self.gaps.iter().position(|gap| need <= gap.size)?, 0)
        } else {
            self.gaps.iter().enumerate().find_map(|(index, gap)| {
                let front = self.front_gap(gap.offset, align);
                let fits = front <= gap.size && need <= gap.size - front;
                fits.then_some((index, front))
            })?
        };
        let gap = self.gaps[index];
        let chunk = self.taken(gap.offset + front, need, gap.size - front);
        let rest = gap.size - front - chunk.size;
        match (front > 0, rest > 0) {
            (false, false) => self.remove(index),
            (false, true) => self.replace(index, chunk.offset + chunk.size, rest),
            (true, false) => self.replace(index, gap.offset, front),
            (true, true) => {
                self.replace(index, gap.offset, front);
                self.insert(index + 1, chunk.offset + chunk.size, rest);
            }
        }
        Some(chunk)
    }

    /// The chunk that holds a block once it has `size` bytes; `None` is null, and the chunk stays.
    pub fn realloc(&mut self, old: Chunk, size: u64, align: u64) -> Option<Chunk> {
        let need = self.chunk_for(size)?;
        if self.resizes {
            let behind = self.behind(old);
            let gap = self.gaps.get(behind);
            let next = gap.filter(|gap| gap.offset == old.offset + old.size);
            let free = next.map_or(0, |gap| gap.size);
            let room = old.size + free;
            let within = if need <= old.size { old.size } else { room };
            if need <= within {
                self.hash = self.hash.without(old);
                let chunk = self.taken(old.offset, need, within);
                let (at, rest) = (chunk.offset + chunk.size, room - chunk.size);
                match (free > 0, rest > 0) {
                    (true, true) => self.replace(behind, at, rest),
                    (true, false) => self.remove(behind),
                    (false, true) => self.insert(behind, at, rest),
                    (false, false) => {}
                }
                return Some(chunk);
            }
        }
        let moved = self.alloc(size, align)?;
        self.free(old);
        Some(moved)
    }

    /// Frees a taken chunk.
    pub fn free(&mut self, chunk: Chunk) {
        self.hash = self.hash.without(chunk);
        let behind = self.behind(chunk);
        let end = chunk.offset + chunk.size;
        let right = self.gaps.get(behind).filter(|gap| gap.offset == end);
        let right = right.map(|gap| gap.size);
        let before = behind.wrapping_sub(1);
        let left = self.gaps.get(before).copied();
        match left.filter(|gap| gap.offset + gap.size == chunk.offset) {
            Some(left) => {
                if right.is_some() {
                    self.remove(behind);
                }
                let size = left.size + chunk.size + right.unwrap_or(0);
                self.replace(before, left.offset, size);
            }
            None => match right {
                Some(right) => self.replace(behind, chunk.offset, chunk.size + right),
                None => self.insert(behind, chunk.offset, chunk.size),
            },
        }
    }

    /// The place of the first gap behind a taken chunk.
    fn behind(&self, chunk: Chunk) -> usize {
        self.gaps.partition_point(|gap| gap.offset < chunk.offset)
    }

    fn insert(&mut self, index: usize, offset: u64, size: u64) {
        let gap = Gap { offset, size };
        self.gaps.insert(index, gap);
        self.hash = self.hash.with(gap.chunk());
    }

    fn replace(&mut self, index: usize, offset: u64, size: u64) {
        let gap = Gap { offset, size };
        let old = std::mem::replace(&mut self.gaps[index], gap);
        self.hash = self.hash.without(old.chunk()).with(gap.chunk());
    }

    fn remove(&mut self, index: usize) {
        let gap = self.gaps.remove(index);
        self.hash = self.hash.without(gap.chunk());
    }

    /// A taken chunk for `need` bytes where there is room for `room`: a rest too small to be a
    /// chunk is absorbed.
    fn taken(&mut self, offset: u64, need: u64, room: u64) -> Chunk {
        let chunk = Chunk {
            offset,
            size: if room - need >= self.chunk_min {
                need
            } else {
                room
            },
            taken: true,
        };
        self.hash = self.hash.with(chunk);
        chunk
    }

    fn chunk_for(&self, size: u64) -> Option<u64> {
        let least = self.chunk_min - self.header;
        let payload = size.max(least).checked_add(self.granularity - 1)?;
        (payload & !(self.granularity - 1)).checked_add(self.header)
    }

    /// How far into a gap the lowest chunk may start whose payload has an `align` above
    /// [`ALIGN_MIN`].
    fn front_gap(&self, gap: u64, align: u64) -> u64 {
        let lowest = gap + self.header;
        let mut payload = lowest.next_multiple_of(align);
        while payload > lowest && payload - lowest < self.chunk_min {
            payload += align;
        }
        payload - lowest
    }
}

impl Default for GapList {
    fn default() -> Self {
        Self::new()
    }
}
