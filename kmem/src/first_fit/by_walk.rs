//! What some mutants look for and the correct heap never does: found by a walk over the chunks.

use super::FirstFit;
use super::extent::Extent;
use super::side::WORD_BYTES;
use crate::chunk::Chunk;
use crate::defect;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    /// Whether this mutant's slip is in the order or the condition of the search.
    pub(super) const fn searches_otherwise() -> bool {
        matches!(
            DEFECT,
            defect::LAST_FIT | defect::BEST_FIT | defect::HEAD_SKIPPED | defect::TAKEN_REUSED
        )
    }

    /// The chunk that such a mutant takes, and the words of the front gap in it.
    pub(super) fn find_otherwise(&self, need: usize, align: usize) -> Option<(Extent, usize)> {
        let mut fits = self.chunks().filter_map(|chunk| {
            let is_allowed = !chunk.taken || Self::has(defect::TAKEN_REUSED);
            let extent = Some(self.extent(chunk)).filter(|e| is_allowed && e.words >= need)?;
            let is_inside = extent.end() <= self.words;
            let gap = self.gap_in(extent, need, align).filter(|_| is_inside)?;
            Some((extent, gap))
        });
        match DEFECT {
            defect::LAST_FIT => fits.last(),
            defect::BEST_FIT => fits.min_by_key(|(extent, _)| extent.words),
            defect::HEAD_SKIPPED => fits.find(|(extent, _)| extent.at != 0),
            _ => fits.next(),
        }
    }

    /// Words of the chunk that starts at `at`, taken or not; 0 if there is none.
    pub(super) fn words_at(&self, at: usize) -> usize {
        let mut chunks = self.chunks().map(|chunk| self.extent(chunk));
        let found = chunks.find(|extent| extent.at == at);
        found.map_or(0, |extent| extent.words)
    }

    /// The chunk that ends where the one at `at` starts, taken or not.
    pub(super) fn chunk_before(&self, at: usize) -> Option<Extent> {
        let mut chunks = self.chunks().map(|chunk| self.extent(chunk));
        chunks.find(|extent| extent.end() == at)
    }

    /// Adds a front gap to the chunk before it.
    pub(super) fn give_to_predecessor(&mut self, gap: Extent) {
        let Some(before) = self.chunk_before(gap.at) else {
            return self.put_hole(gap);
        };
        let is_taken = self.header(before.at).is_taken();
        let words = before.words + gap.words;
        self.forget(gap.at);
        self.write_header(Extent { words, ..before }, is_taken);
    }

    fn extent(&self, chunk: Chunk) -> Extent {
        Extent {
            at: (chunk.header.addr() - self.head.addr()) / WORD_BYTES,
            words: chunk.size / WORD_BYTES,
        }
    }
}
