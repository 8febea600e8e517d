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
//! All state is in the headers, and every header used was found by walking from the head: a wild
//! pointer is compared, never followed. It deliberately keeps no free list.
//!
//! Invariant between calls: chunks tile `[head, tail)`, each at least 16 bytes and a multiple of
//! 8, and no two free ones are neighbours.

use core::alloc::Layout;
use core::fmt;
use core::hint::spin_loop;
use core::ptr::{self, null_mut};

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
        let (Some(need), Ok(site)) = (chunk_bytes(new_size), self.locate(ptr)) else {
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
        if ptr.is_null() {
            return Ok(());
        }
        let site = self.locate(ptr)?;
        if DEFECT == defect::ENDLESS_LOOP && site.before.is_some() && site.after.is_some() {
            loop {
                spin_loop();
            }
        }
        if DEFECT == defect::STORE_OUTSIDE && site.block.end() == self.tail() {
            // SAFETY: none; storing outside the heap is the defect that is planted here.
            unsafe { self.tail().cast::<u64>().write_volatile(0) };
        }
        let first = match site.before {
            Some(before) if DEFECT != defect::MISSING_MERGE => before,
            _ => site.block,
        };
        let below = site.block.header.addr() - first.header.addr();
        self.write(first.header, below + site.room(), false);
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

    fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        let align = if DEFECT == defect::ALIGNMENT_IGNORED {
            PAYLOAD_BYTES_MIN
        } else {
            align
        };
        let Some(need) = chunk_bytes(size) else {
            return null_mut();
        };
        let fit = self.chunks().find_map(|chunk| {
            if chunk.taken || chunk.size < need || !self.is_inside(chunk) {
                return None;
            }
            let gap = front_gap(chunk.header.addr(), align)?;
            (gap <= chunk.size - need).then_some((chunk, gap))
        });
        let Some((chunk, gap)) = fit else {
            return null_mut();
        };
        if DEFECT == defect::PANIC && chunk.size == need && self.chunks().any(|other| other.taken) {
            panic!("planted defect: exact fit of {need} bytes");
        }
        let header = chunk.header.wrapping_add(gap);
        if gap > 0 {
            self.write(chunk.header, gap, false);
        }
        self.settle(header, need, chunk.size - gap);
        header.wrapping_add(HEADER_BYTES)
    }

    fn place_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = self.place(size, align);
        if DEFECT == defect::NOT_ZEROED || block.is_null() {
            return block;
        }
        let mut bytes = size.next_multiple_of(8);
        let left = self.tail().addr() - block.addr();
        if DEFECT == defect::HEADER_OVERWRITTEN && bytes < left {
            bytes += HEADER_BYTES;
        }
        // SAFETY: the block was just handed out with at least the size rounded up to 8 (which
        // cannot overflow, since `chunk_bytes` added more).
        unsafe { block.write_bytes(0, bytes) };
        block
    }

    /// Makes the `room` bytes at `header` a taken chunk of `need` bytes and a free remainder, or
    /// one taken chunk if the remainder would be too small.
    fn settle(&mut self, header: *mut u8, need: usize, room: usize) {
        if !Self::splits(room - need) {
            self.write(header, room, true);
            return;
        }
        let size = if DEFECT == defect::OFF_BY_8_SPLIT {
            need - 8
        } else {
            need
        };
        self.write(header, size, true);
        self.write(header.wrapping_add(size), room - size, false);
    }

    /// Whether a remainder of so many bytes becomes a chunk of its own.
    fn splits(remainder: usize) -> bool {
        if DEFECT == defect::WRONG_REMAINDER_TEST {
            return remainder > CHUNK_BYTES_MIN;
        }
        remainder >= CHUNK_BYTES_MIN
    }

    /// Whether the block could be made a chunk of `need` bytes where it is.
    fn resize_in_place(&mut self, site: &Site, need: usize) -> bool {
        if need > site.room() {
            return false;
        }
        // A shrink that frees less than a chunk leaves everything as it is, even next to a free
        // successor.
        if need > site.block.size || Self::splits(site.block.size - need) {
            self.settle(site.block.header, need, site.room());
        }
        true
    }

    fn relocate(&mut self, old: Chunk, layout: Layout, new_size: usize) -> *mut u8 {
        let block = self.place(new_size, layout.align());
        if block.is_null() {
            return block;
        }
        let mut bytes = layout.size().min(new_size).min(old.size - HEADER_BYTES);
        if DEFECT == defect::REALLOC_COPIES_TOO_LITTLE {
            bytes = bytes.saturating_sub(8);
        }
        // SAFETY: two live blocks do not overlap, and `bytes` is at most either's payload.
        unsafe { ptr::copy_nonoverlapping(old.payload(), block, bytes) };
        // SAFETY: `old` was located as a live block, and its contents have moved.
        unsafe { self.kfree(old.payload()) };
        block
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

    fn write(&mut self, at: *mut u8, size: usize, taken: bool) {
        // SAFETY: every caller writes at a header of the walk, or at a cut inside a chunk that
        // `is_inside`, with at least 16 bytes behind it: in the region that `new` was given.
        unsafe { Header::new(size, taken).store(at) };
    }
}

/// Bytes of the chunk for a request, or nothing if that overflows.
fn chunk_bytes(size: usize) -> Option<usize> {
    let payload = size.checked_next_multiple_of(8)?.max(PAYLOAD_BYTES_MIN);
    payload.checked_add(HEADER_BYTES)
}

/// Bytes from a free chunk at address `chunk` to the lowest header in it whose payload is aligned
/// and which leaves room for a whole chunk, or nothing, in front of it.
fn front_gap(chunk: usize, align: usize) -> Option<usize> {
    if align <= PAYLOAD_BYTES_MIN {
        return Some(0);
    }
    let payload = chunk + HEADER_BYTES;
    let aligned = payload.checked_add(align - 1)? & !(align - 1);
    let gap = aligned - payload;
    if gap == 0 || gap >= CHUNK_BYTES_MIN {
        Some(gap)
    } else {
        gap.checked_add(align)
    }
}
