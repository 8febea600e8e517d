//! How a heap grows: which pages it takes when no chunk holds a request, and which it gives back.
//!
//! A *run* is a longest row of pages that are nobody's. Runs right behind pages of the heap are tried first,
//! lowest first, then the others. Of the first in which the request would fit if all of it were the
//! heap's, as many pages are taken, one by one from its start, as it needs. A region but the first is given
//! back once it is one free chunk.

use std::ops::Range;

use harness::geometry::{Geometry, PAGE_BYTES};

use crate::model::chunk_list::ChunkList;

/// The chunks of a fresh heap.
#[must_use]
pub fn fresh(geometry: Geometry) -> ChunkList {
    let mut chunks = ChunkList::new(0..geometry.bytes());
    let growth = geometry.first_bytes()..geometry.bytes();
    if !growth.is_empty() {
        chunks.carve(0, growth.start, growth.end - growth.start);
        chunks.remove(1);
    }
    chunks
}

/// Gives the heap the pages that let a request fit, as `fits` says of a chunk list; false if there are not
/// enough.
pub fn grow(geometry: Geometry, chunks: &mut ChunkList, fits: impl Fn(&ChunkList) -> bool) -> bool {
    let runs = runs(geometry, chunks);
    let is_behind_region = |run: &&Range<u64>| !chunks.is_absent(run.start - 1);
    let behind = runs.iter().filter(|run| is_behind_region(run));
    let others = runs.iter().filter(|run| !is_behind_region(run));
    let fits_in_all = |run: &&Range<u64>| fits(&with(chunks, run, pages(run)));
    let first = behind.chain(others).find(fits_in_all).cloned();
    first.is_some_and(|run| grow_at(geometry, chunks, run.start, fits))
}

/// The same from the run alone that starts at an offset; false if none does.
pub fn grow_at(
    geometry: Geometry,
    chunks: &mut ChunkList,
    offset: u64,
    fits: impl Fn(&ChunkList) -> bool,
) -> bool {
    let runs = runs(geometry, chunks);
    let run = runs.iter().find(|run| run.start == offset);
    let grown = run.and_then(|run| {
        let mut grown = (1..=pages(run)).map(|count| with(chunks, run, count));
        grown.find(&fits)
    });
    grown.map(|grown| *chunks = grown).is_some()
}

fn pages(run: &Range<u64>) -> u64 {
    (run.end - run.start) / PAGE_BYTES
}

/// The chunks, and so many pages from a run's start with them.
fn with(chunks: &ChunkList, run: &Range<u64>, pages: u64) -> ChunkList {
    let mut grown = chunks.clone();
    grown.add(run.start, pages * PAGE_BYTES);
    grown
}

/// The runs of pages that are nobody's, as offsets.
fn runs(geometry: Geometry, chunks: &ChunkList) -> Vec<Range<u64>> {
    let others: Vec<u64> = geometry.growth().others(geometry.bytes()).collect();
    let mut runs: Vec<Range<u64>> = Vec::new();
    let pages = (geometry.first_bytes()..geometry.bytes()).step_by(PAGE_BYTES as usize);
    for page in pages.filter(|page| chunks.is_absent(*page) && !others.contains(page)) {
        match runs.last_mut() {
            Some(run) if run.end == page => run.end += PAGE_BYTES,
            _ => runs.push(page..page + PAGE_BYTES),
        }
    }
    runs
}
