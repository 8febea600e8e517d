//! A block that is resized: where it is if it can stay, else by a move.

use core::alloc::Layout;
use core::ptr;

use super::extent::Extent;
use super::side::WORD_BYTES;
use super::{FirstFit, Variant};
use crate::chunk::HEADER_BYTES;
use crate::free_error::FreeError;

impl<V: Variant> FirstFit<V> {
    /// Whether the block could be made a chunk of `need` words where it is. `after` is the number
    /// of free words behind it.
    pub(super) fn resize_in_place(&mut self, block: Extent, after: usize, need: usize) -> bool {
        if need > block.words {
            return self.grow(block, after, need);
        }
        // A shrink that frees less than a chunk leaves everything as it is, even next to a free
        // successor.
        if Self::splits((block.words - need) * WORD_BYTES) {
            self.resettle(block, after, need, block.words + after);
        }
        true
    }

    fn grow(&mut self, block: Extent, after: usize, need: usize) -> bool {
        let room = block.words + after;
        let is_enough = need <= room;
        if is_enough {
            self.resettle(block, after, need, room);
        }
        is_enough
    }

    /// Cuts a block anew, of itself and what follows it.
    fn resettle(&mut self, block: Extent, after: usize, need: usize, room: usize) {
        let end = block.end();
        if after > 0 {
            self.forget(end);
        }
        self.exchange_poison(block, after, need, room);
        self.settle(block.at, need, room, block.at + room >= self.words);
        if after > 0 {
            self.settle_largest(Extent {
                at: end,
                words: after,
            });
        }
    }

    /// Moves a block to where its new size fits; null if it fits nowhere.
    pub(super) fn relocate(
        &mut self,
        old: Extent,
        layout: Layout,
        new_size: usize,
    ) -> Result<*mut u8, FreeError> {
        let payload = self.pointer(old.at).wrapping_add(HEADER_BYTES);
        let block = self.place(new_size, layout.align());
        if block.is_null() {
            return Ok(block);
        }
        let held = old.words * WORD_BYTES - HEADER_BYTES;
        let bytes = layout.size().min(new_size).min(held);
        // SAFETY: `bytes` is at most either's payload. (Not `copy_nonoverlapping`: where a client
        // has overwritten a header, the two overlap.)
        unsafe { ptr::copy(payload, block, bytes) };
        // SAFETY: `old` was located as a live block, and its contents have moved.
        unsafe { self.try_kfree(payload) }?;
        Ok(block)
    }
}
