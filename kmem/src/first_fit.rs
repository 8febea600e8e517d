//! The kernel heap to use: address-ordered first fit that merges at once.
//!
//! The policy is part of the interface (an independent model predicts every placement):
//!
//! - payload = the size rounded up to 8, at least 8; chunk = payload + 8; what overflows is null;
//! - the lowest free chunk that fits is taken, an aligned request at the lowest address in it that
//!   leaves a front gap of 0 or at least 16 bytes, which stays a free chunk;
//! - a remainder of at least 16 bytes becomes a free chunk, a smaller one is absorbed;
//! - a freed block merges with both neighbours; a resized one stays where it is if it can.
//!
//! How blocks are placed is in `place`, how they are resized in `resize`. All state is in the
//! headers, and every header used was found by walking from the head: a wild pointer is compared,
//! never followed. It deliberately keeps no free list.
//!
//! Invariant between calls: chunks tile `[head, tail)`, each at least 16 bytes and a multiple of
//! 8, and no two free ones are neighbours.

mod place;
mod resize;

use core::alloc::Layout;
use core::fmt;
use core::hint::spin_loop;
use core::ptr::null_mut;

use crate::align::PAGE_SIZE;
use crate::chunk::{Chunk, Chunks, HEADER_BYTES, Header, print_chunks};
use crate::defect;
use crate::free_error::FreeError;

/// Bytes of the smallest chunk: a header and the smallest payload.
pub const CHUNK_BYTES_MIN: usize = 16;

const PAYLOAD_BYTES_MIN: usize = 8;
const _: () = assert!(CHUNK_BYTES_MIN == HEADER_BYTES + PAYLOAD_BYTES_MIN);

/// The correct generation.
pub type Kmem = FirstFit<{ defect::NONE }>;

/// The correct generation, with the planted defect that `DEFECT` names (see [`defect`]).
#[derive(Debug)]
pub struct FirstFit<const DEFECT: u8> {
    head: *mut u8,
    bytes: usize,
}

// SAFETY: the region is exclusively this instance's (contract of `new`), whatever thread uses it.
unsafe impl<const DEFECT: u8> Send for FirstFit<DEFECT> {}

/// A live block, and what lies next to it.
struct Site {
    before: Option<Chunk>,
    block: Chunk,
    after: Option<Chunk>,
}

impl Site {
    /// Bytes from the block's header to the end of the free successor, if there is one.
    fn room(&self) -> usize {
        self.block.size + self.after.map_or(0, |chunk| chunk.size)
    }
}

impl<const DEFECT: u8> FirstFit<DEFECT> {
    /// Makes the region one free chunk. Its contents do not matter.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of blocks. `start` is a multiple of 8; `bytes` is a
    /// multiple of 8 and at least 16.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let mut heap = Self { head: start, bytes };
        heap.write(start, bytes, false);
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
    /// Null if nothing fits or no live block starts at `ptr`; the table and the block are then
    /// untouched.
    ///
    /// # Safety
    ///
    /// As for `GlobalAlloc::realloc`: `ptr` is a live block that was last given `layout`.
    pub unsafe fn realloc(&mut self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let (Some(need), Ok(site)) = (Self::chunk_bytes(new_size), self.locate(ptr)) else {
            return null_mut();
        };
        if self.resize_in_place(&site, need) {
            return site.block.payload();
        }
        self.relocate(site.block, layout, new_size)
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
        if let Err(error) = unsafe { self.try_kfree(ptr) } {
            panic!("kfree: {error}");
        }
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
        if ptr.is_null() && !Self::has(defect::FREE_NULL_REFUSED) {
            return Ok(());
        }
        let site = match self.locate(ptr) {
            Err(error) => return self.refuse(ptr, error),
            Ok(site) => site,
        };
        if Self::has(defect::ENDLESS_LOOP) && site.before.is_some() && site.after.is_some() {
            loop {
                spin_loop();
            }
        }
        if Self::has(defect::STORE_OUTSIDE) && site.block.end() == self.tail() {
            // SAFETY: none; storing outside the heap is the defect that is planted here.
            unsafe { self.tail().cast::<u64>().write_volatile(0) };
        }
        self.merge(&site);
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
        self.bytes / PAGE_SIZE
    }

    /// The byte after the heap.
    pub fn tail(&self) -> *mut u8 {
        self.head.wrapping_add(self.bytes)
    }

    /// The chunks from head to tail: a bounded walk, whatever the headers say.
    pub fn chunks(&self) -> Chunks<'_> {
        // SAFETY: the region is readable and exclusive (contract of `new`).
        unsafe { Chunks::new(self.head, self.bytes) }
    }

    /// What comes of freeing where no block starts: the error and nothing else.
    fn refuse(&mut self, ptr: *mut u8, error: FreeError) -> Result<(), FreeError> {
        match (DEFECT, error) {
            (defect::DOUBLE_FREE_ACCEPTED, FreeError::AlreadyFree { .. })
            | (defect::INTERIOR_FREE_ACCEPTED, FreeError::NoBlock { .. }) => return Ok(()),
            (defect::DOUBLE_FREE_MARKS, FreeError::AlreadyFree { size, .. }) => {
                self.write(ptr.wrapping_sub(HEADER_BYTES), size, true);
            }
            _ => {}
        }
        Err(error)
    }

    /// Makes a block and its free neighbours one free chunk.
    fn merge(&mut self, site: &Site) {
        let block = site.block;
        let before = match DEFECT {
            defect::MISSING_MERGE => None,
            defect::TAKEN_PREDECESSOR_MERGED => self.chunks().find(|c| c.end() == block.header),
            _ => site.before,
        };
        let after = match DEFECT {
            defect::SUCCESSOR_NOT_MERGED => None,
            defect::ONE_NEIGHBOUR_MERGED if before.is_some() => None,
            defect::TAKEN_SUCCESSOR_MERGED => self.chunks().find(|c| c.header == block.end()),
            _ => site.after,
        };
        let first = before.unwrap_or(block).header;
        let mut size = block.size + after.map_or(0, |chunk| chunk.size);
        if !Self::has(defect::MERGE_LOSES_PREDECESSOR) {
            size += block.header.addr() - first.addr();
        }
        if Self::has(defect::MERGE_ADDS_A_HEADER) && after.is_some() {
            size += HEADER_BYTES;
        }
        self.write(first, size, Self::has(defect::TAKEN_BIT_NOT_CLEARED));
    }

    /// Finds the live block that starts at `ptr` by walking from the head.
    fn locate(&self, ptr: *mut u8) -> Result<Site, FreeError> {
        let address = ptr.addr();
        let (head, tail) = (self.head.addr(), self.tail().addr());
        if !(head..tail).contains(&address) {
            return Err(FreeError::Outside {
                address,
                head,
                tail,
            });
        }
        if !address.is_multiple_of(8) {
            return Err(FreeError::Misaligned { address });
        }
        let mut chunks = self.chunks();
        let mut before = None;
        let block = loop {
            match chunks.next() {
                Some(chunk) if chunk.payload().addr() == address => break chunk,
                Some(chunk) if chunk.payload().addr() < address => before = Some(chunk),
                _ => return Err(FreeError::NoBlock { address }),
            }
        };
        let size = block.size;
        if !block.taken {
            return Err(FreeError::AlreadyFree { address, size });
        }
        if size < CHUNK_BYTES_MIN || !self.is_inside(block) {
            return Err(FreeError::Broken { address, size });
        }
        let after = chunks
            .next()
            .filter(|chunk| !chunk.taken && self.is_inside(*chunk));
        Ok(Site {
            before: before.filter(|chunk| !chunk.taken),
            block,
            after,
        })
    }

    /// Whether a chunk of the walk ends inside the heap, so that its size may be relied on.
    fn is_inside(&self, chunk: Chunk) -> bool {
        chunk.size <= self.tail().addr() - chunk.header.addr()
    }

    /// Whether this is the mutant of that defect.
    const fn has(defect: u8) -> bool {
        DEFECT == defect
    }

    fn write(&mut self, at: *mut u8, size: usize, taken: bool) {
        // SAFETY: every caller writes at a header of the walk, or at a cut inside a chunk that
        // `is_inside`, with at least 16 bytes behind it: in the region that `new` was given.
        unsafe { Header::new(size, taken).store(at) };
    }
}
