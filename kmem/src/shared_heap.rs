//! One heap for all harts, their interrupt handlers included.
//!
//! ```text
//! alloc            [ place ]
//! alloc_zeroed     [ place ] zero
//! realloc          [ resize, else place ] copy [ free ]          [ ]: with the lock, interrupts
//! masked dealloc          [ free ]
//! ```
//!
//! Nothing is zeroed or copied while the lock is held, so that it is held for a time that does not
//! depend on any block's size. What is refused panics after the lock was given back: the panic's
//! handler may allocate.

#![allow(unsafe_code, reason = "it shares a heap between harts")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

use lock_api::RawMutex;

use crate::free_error::FreeError;
use crate::hart::Hart;
use crate::locked::{Locked, TicketLock};
use crate::zero::zero_words;

/// What a heap does with the lock held: short work on its own records, never on what a block holds.
///
/// # Safety
///
/// A block that was placed is nobody else's, starts at a multiple of 8 and of its alignment, and
/// holds its size rounded up to 8, until it is freed; resized, it holds the new size, and its first
/// bytes are unchanged.
pub unsafe trait Heap {
    /// Finds room for `size` bytes at a multiple of `align`, a power of two; null if there is none.
    fn place(&mut self, size: usize, align: usize) -> *mut u8;

    /// Makes the block at `ptr` hold `new_size` bytes where it is, if it can be done; whatever
    /// pointer it is.
    ///
    /// # Errors
    ///
    /// If no block starts at `ptr`; nothing has changed then.
    fn resize(&mut self, ptr: *mut u8, new_size: usize) -> Result<bool, FreeError>;

    /// Frees a block; null does nothing.
    ///
    /// # Errors
    ///
    /// If no block starts at `ptr`; nothing has changed then.
    ///
    /// # Safety
    ///
    /// If a block does start there, its owner no longer uses it.
    unsafe fn free(&mut self, ptr: *mut u8) -> Result<(), FreeError>;
}

/// A heap behind a [`Locked`], as a kernel's global allocator.
///
/// ```
/// use kmem::{Kmem, NoInterrupts, SharedHeap};
///
/// // A kernel in supervisor mode names `kmem::Supervisor`, and says `#[global_allocator]`.
/// static HEAP: SharedHeap<Kmem, NoInterrupts> = SharedHeap::new();
///
/// assert!(HEAP.kmalloc(24).is_null(), "no memory before `init`");
/// let memory = vec![0_u64; 512].leak();
/// let side = vec![0_u64; Kmem::side_bytes(4096) / 8].leak();
/// // SAFETY: both are leaked, and nobody else knows them.
/// HEAP.init(unsafe { Kmem::new(memory.as_mut_ptr().cast(), 4096, side.as_mut_ptr().cast()) });
/// let block = HEAP.kmalloc(24);
/// assert!(!block.is_null());
/// // SAFETY: it was just granted, and is used no more.
/// unsafe { HEAP.kfree(block) };
/// ```
#[derive(Debug)]
pub struct SharedHeap<T, H, L = TicketLock<H>> {
    /// Set iff `init` was called.
    heap: Locked<Option<T>, H, L>,
}

impl<T: Heap, H: Hart, L: RawMutex> SharedHeap<T, H, L> {
    /// Without memory: until [`init`](Self::init), every request is refused with null.
    pub const fn new() -> Self {
        Self {
            heap: Locked::new(None),
        }
    }

    /// Gives it the heap to share.
    ///
    /// # Panics
    ///
    /// If it has one: its blocks would be nobody's.
    pub fn init(&self, heap: T) {
        let refused = self.heap.with(|shared| match shared {
            Some(_) => Some(heap),
            None => {
                *shared = Some(heap);
                None
            }
        });
        assert!(refused.is_none(), "a shared heap is given its heap once");
    }

    /// Runs `work` on the heap, with the lock held; `None` before `init`. For tables, counts,
    /// audits.
    ///
    /// `work` must not allocate from this heap, nor free: it would wait for itself.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.heap.with(|heap| heap.as_mut().map(work))
    }

    /// Allocates `size` bytes, aligned to 8; null if nothing fits.
    pub fn kmalloc(&self, size: usize) -> *mut u8 {
        self.place(size, 8)
    }

    /// Allocates like [`kmalloc`](Self::kmalloc), and zeroes `size` bytes rounded up to 8; null if
    /// nothing fits.
    pub fn kzmalloc(&self, size: usize) -> *mut u8 {
        self.place_zeroed(size, 8)
    }

    /// Frees a block; null does nothing.
    ///
    /// # Panics
    ///
    /// Where [`try_kfree`](Self::try_kfree) refuses; the lock is free by then.
    ///
    /// # Safety
    ///
    /// As for [`try_kfree`](Self::try_kfree).
    pub unsafe fn kfree(&self, ptr: *mut u8) {
        // SAFETY: the same contract.
        unsafe { self.try_kfree(ptr) }.unwrap_or_else(|error| error.panic("kfree"));
    }

    /// Frees a block; null does nothing, and nothing is freed before `init`.
    ///
    /// # Errors
    ///
    /// [`FreeError`] if no live payload starts at `ptr`; nothing has changed then.
    ///
    /// # Safety
    ///
    /// If a block does start at `ptr`, its owner no longer uses it.
    pub unsafe fn try_kfree(&self, ptr: *mut u8) -> Result<(), FreeError> {
        // SAFETY: the same contract.
        let freed = self.with(|heap| unsafe { heap.free(ptr) });
        freed.unwrap_or(Ok(()))
    }

    fn place(&self, size: usize, align: usize) -> *mut u8 {
        let block = self.with(|heap| heap.place(size, align));
        block.unwrap_or(null_mut())
    }

    fn place_zeroed(&self, size: usize, align: usize) -> *mut u8 {
        let block = self.place(size, align);
        if !block.is_null() {
            // SAFETY: the block holds the size rounded up to 8, and nobody else knows it yet.
            unsafe { zero_words(block, size.div_ceil(8)) };
        }
        block
    }
}

impl<T: Heap, H: Hart, L: RawMutex> Default for SharedHeap<T, H, L> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: the heap's own contract (`Heap`), of which the lock lets one hart at a time make use; a
// block that moves is copied between two blocks that both belong to the caller.
unsafe impl<T: Heap, H: Hart, L: RawMutex> GlobalAlloc for SharedHeap<T, H, L> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.place(layout.size(), layout.align())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.place_zeroed(layout.size(), layout.align())
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let block = self.with(|heap| {
            Ok(match heap.resize(ptr, new_size)? {
                true => ptr,
                false => heap.place(new_size, layout.align()),
            })
        });
        let block = block.unwrap_or(Ok(null_mut()));
        let block = block.unwrap_or_else(|error: FreeError| error.panic("realloc"));
        if !block.is_null() && block != ptr {
            // SAFETY: both blocks hold the smaller size, and nobody else uses either. (They overlap
            // where a client has overwritten a header.)
            unsafe {
                block.copy_from(ptr, layout.size().min(new_size));
                self.kfree(ptr);
            }
        }
        block
    }

    unsafe fn dealloc(&self, ptr: *mut u8, _layout: Layout) {
        // SAFETY: the trait's contract is the method's.
        unsafe { self.kfree(ptr) };
    }
}
