//! What becomes of a block that is given back.

use super::FirstFit;
use super::extent::Extent;
use crate::chunk::HEADER_BYTES;
use crate::defect;
use crate::free_error::FreeError;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    /// Makes a block, the hole before it that starts at `first`, and the `after` free words behind it one
    /// free chunk.
    #[inline]
    pub(super) fn merge(&mut self, block: Extent, first: usize, after: usize) {
        let first = match DEFECT {
            defect::MISSING_MERGE => block.at,
            defect::TAKEN_PREDECESSOR_MERGED => self.chunk_before(block.at).unwrap_or(block).at,
            _ => first,
        };
        let after = match DEFECT {
            defect::SUCCESSOR_NOT_MERGED => 0,
            defect::ONE_NEIGHBOUR_MERGED if first < block.at => 0,
            defect::TAKEN_SUCCESSOR_MERGED => self.words_at(block.end()),
            _ => after,
        };
        let before = block.at - first;
        let words = match DEFECT {
            defect::MERGE_LOSES_PREDECESSOR => block.words + after,
            defect::MERGE_ADDS_A_HEADER if after > 0 => before + block.words + after + 1,
            _ => before + block.words + after,
        };
        if before > 0 {
            self.forget(block.at);
        }
        if after > 0 {
            self.forget(block.end());
        }
        self.poison_freed(block, before > 0, after > 0);
        let merged = Extent { at: first, words };
        let last = merged.end() >= self.words;
        match DEFECT {
            defect::TAKEN_BIT_NOT_CLEARED => self.put_taken(merged),
            _ if last => self.put_top(merged),
            _ => self.put_hole(merged),
        }
        // The hole before is the top now, or part of a hole that is larger and in the same stretch.
        let (at, words) = if last {
            (first, before)
        } else {
            (block.end(), after)
        };
        if words > 0 {
            self.settle_largest_apart(Extent { at, words });
        }
    }

    /// Apart, since most frees need it not, and are faster without its registers.
    #[inline(never)]
    fn settle_largest_apart(&mut self, gone: Extent) {
        self.settle_largest(gone);
    }

    /// What comes of freeing where no block starts: the error and nothing else.
    #[cold]
    pub(super) fn refuse(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        let error = self.why_none(ptr);
        match (DEFECT, error) {
            (defect::DOUBLE_FREE_ACCEPTED, FreeError::AlreadyFree { .. })
            | (defect::INTERIOR_FREE_ACCEPTED, FreeError::NoBlock { .. }) => return Ok(()),
            (defect::DOUBLE_FREE_MARKS, FreeError::AlreadyFree { size, .. }) => {
                let at = (ptr.addr() - self.head.addr()) / HEADER_BYTES - 1;
                let words = size / HEADER_BYTES;
                self.write_header(Extent { at, words }, true);
            }
            _ => {}
        }
        Err(error)
    }
}
