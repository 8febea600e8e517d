//! The models again, for tests alone: plain lists that are gone through from the start, made anew
//! for each run. What searches judge by is held against them.

use std::ops::Range;

use harness::declaration::{Policy, Reserved};
use harness::geometry::{Geometry, PAGE_BYTES};
use harness::op::Handle;
use harness::subject;
use harness::table::ChunkHash;

use super::area::area;
use super::contract::{Block, Blocks};
use super::exact::Placing;

/// Live blocks, lowest handle first.
#[derive(Clone, Debug, Default)]
pub struct List(Vec<Block>);

impl Blocks for List {
    fn all(&self) -> impl Iterator<Item = Block> {
        self.0.iter().copied()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, handle: Handle) -> Option<Block> {
        self.0.iter().copied().find(|block| block.handle == handle)
    }

    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        let shares = |other: &Block| {
            offset.max(other.offset) < (offset + size).min(other.offset + other.size)
        };
        let mut others = self
            .0
            .iter()
            .copied()
            .filter(|block| block.handle != handle);
        others.find(shares)
    }

    fn insert(&mut self, block: Block) {
        self.remove(block.handle);
        self.0.push(block);
        self.0.sort_by_key(|block| block.handle);
    }

    fn remove(&mut self, handle: Handle) {
        self.0.retain(|block| block.handle != handle);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Taken,
    /// Not the heap's, which may grow there.
    Absent,
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    start: u64,
    end: u64,
    state: State,
}

/// Chunks that tile what a heap can reach, in address order.
#[derive(Clone, Debug)]
pub struct Tiles {
    policy: Policy,
    geometry: Geometry,
    chunks: Vec<Chunk>,
}

impl Placing for Tiles {
    fn new(policy: Policy, geometry: Geometry) -> Self {
        let mut heap = Self {
            policy,
            geometry,
            chunks: Vec::new(),
        };
        let all = match policy {
            Policy::FirstFit => 0..geometry.bytes(),
            Policy::LowestRun => area(Reserved::PageDescriptors, geometry.bytes()),
        };
        heap.set(all.clone(), State::Absent);
        let growth = geometry.growth().pages() * PAGE_BYTES;
        heap.set(all.start..all.end - growth, State::Free);
        heap
    }

    fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        let need = self.need(size)?;
        let fits = |heap: &Self| heap.find(need, align).is_some();
        if !fits(self) {
            self.grow(None, fits);
        }
        let room = self.find(need, align)?;
        let taken = room.start..room.start + self.taken_of(need, &room);
        self.set(taken, State::Taken);
        Some(room.start + self.header())
    }

    fn realloc(&mut self, block: u64, size: u64, align: u64) -> Option<u64> {
        let need = self.need(size)?;
        let chunk = block - self.header();
        if self.policy == Policy::FirstFit {
            let fits = |heap: &Self| heap.find(need, align).is_some();
            let stays = |heap: &Self| heap.room(chunk).end - chunk >= need;
            if !stays(self) && !fits(self) {
                let behind = self.room(chunk).end;
                let _ = self.grow(Some(behind), stays) || self.grow(None, fits);
            }
            if stays(self) {
                let old = self.taken(chunk);
                let room = match need <= old.end - old.start {
                    true => old,
                    false => self.room(chunk),
                };
                let taken = chunk..chunk + self.taken_of(need, &room);
                self.set(room, State::Free);
                self.set(taken, State::Taken);
                return Some(block);
            }
        }
        let moved = self.alloc(size, align)?;
        self.free(block);
        Some(moved)
    }

    fn free(&mut self, block: u64) {
        self.set(self.taken(block - self.header()), State::Free);
        self.give_back();
    }

    fn hash(&self) -> u64 {
        self.table().fold(ChunkHash::EMPTY, ChunkHash::with).value()
    }

    fn table(&self) -> impl Iterator<Item = subject::Chunk> {
        let present = self.chunks.iter().filter(|c| c.state != State::Absent);
        present.map(|&Chunk { start, end, state }| subject::Chunk {
            offset: start,
            size: end - start,
            taken: state == State::Taken,
        })
    }
}

impl Tiles {
    const fn header(&self) -> u64 {
        match self.policy {
            Policy::FirstFit => 8,
            Policy::LowestRun => 0,
        }
    }

    const fn chunk_min(&self) -> u64 {
        match self.policy {
            Policy::FirstFit => 16,
            Policy::LowestRun => PAGE_BYTES,
        }
    }

    /// Bytes of the chunk for a request.
    fn need(&self, size: u64) -> Option<u64> {
        let granularity = match self.policy {
            Policy::FirstFit => 8,
            Policy::LowestRun if size == 0 => return None,
            Policy::LowestRun => PAGE_BYTES,
        };
        let payload = size.checked_next_multiple_of(granularity)?;
        payload
            .checked_add(self.header())
            .map(|bytes| bytes.max(self.chunk_min()))
    }

    /// The bytes of a chunk of `need` where there is room: all, if the rest would be no chunk.
    const fn taken_of(&self, need: u64, room: &Range<u64>) -> u64 {
        let room = room.end - room.start;
        match room - need < self.chunk_min() {
            true => room,
            false => need,
        }
    }

    /// Makes bytes one chunk, or none if there are none, and one with free or absent neighbours of
    /// its kind.
    fn set(&mut self, bytes: Range<u64>, state: State) {
        let mut chunks = Vec::new();
        for Chunk { start, end, state } in self.chunks.drain(..) {
            for (start, end) in [(start, end.min(bytes.start)), (start.max(bytes.end), end)] {
                chunks.push(Chunk { start, end, state });
            }
        }
        let (start, end) = (bytes.start, bytes.end);
        chunks.push(Chunk { start, end, state });
        chunks.retain(|chunk| chunk.start < chunk.end);
        chunks.sort_by_key(|chunk| chunk.start);
        chunks.dedup_by(|chunk, before| {
            let joins = chunk.state == before.state && chunk.state != State::Taken;
            if joins {
                before.end = chunk.end;
            }
            joins
        });
        self.chunks = chunks;
    }

    /// The bytes of the taken chunk that starts there.
    fn taken(&self, start: u64) -> Range<u64> {
        let is_it = |chunk: &&Chunk| chunk.start == start && chunk.state == State::Taken;
        let found = self.chunks.iter().find(is_it);
        start..found.expect("a block is where it was placed").end
    }

    /// The same, with a free chunk behind it.
    fn room(&self, start: u64) -> Range<u64> {
        let end = self.taken(start).end;
        let is_behind = |chunk: &&Chunk| chunk.start == end && chunk.state == State::Free;
        start
            ..self
                .chunks
                .iter()
                .find(is_behind)
                .map_or(end, |free| free.end)
    }

    /// The lowest place of a chunk of `need` bytes, up to the end of the free chunk that it lies
    /// in.
    fn find(&self, need: u64, align: u64) -> Option<Range<u64>> {
        let free = self.chunks.iter().filter(|c| c.state == State::Free);
        let mut large = free.filter(|chunk| chunk.end - chunk.start >= need);
        large.find_map(|chunk| {
            let payload = (chunk.start + self.header()).next_multiple_of(align);
            let mut places = (payload - self.header()..chunk.end).step_by(align as usize);
            let fits = |&place: &u64| {
                let front = place - chunk.start;
                (front == 0 || front >= self.chunk_min()) && chunk.end - place >= need
            };
            places.find(fits).map(|place| place..chunk.end)
        })
    }

    /// Takes pages from the start of a run of pages that are nobody's, until it `fits`: from the
    /// run that starts at `from`, else from the lowest one behind the heap's pages in which it
    /// does, else from the lowest other one.
    fn grow(&mut self, from: Option<u64>, fits: impl Fn(&Self) -> bool) -> bool {
        let mut runs = self.runs();
        runs.retain(|run| from.is_none_or(|start| run.start == start));
        runs.sort_by_key(|run| self.is_absent(run.start - 1));
        for run in runs {
            for end in (run.start..run.end).step_by(PAGE_BYTES as usize) {
                let mut grown = self.clone();
                grown.set(run.start..end + PAGE_BYTES, State::Free);
                if fits(&grown) {
                    *self = grown;
                    return true;
                }
            }
        }
        false
    }

    /// The longest rows of pages that are nobody's.
    fn runs(&self) -> Vec<Range<u64>> {
        let bytes = self.geometry.bytes();
        let mut runs: Vec<Range<u64>> = Vec::new();
        for page in (self.geometry.first_bytes()..bytes).step_by(PAGE_BYTES as usize) {
            let is_others = self
                .geometry
                .growth()
                .others(bytes)
                .any(|other| other == page);
            if is_others || !self.is_absent(page) {
                continue;
            }
            match runs.last_mut().filter(|run| run.end == page) {
                Some(run) => run.end += PAGE_BYTES,
                None => runs.push(page..page + PAGE_BYTES),
            }
        }
        runs
    }

    fn is_absent(&self, byte: u64) -> bool {
        let mut absent = self.chunks.iter().filter(|c| c.state == State::Absent);
        absent.any(|chunk| (chunk.start..chunk.end).contains(&byte))
    }

    /// Makes free chunks absent that lie between absent bytes.
    fn give_back(&mut self) {
        let end = self.geometry.bytes();
        for chunk in self.chunks.clone() {
            let alone = chunk.state == State::Free
                && chunk.start > 0
                && self.is_absent(chunk.start - 1)
                && (chunk.end == end || self.is_absent(chunk.end));
            if alone {
                self.set(chunk.start..chunk.end, State::Absent);
            }
        }
    }
}
