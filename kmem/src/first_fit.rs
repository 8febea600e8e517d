//! The kernel heap to use: address-ordered first fit that merges at once and never walks.
//!
//! The policy is part of the interface (an independent model predicts every placement):
//!
//! - payload = the size rounded up to 8, at least 8; chunk = payload + 8; what overflows is null;
//! - the lowest free chunk that fits is taken, an aligned request at the lowest address in it that
//!   leaves a front gap of 0 or at least 16 bytes, which stays a free chunk;
//! - a remainder of at least 16 bytes becomes a free chunk, a smaller one is absorbed;
//! - a freed block merges with both neighbours; a resized one stays where it is if it can.
//!
//! The headers are the chunk list. What would take a walk over them is looked up in *side memory*
//! beside the heap, of [`side_bytes`](FirstFit::side_bytes): at most a page or a twentieth of the
//! heap.
//!
//! ```text
//! kmalloc   maxima: the first span (512 bytes) with a large enough hole; there, its holes one by
//! one kfree     taken bits: does a block start here?  bits and crossings: what lies before and
//! behind? realloc   as kfree, then as kmalloc if the block cannot stay
//! ```
//!
//! | file | what |
//! |---|---|
//! | `side` | the side memory: its layout, what its bits mean |
//! | `maxima` | the tree that finds the first span with a large enough hole |
//! | `lookup` | what lies where: blocks and their neighbours |
//! | `edit` | the ways in which headers and side memory change, always together |
//! | `place`, `merge`, `resize` | the policy: allocating, freeing, resizing |
//! | `in_place` | what of a call needs the heap to itself, for a heap behind a lock |
//! | `audit` | that the side memory says what the headers say |
//! | `variant` | the kinds of heap, as types |
//! | `harden` | what the hardened variants do besides |
//! | `page_map`, `pages` | of a heap that grows: which pages it has, and how that changes |
//!
//! A call takes time logarithmic in the heap's size, and for the holes of one span: at most 32. An
//! aligned request also tries each hole that holds it but for its alignment. No call reads the
//! payload of a free chunk, and a wild pointer is compared, never followed.
//!
//! Invariant between calls: chunks tile `[head, tail)`, each at least 16 bytes and a multiple of
//! 8, no two free ones are neighbours, and the side memory says the same (`audit`).

#![allow(unsafe_code, reason = "it keeps headers in the memory that it manages")]

mod audit;
mod edit;
mod extent;
mod harden;
#[cfg(feature = "harts")]
mod in_place;
mod lookup;
mod maxima;
mod merge;
pub(crate) mod page_map;
mod pages;
mod place;
mod resize;
mod side;
mod variant;

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::null_mut;

use crate::align::PAGE_SIZE;
use crate::chunk::{Chunks, HEADER_BYTES, print_chunks};
use crate::free_error::FreeError;
pub use harden::POISON;
pub use variant::{Extensible, Hardening, Variant};

use extent::Extent;
use page_map::PageMap;
use side::{Side, WORD_BYTES};

/// Bytes of the smallest chunk: a header and the smallest payload.
pub const CHUNK_BYTES_MIN: usize = 16;

const PAYLOAD_BYTES_MIN: usize = 8;
const CHUNK_WORDS_MIN: usize = CHUNK_BYTES_MIN / WORD_BYTES;
const _: () = assert!(CHUNK_BYTES_MIN == HEADER_BYTES + PAYLOAD_BYTES_MIN);

/// The correct generation.
pub type Kmem = FirstFit<Hardening<false, false>>;

/// The correct generation, with headers that are sealed: it notices that one was overwritten.
pub type SealedKmem = FirstFit<Hardening<true, false>>;

/// The correct generation, with free bytes that are [poisoned](POISON): it notices that one was
/// written to, for time linear in what is allocated and freed.
pub type PoisonedKmem = FirstFit<Hardening<false, true>>;

/// The correct generation, sealed and poisoned.
///
/// [`try_kfree`](FirstFit::try_kfree) and [`try_realloc`](FirstFit::try_realloc) refuse what would
/// use an overwritten header of the block or beside it ([`FreeError::SealBroken`]); looking for
/// room panics where it meets one, or free bytes that were written to. Blocks lie where [`Kmem`]
/// has them. It is for accidents, not for attacks: a seal is 15 bits that anybody can compute.
pub type HardenedKmem = FirstFit<Hardening<true, true>>;

/// The heap, of one [`Variant`].
#[derive(Debug)]
pub struct FirstFit<V: Variant> {
    head: *mut u8,
    /// Words of 8 bytes from head to tail.
    words: usize,
    side: Side,
    /// Which pages between head and tail are the heap's.
    pages: PageMap,
    variant: PhantomData<V>,
}

// SAFETY: region and side memory are exclusively this instance's (contract of `new`), whatever
// thread uses it.
unsafe impl<V: Variant> Send for FirstFit<V> {}

impl<V: Variant> FirstFit<V> {
    /// Bytes of side memory for a heap of so many bytes, a multiple of 8: less than a page, or than
    /// a twentieth of a heap of more than 20 pages.
    pub const fn side_bytes(bytes: usize) -> usize {
        side::bytes(bytes / WORD_BYTES)
    }

    /// Makes the region one free chunk. Its contents do not matter, nor do the side memory's.
    ///
    /// The instance never changes: all that a call does, it does in the region and the side memory.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of blocks; the [`side_bytes`](Self::side_bytes) bytes
    /// from `side` are too, and are used by nobody at all. Both are multiples of 8. `bytes` is a
    /// multiple of 8, at least 16 and less than 32 GiB.
    pub unsafe fn new(start: *mut u8, bytes: usize, side: *mut u8) -> Self {
        let words = bytes / WORD_BYTES;
        // SAFETY: the caller vouches for the side memory, and for from 2 to 2^32 - 1 words.
        let side = unsafe { Side::new(side, words) };
        let mut heap = Self {
            head: start,
            words,
            side,
            pages: PageMap::WHOLE,
            variant: PhantomData,
        };
        heap.poison(0, words);
        heap.write_header(Extent { at: 0, words }, false);
        heap
    }

    /// Allocates `size` bytes, aligned to 8; null if no free chunk holds them.
    pub fn kmalloc(&mut self, size: usize) -> *mut u8 {
        self.place(size, PAYLOAD_BYTES_MIN)
    }

    /// Allocates like [`kmalloc`](Self::kmalloc), and zeroes `size` bytes rounded up to 8.
    pub fn kzmalloc(&mut self, size: usize) -> *mut u8 {
        self.place_zeroed(size, PAYLOAD_BYTES_MIN)
    }

    /// Allocates `layout.size()` bytes at a multiple of `layout.align()`; null if nothing fits.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::alloc`; a layout of size 0 is allowed.
    pub unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.place(layout.size(), layout.align())
    }

    /// Allocates like [`alloc`](Self::alloc), and zeroes the layout's size rounded up to 8.
    ///
    /// # Safety
    ///
    /// As for [`alloc`](Self::alloc).
    pub unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        self.place_zeroed(layout.size(), layout.align())
    }

    /// Resizes a block: in place if it shrinks or a free successor suffices, else by moving it.
    ///
    /// Null if nothing fits; the table and the block are then untouched.
    ///
    /// # Panics
    ///
    /// Where [`try_realloc`](Self::try_realloc) refuses.
    ///
    /// # Safety
    ///
    /// As for [`try_realloc`](Self::try_realloc).
    pub unsafe fn realloc(&mut self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the same contract.
        let block = unsafe { self.try_realloc(ptr, layout, new_size) };
        block.unwrap_or_else(|error| error.panic("realloc"))
    }

    /// Resizes like [`realloc`](Self::realloc). Any pointer value may be passed: it is looked up,
    /// not followed.
    ///
    /// # Errors
    ///
    /// [`FreeError`] if no live payload starts at `ptr` (null is none), or if a seal beside it is
    /// broken; the table is then unchanged.
    ///
    /// Also if none does any more once the block has its new place: a client has overwritten the
    /// header of a free chunk, which then gave the old place away. The new place stays taken, and
    /// belongs to nobody.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::realloc`, if a block does start at `ptr`: it was last given `layout`.
    pub unsafe fn try_realloc(
        &mut self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> Result<*mut u8, FreeError> {
        let Some(block) = self.locate(ptr) else {
            return Err(self.why_none(ptr));
        };
        let Some(need) = Self::chunk_words(new_size) else {
            return Ok(null_mut());
        };
        let first = match V::SEALS {
            true => self.hole_before(block.at),
            false => block.at,
        };
        if let Some(header) = self.broken_seal(block, first) {
            return Err(FreeError::SealBroken {
                address: ptr.addr(),
                header: header.addr(),
            });
        }
        let after = self.free_behind(block.end());
        if self.resize_in_place(block, after, need) {
            return Ok(self.pointer(block.at).wrapping_add(HEADER_BYTES));
        }
        self.relocate(block, layout, new_size)
    }

    /// Frees a block.
    ///
    /// # Panics
    ///
    /// Where [`try_kfree`](Self::try_kfree) refuses.
    ///
    /// # Safety
    ///
    /// As for [`try_kfree`](Self::try_kfree).
    pub unsafe fn dealloc(&mut self, ptr: *mut u8, _layout: Layout) {
        // SAFETY: the same contract.
        unsafe { self.kfree(ptr) };
    }

    /// Frees a block; null does nothing.
    ///
    /// # Panics
    ///
    /// Where [`try_kfree`](Self::try_kfree) refuses.
    ///
    /// # Safety
    ///
    /// As for [`try_kfree`](Self::try_kfree).
    pub unsafe fn kfree(&mut self, ptr: *mut u8) {
        // SAFETY: the same contract.
        unsafe { self.try_kfree(ptr) }.unwrap_or_else(|error| error.panic("kfree"));
    }

    /// Frees a block and merges it with free neighbours; null does nothing.
    ///
    /// Any pointer value may be passed: it is looked up, not followed.
    ///
    /// # Errors
    ///
    /// [`FreeError`] if no live payload starts at `ptr`; the table is then unchanged.
    ///
    /// # Safety
    ///
    /// If a block does start at `ptr`, its owner no longer uses it.
    pub unsafe fn try_kfree(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        if ptr.is_null() {
            return Ok(());
        }
        let Some(block) = self.locate(ptr) else {
            return Err(self.why_none(ptr));
        };
        let first = self.hole_before(block.at);
        if let Some(header) = self.broken_seal(block, first) {
            return Err(FreeError::SealBroken {
                address: ptr.addr(),
                header: header.addr(),
            });
        }
        let after = self.free_behind(block.end());
        self.merge(block, first, after);
        Ok(())
    }

    /// Merges neighbouring free chunks. There are none between calls: it is kept for its name.
    pub fn coalesce(&mut self) {}

    /// Writes one line a chunk.
    pub fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        print_chunks(self.chunks(), out)
    }

    /// The first header.
    pub fn get_head(&self) -> *mut u8 {
        self.head
    }

    /// Pages of the heap: whole ones, so 0 for a heap of less than a page.
    pub fn get_num_allocations(&self) -> usize {
        self.words / (PAGE_SIZE / WORD_BYTES)
    }

    /// The byte after the heap.
    pub fn tail(&self) -> *mut u8 {
        self.pointer(self.words)
    }

    /// The chunks from head to tail: a bounded walk, whatever the headers say.
    pub fn chunks(&self) -> Chunks<'_> {
        // SAFETY: the region is readable and exclusive (contract of `new`).
        unsafe { Chunks::new(self.head, self.words * WORD_BYTES, Self::SEAL_BITS) }
    }
}
