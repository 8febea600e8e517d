//! Chunks that tile an area, as a plain list: what both exact models keep.
//!
//! A part of the area that is not the heap's, as of one that grows, is *absent*: it stands in the list and
//! is no chunk.
//!
//! Invariant between calls: the sizes add up to the area's, no chunk is empty, and no two
//! neighbours are both free, or both absent.

use std::ops::Range;

use harness::subject;
use harness::table::ChunkHash;

/// One chunk, `size` in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Chunk {
    size: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Free,
    Taken,
    Absent,
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
            vec![Chunk {
                size,
                state: State::Free,
            }]
        } else {
            Vec::new()
        };
        Self {
            start: area.start,
            chunks,
        }
    }

    /// Every chunk, lowest first; what is absent is none.
    pub fn chunks(&self) -> impl Iterator<Item = subject::Chunk> {
        let present = self
            .placed()
            .filter(|(_, _, chunk)| chunk.state != State::Absent);
        present.map(|(_, offset, Chunk { size, state })| subject::Chunk {
            offset,
            size,
            taken: state == State::Taken,
        })
    }

    /// The free chunks, lowest first.
    pub fn free_chunks(&self) -> impl Iterator<Item = FreeChunk> {
        self.placed()
            .filter(|(_, _, chunk)| chunk.state == State::Free)
            .map(|(index, offset, Chunk { size, .. })| FreeChunk {
                index,
                offset,
                size,
            })
    }

    /// The place in the list and the size of the taken chunk that starts at `offset`.
    ///
    /// # Panics
    /// If there is none: then whoever judges went on after subject and model had parted.
    #[must_use]
    pub fn taken_at(&self, offset: u64) -> (usize, u64) {
        let found = self
            .placed()
            .find(|&(_, at, chunk)| at == offset && chunk.state == State::Taken);
        let (index, _, chunk) = found.expect("the model knows every live block");
        (index, chunk.size)
    }

    /// The size of the free chunk right behind the one at `index`; 0 if there is none.
    #[must_use]
    pub fn free_behind(&self, index: usize) -> u64 {
        self.chunks
            .get(index + 1)
            .filter(|chunk| chunk.state == State::Free)
            .map_or(0, |chunk| chunk.size)
    }

    /// Replaces the free chunk at `index` by `front` free bytes, `size` taken ones, and a free rest.
    ///
    /// # Panics
    /// If the chunk is smaller than that.
    pub fn carve(&mut self, index: usize, front: u64, size: u64) {
        let rest = self.chunks[index].size - front - size;
        let parts = [
            (front, State::Free),
            (size, State::Taken),
            (rest, State::Free),
        ];
        self.replace(index..index + 1, &parts);
    }

    /// Makes the chunk at `index` free, and one with its free neighbours.
    pub fn free(&mut self, index: usize) {
        self.chunks[index].state = State::Free;
        self.join();
    }

    /// Makes the chunk at `index` absent.
    pub fn remove(&mut self, index: usize) {
        self.chunks[index].state = State::Absent;
        self.join();
    }

    /// Makes a part of what is absent free.
    ///
    /// # Panics
    /// If not all of it is absent.
    pub fn add(&mut self, offset: u64, size: u64) {
        let covers = |&(_, at, chunk): &(usize, u64, Chunk)| offset < at + chunk.size;
        let (index, at, chunk) = self.placed().find(covers).expect("it is in the area");
        assert_eq!(chunk.state, State::Absent);
        let (front, rest) = (offset - at, at + chunk.size - offset - size);
        let parts = [
            (front, State::Absent),
            (size, State::Free),
            (rest, State::Absent),
        ];
        self.replace(index..index + 1, &parts);
        self.join();
    }

    /// Makes each free chunk absent that lies between what is absent, or between that and the end.
    pub fn remove_islands(&mut self) {
        let absent = |chunk: Option<&Chunk>| chunk.map(|chunk| chunk.state == State::Absent);
        for index in 1..self.chunks.len() {
            let before = absent(self.chunks.get(index - 1)) == Some(true);
            let behind = absent(self.chunks.get(index + 1)) != Some(false);
            if before && behind && self.chunks[index].state == State::Free {
                self.chunks[index].state = State::Absent;
            }
        }
        self.join();
    }

    /// Whether a byte is absent.
    #[must_use]
    pub fn is_absent(&self, offset: u64) -> bool {
        let mut placed = self.placed();
        let covering = placed.find(|(_, at, chunk)| offset < at + chunk.size);
        covering.is_some_and(|(_, _, chunk)| chunk.state == State::Absent)
    }

    /// Makes one of neighbours that are both free, or both absent.
    fn join(&mut self) {
        self.chunks.dedup_by(|chunk, before| {
            let alike = chunk.state == before.state && chunk.state != State::Taken;
            before.size += if alike { chunk.size } else { 0 };
            alike
        });
    }

    fn replace(&mut self, range: Range<usize>, parts: &[(u64, State)]) {
        let parts = parts.iter().filter(|(size, _)| *size > 0);
        let chunks = parts.map(|&(size, state)| Chunk { size, state });
        self.chunks.splice(range, chunks);
    }

    /// Makes the taken chunk at `index` `size` bytes long, at the cost or to the good of a free
    /// chunk behind it.
    ///
    /// # Panics
    /// If there is not so much room.
    pub fn resize(&mut self, index: usize, size: u64) {
        let room = self.chunks[index].size + self.free_behind(index);
        let behind = index + usize::from(self.free_behind(index) > 0);
        let parts = [(size, State::Taken), (room - size, State::Free)];
        self.replace(index..behind + 1, &parts);
    }

    /// What the harness's walk over the same chunks would hash to.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.chunks()
            .fold(ChunkHash::EMPTY, ChunkHash::with)
            .value()
    }

    /// The list in a line.
    #[cfg(test)]
    pub fn brief(&self, unit: u64) -> String {
        crate::wording::chunks(unit, &self.into())
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
    fn what_is_absent_is_not_listed_and_keeps_neighbours_apart() {
        let mut list = ChunkList::new(0..64);
        list.carve(0, 16, 48);
        list.remove(1);
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
        assert_eq!(list, ChunkList::new(0..64));
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
