//! The walk over the chunks of all regions.

use core::ops::Range;

use super::Growing;
use crate::chunk::{Chunk, Chunks};
use crate::first_fit::FirstFit;
use crate::page_source::PageSource;

/// The chunks of a heap that grows, region by region, in address order. As in [`Chunks`], the last of a
/// region may be broken; the walk then goes on with the next region.
#[derive(Clone, Debug)]
pub struct GrowingChunks<'a, const DEFECT: u8> {
    heap: &'a FirstFit<DEFECT>,
    region: Option<Range<usize>>,
    chunks: Chunks<'a>,
}

impl<S: PageSource, const DEFECT: u8> Growing<S, DEFECT> {
    /// The chunks from head to tail: a bounded walk, whatever the headers say. Where there is a gap between
    /// two, the pages are not the heap's.
    pub fn chunks(&self) -> GrowingChunks<'_, DEFECT> {
        let heap = &self.heap;
        GrowingChunks {
            heap,
            region: heap.page_map().region(0),
            chunks: heap.chunks_of(&(0..0)),
        }
    }
}

impl<const DEFECT: u8> Iterator for GrowingChunks<'_, DEFECT> {
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
