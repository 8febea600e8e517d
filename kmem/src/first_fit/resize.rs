//! A block that is resized: where it is if it can stay, else by a move.

use core::alloc::Layout;
use core::ptr;

use super::extent::Extent;
use super::side::WORD_BYTES;
use super::{FirstFit, PAYLOAD_BYTES_MIN};
use crate::chunk::HEADER_BYTES;
use crate::defect;
use crate::free_error::FreeError;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    /// Whether the block could be made a chunk of `need` words where it is. `after` is the number
    /// of free words behind it.
    pub(super) fn resize_in_place(&mut self, block: Extent, after: usize, need: usize) -> bool {
        if need > block.words {
            return self.grow(block, after, need);
        }
        // A shrink that frees less than a chunk leaves everything as it is, even next to a free
        // successor.
        let is_worth_it = match DEFECT {
            defect::SHRINK_KEEPS_ALL => false,
            defect::SHRINK_BY_8_SPLIT => need < block.words,
            _ => Self::splits((block.words - need) * WORD_BYTES),
        };
        if is_worth_it {
            let after = match DEFECT {
                defect::SHRINK_TAIL_NOT_MERGED => 0,
                _ => after,
            };
            self.resettle(block, after, need, block.words + after);
        }
        true
    }

    fn grow(&mut self, block: Extent, after: usize, need: usize) -> bool {
        let after = match DEFECT {
            defect::GROW_INTO_TAKEN => self.words_at(block.end()),
            _ => after,
        };
        let room = match DEFECT {
            defect::GROW_8_TOO_FAR => block.words + after + 1,
            _ => block.words + after,
        };
        let is_enough = match DEFECT {
            defect::GROW_MOVES => false,
            defect::GROW_EXACT_MOVES => need < room,
            _ => need <= room,
        };
        if is_enough {
            let need = match DEFECT {
                defect::GROW_TAKES_ALL => room,
                _ => need,
            };
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
        if Self::has(defect::MOVE_FREES_FIRST) {
            // SAFETY: none; that the block is still used is the defect that is planted here.
            unsafe { self.kfree(payload) };
        }
        let align = match DEFECT {
            defect::MOVE_IGNORES_ALIGNMENT => PAYLOAD_BYTES_MIN,
            _ => layout.align(),
        };
        let block = self.place(new_size, align);
        if block.is_null() {
            if Self::has(defect::FAILED_MOVE_FREES) {
                // SAFETY: none, as above.
                unsafe { self.kfree(payload) };
            }
            return Ok(block);
        }
        let held = old.words * WORD_BYTES - HEADER_BYTES;
        let contents = layout.size().min(new_size).min(held);
        let bytes = match DEFECT {
            defect::REALLOC_COPIES_TOO_LITTLE => contents.saturating_sub(8),
            defect::MOVE_COPIES_NOTHING => 0,
            defect::MOVE_COPIES_WHOLE_WORDS => contents & !7,
            defect::MOVE_COPIES_NEW_SIZE => new_size,
            _ => contents,
        };
        // SAFETY: `bytes` is at most either's payload. (Not `copy_nonoverlapping`: where a client has
        // overwritten a header, and with some planted defects, the two overlap.)
        unsafe { ptr::copy(payload, block, bytes) };
        if !Self::has(defect::MOVE_LEAKS) && !Self::has(defect::MOVE_FREES_FIRST) {
            // SAFETY: `old` was located as a live block, and its contents have moved.
            unsafe { self.try_kfree(payload) }?;
        }
        Ok(block)
    }
}
