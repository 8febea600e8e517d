//! The parts of a call that need the heap to themselves, for a heap behind a lock.
//!
//! [`Kmem::realloc`] may copy a block, and a zeroing call writes all of one: neither should be done
//! while other harts wait. What is left of them here takes logarithmic time.

use super::{Kmem, PAYLOAD_BYTES_MIN};
use crate::free_error::FreeError;
use crate::shared_heap::Heap;

// SAFETY: `place` grants what nobody else owns, aligned as `find` demands, until it is freed;
// `resize` moves only the end of a block that the side memory knows, into free memory.
unsafe impl Heap for Kmem {
    fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        Self::place(self, size, align.max(PAYLOAD_BYTES_MIN))
    }

    fn resize(&mut self, ptr: *mut u8, new_size: usize) -> Result<bool, FreeError> {
        let block = self.locate(ptr).ok_or_else(|| self.why_none(ptr))?;
        let after = self.free_behind(block.end());
        let need = Self::chunk_words(new_size);
        Ok(need.is_some_and(|need| self.resize_in_place(block, after, need)))
    }

    unsafe fn free(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        // SAFETY: the same contract.
        unsafe { self.try_kfree(ptr) }
    }
}
