//! The walk over the chunks of all regions.

use core::ops::Range;

use super::GrowingKmem;
use crate::chunk::{Chunk, Chunks};
use crate::first_fit::{Extensible, FirstFit};
use crate::page_source::PageSource;

/// The chunks of a heap that grows, region by region, in address order. As in [`Chunks`], the last
/// of a region may be broken; the walk then goes on with the next region.
#[derive(Clone, Debug)]
pub struct GrowingChunks<'a> {
    heap: &'a FirstFit<Extensible>,
    region: Option<Range<usize>>,
    chunks: Chunks<'a>,
}

impl<S: PageSource> GrowingKmem<S> {
    /// The chunks from head to tail: a bounded walk, whatever the headers say. Where there is a gap
    /// between two, the pages are not the heap's.
    pub fn chunks(&self) -> GrowingChunks<'_> {
        let heap = &self.heap;
        GrowingChunks {
            heap,
            region: heap.page_map().region(0),
            chunks: heap.chunks_of(&(0..0)),
        }
    }
}

impl Iterator for GrowingChunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        loop {
            if let Some(chunk) = self.chunks.next() {
                return Some(chunk);
            }
            let region = self.region.take()?;
            self.chunks = self.heap.chunks_of(&region);
            self.region = self.heap.page_map().region(region.end);
        }
    }
}
