//! What becomes of a block that is given back.

use super::extent::Extent;
use super::{FirstFit, Variant};

impl<V: Variant> FirstFit<V> {
    /// Makes a block, the hole before it that starts at `first`, and the `after` free words behind
    /// it one free chunk.
    #[inline]
    pub(super) fn merge(&mut self, block: Extent, first: usize, after: usize) {
        let before = block.at - first;
        let words = before + block.words + after;
        if before > 0 {
            self.forget(block.at);
        }
        if after > 0 {
            self.forget(block.end());
        }
        self.poison_freed(block, before > 0, after > 0);
        let merged = Extent { at: first, words };
        let last = merged.end() >= self.words;
        match last {
            true => self.put_top(merged),
            false => self.put_hole(merged),
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
}
