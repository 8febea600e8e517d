//! [`Kmem`](crate::Kmem) over a heap that grows: it takes pages from a page allocator when no chunk
//! fits.
//!
//! ```text
//! head                                                                    reach
//! | region: the first pages, and such as were added in place | others' | region | free | ...
//! ```
//!
//! A heap *reaches* a number of pages from its head on; its side memory is made for all of them. A
//! *region* is a longest run of pages that are the heap's. The policy is [`FirstFit`]'s over the
//! chunks of all regions, in address order; where that ends in null, the heap grows:
//!
//! - in place: the lowest region behind which enough pages are free is made longer, by as many
//!   pages as the request needs besides the free chunk that the region ends with;
//! - else, in the lowest free run of enough pages, a new region is made, of as many as the request
//!   needs;
//! - `realloc`, before either: if the block ends its region, but for a free chunk, and enough pages
//!   behind it are free, these make the region longer;
//! - then the call is made again. If none of these is possible, it is null, and nothing has
//!   changed.
//!
//! Pages added in place are their region's from then on. A region that has become one free chunk is
//! given back as a whole, but for the first. Regions that touch are one.
//!
//! | file | what |
//! |---|---|
//! | `grow` | taking pages and giving them back |
//! | `chunks` | the walk over all regions |

#![allow(unsafe_code, reason = "it keeps headers in the memory that it manages")]

mod chunks;
mod grow;

use core::alloc::Layout;
use core::fmt;

use crate::align::PAGE_SIZE;
use crate::first_fit::{Extensible, FirstFit};
use crate::free_error::FreeError;
use crate::page_source::PageSource;

pub use chunks::GrowingChunks;

/// The correct generation, growing: it takes pages from `S` and gives them back.
#[derive(Debug)]
pub struct GrowingKmem<S> {
    heap: FirstFit<Extensible>,
    source: S,
}

impl<S: PageSource> GrowingKmem<S> {
    /// Bytes of side memory for a heap that reaches so many pages: at most a page, or a twentieth
    /// of a reach of more than 20 pages.
    pub const fn side_bytes(reach: usize) -> usize {
        FirstFit::<Extensible>::side_bytes_of_reach(reach)
    }

    /// Makes the first `pages` pages one free chunk. Their contents do not matter, nor do the side
    /// memory's.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the first `pages` pages from `head`, a multiple of the page
    /// size, are readable and writable and are used by nobody else but the owners of blocks; so are
    /// those that the source gives among the first `reach`, while they are taken, and `head` may be
    /// used to access all of them. The [`side_bytes`](Self::side_bytes) bytes from `side`, a
    /// multiple of 8, are used by nobody at all. To the source, the first pages are taken. `pages`
    /// is at least 1 and at most `reach`, and `reach` pages are less than 32 GiB.
    pub unsafe fn new(head: *mut u8, pages: usize, reach: usize, side: *mut u8, source: S) -> Self {
        // SAFETY: exactly the caller's promise.
        let heap = unsafe { FirstFit::within(head, pages, reach, side) };
        Self { heap, source }
    }

    /// Allocates `size` bytes, aligned to 8; null if no free chunk holds them and the heap cannot
    /// grow enough.
    pub fn kmalloc(&mut self, size: usize) -> *mut u8 {
        self.or_grow(size, 1, |heap| heap.kmalloc(size))
    }

    /// Allocates like [`kmalloc`](Self::kmalloc), and zeroes `size` bytes rounded up to 8.
    pub fn kzmalloc(&mut self, size: usize) -> *mut u8 {
        self.or_grow(size, 1, |heap| heap.kzmalloc(size))
    }

    /// Allocates `layout.size()` bytes at a multiple of `layout.align()`; null as for
    /// [`kmalloc`](Self::kmalloc).
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::alloc`; a layout of size 0 is allowed.
    pub unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.or_grow(layout.size(), layout.align(), |heap| {
            // SAFETY: exactly the caller's promise.
            unsafe { heap.alloc(layout) }
        })
    }

    /// Allocates like [`alloc`](Self::alloc), and zeroes the layout's size rounded up to 8.
    ///
    /// # Safety
    ///
    /// As for [`alloc`](Self::alloc).
    pub unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        self.or_grow(layout.size(), layout.align(), |heap| {
            // SAFETY: exactly the caller's promise.
            unsafe { heap.alloc_zeroed(layout) }
        })
    }

    /// Resizes a block: in place if it shrinks or a free successor suffices, else by moving it.
    /// Where there is no place for it, the heap grows, and it is tried again: by the pages behind
    /// the block's region, if enough are free and only a free chunk lies between, else as for a new
    /// block.
    ///
    /// Null if the heap cannot grow enough; the table and the block are then untouched.
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
    /// As of [`FirstFit::try_realloc`]. Pages that were taken for a block whose old place was given
    /// away stay the heap's.
    ///
    /// # Safety
    ///
    /// As for [`FirstFit::try_realloc`].
    pub unsafe fn try_realloc(
        &mut self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> Result<*mut u8, FreeError> {
        // SAFETY: exactly the caller's promise.
        let mut block = unsafe { self.heap.try_realloc(ptr, layout, new_size) }?;
        if block.is_null()
            && (self.grow_behind(ptr, new_size) || self.grow(new_size, layout.align()))
        {
            // SAFETY: as above, and the block is as it was.
            block = unsafe { self.heap.try_realloc(ptr, layout, new_size) }?;
        }
        if !block.is_null() && block != ptr {
            self.give_back_region_of(ptr);
        }
        Ok(block)
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

    /// Frees a block, merges it with free neighbours, and gives its region back if that is empty
    /// now; null does nothing.
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
        // SAFETY: the same contract.
        unsafe { self.heap.try_kfree(ptr) }?;
        if !ptr.is_null() {
            self.give_back_region_of(ptr);
        }
        Ok(())
    }

    /// Writes one line a chunk, of all regions in address order.
    pub fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for chunk in self.chunks() {
            writeln!(out, "{chunk}")?;
        }
        Ok(())
    }

    /// The first header.
    pub fn get_head(&self) -> *mut u8 {
        self.heap.get_head()
    }

    /// Pages of the heap now.
    pub fn get_num_allocations(&self) -> usize {
        self.heap.page_map().count()
    }

    /// The byte after the last region.
    pub fn tail(&self) -> *mut u8 {
        self.heap.tail()
    }

    /// Whether all that calls rely on in the side memory follows from the headers, every region is
    /// tiled by its chunks, and none but the first is empty.
    ///
    /// Walks the whole heap. Always true between calls, unless a client wrote over a header.
    pub fn audit(&self) -> bool {
        let map = self.heap.page_map();
        let mut next = map.region(0);
        while let Some(region) = next {
            let end = self.get_head().wrapping_add(region.end * PAGE_SIZE);
            let chunks = || self.heap.chunks_of(&region);
            let is_tiled = chunks().last().is_some_and(|last| last.end() == end);
            if !is_tiled || region.start > 0 && chunks().all(|chunk| !chunk.taken) {
                return false;
            }
            next = map.region(region.end);
        }
        self.heap.follows_from(self.chunks())
    }

    /// The page allocator, for others that take pages from it and give them back.
    pub fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// What a call comes to that asks for `size` bytes; made again if it is null at first and the
    /// heap can be made to hold them.
    fn or_grow(
        &mut self,
        size: usize,
        align: usize,
        mut call: impl FnMut(&mut FirstFit<Extensible>) -> *mut u8,
    ) -> *mut u8 {
        let block = call(&mut self.heap);
        if !block.is_null() || !self.grow(size, align) {
            return block;
        }
        call(&mut self.heap)
    }
}
