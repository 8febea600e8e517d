//! The sub-page kernel heap as it was published on 7 October 2019, bugs included.
//!
//! It is the rig's standing example of a real allocator that is small and wrong in several ways,
//! so nothing here may be repaired. It behaves as a release build does, in every profile: the
//! arithmetic wraps in writing, and headers are accessed at any alignment. What is wrong with it:
//!
//! - sizes near `usize::MAX` wrap and are granted as tiny chunks;
//! - a size that wraps to 0 leaves a header of size 0, on which `kmalloc` and `print_table` loop
//!   for ever;
//! - alignment above 8 is ignored;
//! - one coalesce pass merges pairs only, so that free chunks stay side by side;
//! - `kfree` trusts its pointer.

#![allow(unsafe_code, reason = "it keeps headers in the memory that it manages")]

use core::alloc::Layout;
use core::fmt;
use core::ptr::{self, null_mut};

use crate::align::{PAGE_SIZE, align_val};
use crate::chunk::{Chunk, Chunks, HEADER_BYTES, Header};
use crate::zero::zero_upwards;

/// The published heap over one region.
#[derive(Debug)]
pub struct Kmem2019 {
    head: *mut u8,
    bytes: usize,
}

// SAFETY: the region is exclusively this instance's (contract of `new`), whatever thread uses it.
unsafe impl Send for Kmem2019 {}

impl Kmem2019 {
    /// Makes the region one free chunk.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of blocks. `start` is a multiple of 8; `bytes` is a
    /// multiple of 8 and at least 16. The region is zeroed. Misuse, and some well-meant requests,
    /// make the instance access memory outside the region; the caller has to contain that.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let mut heap = Self { head: start, bytes };
        heap.store(start, Header::new(bytes, false));
        heap
    }

    /// Allocates `size` bytes from the lowest free chunk that holds them; null if there is none.
    ///
    /// Loops for ever once the walk meets a header of size 0.
    pub fn kmalloc(&mut self, size: usize) -> *mut u8 {
        let need = align_val(size, 3).wrapping_add(HEADER_BYTES);
        let mut head = self.head;
        while head < self.tail() {
            let header = self.load(head);
            if !header.is_taken() && need <= header.size() {
                self.take(head, header.size(), need);
                return head.wrapping_add(HEADER_BYTES);
            }
            head = head.wrapping_add(header.size());
        }
        null_mut()
    }

    /// Marks the chunk taken and splits it if more than a header would be left over.
    ///
    /// The order of the stores is the published one. It shows when `need` wrapped to 0: then the
    /// remainder's header is the chunk's own, and the last store leaves a free chunk of size 0.
    fn take(&mut self, head: *mut u8, size: usize, need: usize) {
        self.store(head, Header::new(size, true));
        let remainder = size.wrapping_sub(need);
        if remainder > HEADER_BYTES {
            self.store(head.wrapping_add(need), Header::new(remainder, false));
            let taken = self.load(head).is_taken();
            self.store(head, Header::new(need, taken));
        }
    }

    /// Allocates like [`kmalloc`](Self::kmalloc), and zeroes `size` bytes rounded up to 8.
    pub fn kzmalloc(&mut self, size: usize) -> *mut u8 {
        let size = align_val(size, 3);
        let block = self.kmalloc(size);
        if !block.is_null() {
            // SAFETY: the block was just handed out. Where `size` wrapped the zeroes overrun it,
            // as published: the caller of `new` contains that.
            unsafe { zero_upwards(block, size) };
        }
        block
    }

    /// Frees the chunk whose header lies 8 bytes below `ptr`; null does nothing.
    ///
    /// # Safety
    ///
    /// `ptr` is null or a live block of this heap. Anything else is trusted as well: bit 63 of
    /// whatever word is there is cleared.
    pub unsafe fn kfree(&mut self, ptr: *mut u8) {
        if ptr.is_null() {
            return;
        }
        // With the region's provenance, since a wild pointer brings none of its own.
        let head = self.head.with_addr(ptr.addr().wrapping_sub(HEADER_BYTES));
        let header = self.load(head);
        self.store(head, Header::new(header.size(), false));
        self.coalesce();
    }

    /// One pass from head to tail in which a free chunk absorbs at most its next neighbour.
    ///
    /// Stops at a header of size 0, and when the next header would lie at or past the tail.
    pub fn coalesce(&mut self) {
        let mut head = self.head;
        while head < self.tail() {
            let header = self.load(head);
            let next = head.wrapping_add(header.size());
            if header.size() == 0 || next >= self.tail() {
                break;
            }
            let mut size = header.size();
            let next_header = self.load(next);
            if !header.is_taken() && !next_header.is_taken() {
                self.store(
                    head,
                    Header::new(size.wrapping_add(next_header.size()), false),
                );
                size = self.load(head).size();
            }
            head = head.wrapping_add(size);
        }
    }

    /// `kzmalloc` of the layout's size; the alignment is ignored.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::alloc`.
    pub unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.kzmalloc(layout.size())
    }

    /// The `GlobalAlloc` trait's default: `alloc`, then zeroes over the layout's size.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::alloc_zeroed`.
    pub unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the same contract.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: a valid layout's size does not wrap, so the block holds that many bytes.
            unsafe { zero_upwards(block, layout.size()) };
        }
        block
    }

    /// The `GlobalAlloc` trait's default: allocates, copies, frees. On failure null, and the block
    /// is untouched.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::realloc`.
    pub unsafe fn realloc(&mut self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let block = self.kzmalloc(new_size);
        if !block.is_null() {
            let old = self.head.with_addr(ptr.addr());
            // SAFETY: both blocks are live and hold at least the smaller of the two sizes. A copy
            // that allows overlap, because a damaged heap hands out overlapping blocks, and the
            // outcome must not depend on which library's `memcpy` is linked.
            unsafe { ptr::copy(old, block, layout.size().min(new_size)) };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(ptr, layout) };
        }
        block
    }

    /// `kfree`.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::dealloc`.
    pub unsafe fn dealloc(&mut self, ptr: *mut u8, _layout: Layout) {
        // SAFETY: the caller passes a live block.
        unsafe { self.kfree(ptr) };
    }

    /// Writes one line a chunk; for ever if a header has size 0, until `out` reports an error.
    pub fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let mut head = self.head;
        while head < self.tail() {
            let word = self.load(head);
            let chunk = Chunk {
                header: head,
                size: word.size(),
                taken: word.is_taken(),
            };
            writeln!(out, "{chunk}")?;
            head = chunk.end();
        }
        Ok(())
    }

    /// The first header.
    pub fn get_head(&self) -> *mut u8 {
        self.head
    }

    /// Pages of the heap: whole ones, so 0 for a heap of less than a page.
    pub fn get_num_allocations(&self) -> usize {
        self.bytes / PAGE_SIZE
    }

    /// The byte after the heap.
    pub fn tail(&self) -> *mut u8 {
        self.head.wrapping_add(self.bytes)
    }

    /// The chunks from head to tail: a bounded walk, whatever the headers say.
    pub fn chunks(&self) -> Chunks<'_> {
        // SAFETY: the region is readable and exclusive (contract of `new`).
        unsafe { Chunks::new(self.head, self.bytes, 0) }
    }

    fn load(&self, at: *mut u8) -> Header {
        // SAFETY: `at` is a header of the walk, or what a client or a damaged header made of it;
        // the caller of `new` took on to contain the latter.
        unsafe { Header::load(at) }
    }

    fn store(&mut self, at: *mut u8, header: Header) {
        // SAFETY: as for `load`.
        unsafe { header.store(at) };
    }
}
