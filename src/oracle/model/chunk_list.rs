//! Chunks by address, the free apart from the taken ones, with the hash of them all: what the exact
//! model keeps. A change costs what it changes, not the whole list.
//!
//! Bytes that are in no chunk are *absent*: of a heap that grows, those that are not the heap's.
//!
//! Invariant between calls: both lists are in address order, no chunk is empty, no two share a
//! byte, no two free ones touch, and `hash` is that of all.

use harness::subject::Chunk;
use harness::table::ChunkHash;

/// A chunk of which the list says whether it is free: in two words, since a third that is only
/// partly written takes as long to copy as to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first byte, from the region's start.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

impl Span {
    const fn end(self) -> u64 {
        self.offset + self.size
    }

    const fn chunk(self, taken: bool) -> Chunk {
        let Self { offset, size } = self;
        Chunk {
            offset,
            size,
            taken,
        }
    }
}

/// The chunks of one heap.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkList {
    gaps: Vec<Span>,
    taken: Vec<Span>,
    hash: ChunkHash,
}

clone_in_place!(ChunkList { gaps, taken, hash });

impl ChunkList {
    /// No chunk.
    pub const EMPTY: Self = Self {
        gaps: Vec::new(),
        taken: Vec::new(),
        hash: ChunkHash::EMPTY,
    };

    /// Removes every chunk.
    pub fn clear(&mut self) {
        self.gaps.clear();
        self.taken.clear();
        self.hash = ChunkHash::EMPTY;
    }

    /// Every chunk, lowest first.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> {
        let gaps = self.gaps.iter().map(|gap| gap.chunk(false));
        let taken = self.taken.iter().map(|span| span.chunk(true));
        let mut chunks: Vec<_> = gaps.chain(taken).collect();
        chunks.sort_unstable_by_key(|chunk| chunk.offset);
        chunks.into_iter()
    }

    /// The free chunks, lowest first.
    #[must_use]
    pub fn gaps(&self) -> &[Span] {
        &self.gaps
    }

    /// The size of the taken chunk that starts at `offset`.
    ///
    /// # Panics
    /// If there is none: then whoever judges went on after subject and model had parted.
    #[must_use]
    #[inline]
    pub fn size_at(&self, offset: u64) -> u64 {
        self.taken[self.taken_index(offset)].size
    }

    /// The size of the free chunk that starts at `offset`; 0 if none does.
    #[must_use]
    #[inline]
    pub fn free_at(&self, offset: u64) -> u64 {
        self.size_of_gap(self.gap_index(offset), offset)
    }

    /// Takes `size` bytes of the free chunk at `index`, `front` bytes behind its start.
    ///
    /// # Panics
    /// If the chunk is smaller than that.
    #[inline]
    pub fn carve(&mut self, index: usize, front: u64, size: u64) {
        let gap = self.gaps[index];
        let offset = gap.offset + front;
        let taken = Span { offset, size };
        let rest = gap.size - front - size;
        match (front > 0, rest > 0) {
            (false, false) => self.remove_gap(index),
            (false, true) => self.replace_gap(index, taken.end(), rest),
            (true, false) => self.replace_gap(index, gap.offset, front),
            (true, true) => {
                self.replace_gap(index, gap.offset, front);
                self.insert_gap(index + 1, taken.end(), rest);
            }
        }
        let index = self.taken.partition_point(|span| span.offset < offset);
        self.taken.insert(index, taken);
        self.hash = self.hash.with(taken.chunk(true));
    }

    /// Makes the taken chunk at `offset` free, and one with its free neighbours.
    ///
    /// # Panics
    /// As [`Self::size_at`].
    #[inline]
    pub fn free(&mut self, offset: u64) {
        let span = self.taken.remove(self.taken_index(offset));
        self.hash = self.hash.without(span.chunk(true));
        self.add(offset, span.size);
    }

    /// Makes bytes that are in no chunk free, and one with their free neighbours.
    #[inline]
    pub fn add(&mut self, offset: u64, size: u64) {
        let behind = self.gap_index(offset);
        let right = self.size_of_gap(behind, offset + size);
        let before = behind.wrapping_sub(1);
        let left = self.gaps.get(before).copied();
        match left.filter(|gap| gap.end() == offset) {
            Some(left) => {
                if right > 0 {
                    self.remove_gap(behind);
                }
                self.replace_gap(before, left.offset, left.size + size + right);
            }
            None if right > 0 => self.replace_gap(behind, offset, size + right),
            None => self.insert_gap(behind, offset, size),
        }
    }

    /// Makes free bytes absent.
    ///
    /// # Panics
    /// If they are not all in one free chunk.
    pub fn withdraw(&mut self, offset: u64, size: u64) {
        let index = self.gaps.partition_point(|gap| gap.end() <= offset);
        let gap = self.gaps[index];
        let (front, rest) = (offset - gap.offset, gap.end() - offset - size);
        self.remove_gap(index);
        if rest > 0 {
            self.insert_gap(index, offset + size, rest);
        }
        if front > 0 {
            self.insert_gap(index, gap.offset, front);
        }
    }

    /// Makes each free chunk absent that no taken one touches, but for one at the region's start.
    pub fn remove_islands(&mut self) {
        for index in (0..self.gaps.len()).rev() {
            let gap = self.gaps[index];
            let touches = |span: &Span| span.end() == gap.offset || span.offset == gap.end();
            if gap.offset > 0 && !self.taken.iter().any(touches) {
                self.remove_gap(index);
            }
        }
    }

    /// Whether a byte is absent.
    #[must_use]
    pub fn is_absent(&self, offset: u64) -> bool {
        let covers = |span: &Span| (span.offset..span.end()).contains(&offset);
        !self.gaps.iter().chain(&self.taken).any(covers)
    }

    /// Makes the taken chunk at `offset` `size` bytes long, at the cost or to the good of a free
    /// chunk behind it.
    ///
    /// # Panics
    /// If there is not so much room, and as [`Self::size_at`].
    #[inline]
    pub fn resize(&mut self, offset: u64, size: u64) {
        let index = self.taken_index(offset);
        let taken = Span { offset, size };
        let old = std::mem::replace(&mut self.taken[index], taken);
        self.hash = self.hash.without(old.chunk(true)).with(taken.chunk(true));
        let behind = self.gap_index(offset);
        let free = self.size_of_gap(behind, old.end());
        let rest = old.size + free - size;
        match (free > 0, rest > 0) {
            (true, true) => self.replace_gap(behind, taken.end(), rest),
            (true, false) => self.remove_gap(behind),
            (false, true) => self.insert_gap(behind, taken.end(), rest),
            (false, false) => {}
        }
    }

    /// What the harness's walk over the same chunks would hash to.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash.value()
    }

    /// The list in a line.
    #[cfg(test)]
    pub fn brief(&self, unit: u64) -> String {
        crate::wording::chunks(unit, &self.chunks().collect())
    }

    /// The place of the first free chunk from `offset` on.
    fn gap_index(&self, offset: u64) -> usize {
        self.gaps.partition_point(|gap| gap.offset < offset)
    }

    /// The size of the free chunk at `index` if it starts at `offset`, else 0.
    fn size_of_gap(&self, index: usize, offset: u64) -> u64 {
        let gap = self.gaps.get(index).filter(|gap| gap.offset == offset);
        gap.map_or(0, |gap| gap.size)
    }

    fn taken_index(&self, offset: u64) -> usize {
        self.taken
            .binary_search_by_key(&offset, |span| span.offset)
            .expect("the model knows every live block")
    }

    fn insert_gap(&mut self, index: usize, offset: u64, size: u64) {
        let gap = Span { offset, size };
        self.gaps.insert(index, gap);
        self.hash = self.hash.with(gap.chunk(false));
    }

    fn replace_gap(&mut self, index: usize, offset: u64, size: u64) {
        let gap = Span { offset, size };
        let old = std::mem::replace(&mut self.gaps[index], gap);
        self.hash = self.hash.without(old.chunk(false)).with(gap.chunk(false));
    }

    fn remove_gap(&mut self, index: usize) {
        let gap = self.gaps.remove(index);
        self.hash = self.hash.without(gap.chunk(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(bytes: u64) -> ChunkList {
        let mut list = ChunkList::EMPTY;
        list.add(0, bytes);
        list
    }

    #[test]
    fn a_long_list_is_cut_in_brief() {
        let mut list = ChunkList::EMPTY;
        list.add(4096, 61_440);
        assert_eq!(list.brief(4096), "1 chunk: page 1 15 free");
        for _ in 0..12 {
            list.carve(0, 0, 4096);
        }
        assert!(
            list.brief(1)
                .starts_with("13 chunks: 0x1000 4096 taken, 0x2000 4096 taken, ")
        );
        assert!(list.brief(1).ends_with("0xc000 4096 taken, ..."));
    }

    #[test]
    fn what_is_absent_is_not_listed_and_keeps_neighbours_apart() {
        let mut list = list(16);
        assert_eq!(list.brief(1), "1 chunk: 0x0 16 free");
        list.add(32, 8);
        assert_eq!(list.brief(1), "2 chunks: 0x0 16 free, 0x20 8 free");
        assert_eq!(
            [15, 16, 32, 40].map(|at| list.is_absent(at)),
            [false, true, false, true]
        );
        list.add(40, 8);
        list.add(16, 8);
        assert_eq!(list.brief(1), "2 chunks: 0x0 24 free, 0x20 16 free");
        list.remove_islands();
        assert_eq!(list.brief(1), "1 chunk: 0x0 24 free");
        list.add(24, 40);
        assert_eq!(list, self::list(64));
        list.withdraw(16, 8);
        assert_eq!(list.brief(1), "2 chunks: 0x0 16 free, 0x18 40 free");
        list.carve(1, 8, 8);
        list.remove_islands();
        assert_eq!(
            list.brief(1),
            "4 chunks: 0x0 16 free, 0x18 8 free, 0x20 8 taken, 0x28 24 free"
        );
    }

    #[test]
    fn an_empty_area_has_no_chunks() {
        assert_eq!(ChunkList::EMPTY.brief(1), "0 chunks");
        assert_eq!(ChunkList::EMPTY.hash(), ChunkHash::EMPTY.value());
    }

    #[test]
    fn the_hash_tells_sizes_states_and_order() {
        let heap = |parts: &[(u64, u64)]| {
            let mut list = list(64);
            for &(front, size) in parts {
                list.carve(0, front, size);
            }
            let chunks = list.chunks();
            assert_eq!(
                list.hash(),
                chunks.fold(ChunkHash::EMPTY, ChunkHash::with).value()
            );
            list.hash()
        };
        let hashes = [
            heap(&[]),
            heap(&[(0, 64)]),
            heap(&[(0, 16)]),
            heap(&[(48, 16)]),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash));
        }
    }
}
