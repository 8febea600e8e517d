//! How a heap grows: which pages it takes when no chunk holds a request, and which it gives back.
//!
//! A *run* is a longest row of pages that are nobody's. Runs right behind pages of the heap are
//! tried first, lowest first, then the others. Of the first in which the request would fit if all
//! of it were the heap's, as many pages are taken, one by one from its start, as it needs. A region
//! but the first is given back once it is one free chunk.

use std::ops::Range;

use harness::geometry::{Geometry, PAGE_BYTES};

use crate::oracle::model::chunk_list::ChunkList;

/// Gives the heap the pages that let a request fit, as `fits` says of a chunk list; false if there
/// are not enough.
pub fn grow(geometry: Geometry, chunks: &mut ChunkList, fits: impl Fn(&ChunkList) -> bool) -> bool {
    let is_behind_region = |run: &Range<u64>| !chunks.is_absent(run.start - 1);
    let (behind, others): (Vec<_>, Vec<_>) = runs(geometry, chunks)
        .into_iter()
        .partition(is_behind_region);
    let mut runs = behind.into_iter().chain(others);
    runs.any(|run| take(chunks, run, &fits))
}

/// The same from the run alone that starts at an offset; false if none does.
pub fn grow_at(
    geometry: Geometry,
    chunks: &mut ChunkList,
    offset: u64,
    fits: impl Fn(&ChunkList) -> bool,
) -> bool {
    let runs = runs(geometry, chunks);
    let run = runs.into_iter().find(|run| run.start == offset);
    run.is_some_and(|run| take(chunks, run, fits))
}

/// Gives the heap as many pages from a run's start as let the request fit; none if not even all of
/// them do.
fn take(chunks: &mut ChunkList, run: Range<u64>, fits: impl Fn(&ChunkList) -> bool) -> bool {
    let bytes = run.end - run.start;
    chunks.add(run.start, bytes);
    let enough = fits(chunks);
    chunks.withdraw(run.start, bytes);
    let mut pages = run.step_by(PAGE_BYTES as usize);
    enough
        && pages.any(|page| {
            chunks.add(page, PAGE_BYTES);
            fits(chunks)
        })
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
