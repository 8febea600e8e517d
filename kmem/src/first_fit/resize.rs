//! A block that is resized: where it is if it can stay, else by a move.

use core::alloc::Layout;
use core::ptr;

use super::{FirstFit, PAYLOAD_BYTES_MIN, Site};
use crate::chunk::{Chunk, HEADER_BYTES};
use crate::defect;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    /// Whether the block could be made a chunk of `need` bytes where it is.
    pub(super) fn resize_in_place(&mut self, site: &Site, need: usize) -> bool {
        let block = site.block;
        if need > block.size {
            return self.grow(site, need);
        }
        // A shrink that frees less than a chunk leaves everything as it is, even next to a free
        // successor.
        let is_worth_it = match DEFECT {
            defect::SHRINK_KEEPS_ALL => false,
            defect::SHRINK_BY_8_SPLIT => need < block.size,
            _ => Self::splits(block.size - need),
        };
        if is_worth_it {
            let room = match DEFECT {
                defect::SHRINK_TAIL_NOT_MERGED => block.size,
                _ => site.room(),
            };
            self.settle(block.header, need, room);
        }
        true
    }

    fn grow(&mut self, site: &Site, need: usize) -> bool {
        let block = site.block;
        let room = match DEFECT {
            defect::GROW_8_TOO_FAR => site.room() + 8,
            defect::GROW_INTO_TAKEN => {
                let next = self.chunks().find(|chunk| chunk.header == block.end());
                block.size + next.map_or(0, |chunk| chunk.size)
            }
            _ => site.room(),
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
            self.settle(block.header, need, room);
        }
        is_enough
    }

    pub(super) fn relocate(&mut self, old: Chunk, layout: Layout, new_size: usize) -> *mut u8 {
        if Self::has(defect::MOVE_FREES_FIRST) {
            // SAFETY: none; that the block is still used is the defect that is planted here.
            unsafe { self.kfree(old.payload()) };
        }
        let align = match DEFECT {
            defect::MOVE_IGNORES_ALIGNMENT => PAYLOAD_BYTES_MIN,
            _ => layout.align(),
        };
        let block = self.place(new_size, align);
        if block.is_null() {
            if Self::has(defect::FAILED_MOVE_FREES) {
                // SAFETY: none, as above.
                unsafe { self.kfree(old.payload()) };
            }
            return block;
        }
        let contents = layout.size().min(new_size).min(old.size - HEADER_BYTES);
        let bytes = match DEFECT {
            defect::REALLOC_COPIES_TOO_LITTLE => contents.saturating_sub(8),
            defect::MOVE_COPIES_NOTHING => 0,
            defect::MOVE_COPIES_WHOLE_WORDS => contents & !7,
            defect::MOVE_COPIES_NEW_SIZE => new_size,
            _ => contents,
        };
        // SAFETY: `bytes` is at most either's payload. (Not `copy_nonoverlapping`, since with some
        // planted defects the two overlap.)
        unsafe { ptr::copy(old.payload(), block, bytes) };
        if !Self::has(defect::MOVE_LEAKS) && !Self::has(defect::MOVE_FREES_FIRST) {
            // SAFETY: `old` was located as a live block, and its contents have moved.
            unsafe { self.kfree(old.payload()) };
        }
        block
    }
}
