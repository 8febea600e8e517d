//! Chunks that tile an area, as a plain list: what both exact models keep.
//!
//! Invariant between calls: the sizes add up to the area's, no chunk is empty, and no two
//! neighbours are both free.

use std::ops::Range;

use harness::subject;
use harness::table::ChunkHash;

/// The most chunks in a brief text: about what a line still tells at a glance.
const BRIEF_CHUNKS_MAX: usize = 12;

/// One chunk, `size` in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Chunk {
    size: u64,
    taken: bool,
}

/// A free chunk that could be carved up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeChunk {
    /// Its place in the list.
    pub index: usize,
    /// Its first byte, from the region's start.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

/// The chunks of one heap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChunkList {
    start: u64,
    chunks: Vec<Chunk>,
}

impl ChunkList {
    /// One free chunk over the whole area; none over an empty one.
    #[must_use]
    pub fn new(area: Range<u64>) -> Self {
        let size = area.end - area.start;
        let chunks = if size > 0 {
            vec![Chunk { size, taken: false }]
        } else {
            Vec::new()
        };
        Self {
            start: area.start,
            chunks,
        }
    }

    /// Every chunk, lowest first.
    pub fn chunks(&self) -> impl Iterator<Item = subject::Chunk> {
        self.placed().map(|(_, offset, chunk)| subject::Chunk {
            offset,
            size: chunk.size,
            taken: chunk.taken,
        })
    }

    /// The free chunks, lowest first.
    pub fn free_chunks(&self) -> impl Iterator<Item = FreeChunk> {
        self.placed().filter(|(_, _, chunk)| !chunk.taken).map(
            |(index, offset, Chunk { size, .. })| FreeChunk {
                index,
                offset,
                size,
            },
        )
    }

    /// The place in the list and the size of the taken chunk that starts at `offset`.
    ///
    /// # Panics
    /// If there is none: then whoever judges went on after subject and model had parted.
    #[must_use]
    pub fn taken_at(&self, offset: u64) -> (usize, u64) {
        let found = self
            .placed()
            .find(|&(_, at, chunk)| at == offset && chunk.taken);
        let (index, _, chunk) = found.expect("the model knows every live block");
        (index, chunk.size)
    }

    /// The size of the free chunk right behind the one at `index`; 0 if that is taken.
    #[must_use]
    pub fn free_behind(&self, index: usize) -> u64 {
        self.chunks
            .get(index + 1)
            .filter(|chunk| !chunk.taken)
            .map_or(0, |chunk| chunk.size)
    }

    /// Replaces the free chunk at `index` by `front` free bytes, `size` taken ones, and a free rest.
    ///
    /// # Panics
    /// If the chunk is smaller than that.
    pub fn carve(&mut self, index: usize, front: u64, size: u64) {
        let rest = self.chunks[index].size - front - size;
        let parts = [(front, false), (size, true), (rest, false)];
        let parts = parts.into_iter().filter(|&(size, _)| size > 0);
        self.chunks.splice(
            index..=index,
            parts.map(|(size, taken)| Chunk { size, taken }),
        );
    }

    /// Makes the chunk at `index` free, and one with its free neighbours.
    pub fn free(&mut self, index: usize) {
        self.chunks[index].taken = false;
        self.chunks.dedup_by(|chunk, before| {
            let both_free = !chunk.taken && !before.taken;
            before.size += if both_free { chunk.size } else { 0 };
            both_free
        });
    }

    /// Makes the taken chunk at `index` `size` bytes long, at the cost or to the good of a free
    /// chunk behind it.
    ///
    /// # Panics
    /// If there is not so much room.
    pub fn resize(&mut self, index: usize, size: u64) {
        let room = self.chunks[index].size + self.free_behind(index);
        let behind = index + usize::from(self.free_behind(index) > 0);
        let parts = [(size, true), (room - size, false)];
        let parts = parts.into_iter().filter(|&(size, _)| size > 0);
        self.chunks.splice(
            index..=behind,
            parts.map(|(size, taken)| Chunk { size, taken }),
        );
    }

    /// What the harness's walk over the same chunks would hash to.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.chunks()
            .fold(ChunkHash::EMPTY, ChunkHash::with)
            .value()
    }

    /// The list in a line: `2 chunks: 0x0 32 taken, 0x20 160 free`; in units of more than a byte,
    /// `2 chunks: page 1 3 taken, page 4 60 free`. Of a long list, the start.
    #[must_use]
    pub fn brief(&self, unit: u64) -> String {
        let count = self.chunks.len();
        let mut text = format!("{count} chunk{}", if count == 1 { "" } else { "s" });
        for (index, offset, Chunk { size, taken }) in self.placed().take(BRIEF_CHUNKS_MAX) {
            text += if index == 0 { ": " } else { ", " };
            text += &match unit {
                1 => format!("{offset:#x} {size} "),
                _ => format!("page {} {} ", offset / unit, size / unit),
            };
            text += if taken { "taken" } else { "free" };
        }
        text + if self.chunks.len() > BRIEF_CHUNKS_MAX {
            ", ..."
        } else {
            ""
        }
    }

    fn placed(&self) -> impl Iterator<Item = (usize, u64, Chunk)> {
        self.chunks
            .iter()
            .enumerate()
            .scan(self.start, |end, (index, &chunk)| {
                let offset = *end;
                *end += chunk.size;
                Some((index, offset, chunk))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_in_brief() {
        let mut list = ChunkList::new(4096..65_536);
        assert_eq!(list.brief(4096), "1 chunk: page 1 15 free");
        for index in 0..12 {
            list.carve(index, 0, 4096);
        }
        assert!(
            list.brief(1)
                .starts_with("13 chunks: 0x1000 4096 taken, 0x2000 4096 taken, ")
        );
        assert!(list.brief(1).ends_with("0xc000 4096 taken, ..."));
    }

    #[test]
    fn an_empty_area_has_no_chunks() {
        assert_eq!(ChunkList::new(0..0).brief(1), "0 chunks");
        assert_eq!(ChunkList::new(0..0).hash(), ChunkHash::EMPTY.value());
    }

    #[test]
    fn the_hash_tells_sizes_states_and_order() {
        let heap = |parts: &[(u64, u64)]| {
            let mut list = ChunkList::new(0..64);
            for (index, &(front, size)) in parts.iter().enumerate() {
                list.carve(index, front, size);
            }
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
