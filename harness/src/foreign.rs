//! Makes a subject of somebody else's allocator that knows layouts: what is the same for every crate.
//! The adapter of one crate is then a declaration and two to five calls.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use crate::declaration::Declaration;
use crate::subject::{Chunk, Freed, Region, Request, Subject};

/// An allocator of somebody else's over one region.
pub trait Foreign: Sized {
    /// What its users are told.
    const DECLARATION: Declaration;

    /// An allocator over a fresh region, as its documentation says it is made. It may still be
    /// moved until its first call ([`Subject`] says so).
    ///
    /// # Safety
    /// As for [`Subject::new`].
    unsafe fn new(region: Region) -> Self;

    /// A block, or null.
    ///
    /// # Safety
    /// The layout is within the declaration, and its size is not 0.
    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8;

    /// Gives a block back.
    ///
    /// # Safety
    /// The block is live and was granted for this layout.
    unsafe fn free(&mut self, block: *mut u8, layout: Layout);

    /// A block of zeroes, or null: as `GlobalAlloc` does it, unless the crate has its own way.
    ///
    /// # Safety
    /// As for [`Self::alloc`].
    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: the block was just granted, with as many bytes.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    /// The block resized, perhaps moved; or null, and the block as it was: as `GlobalAlloc` does
    /// it, unless the crate has its own way.
    ///
    /// # Safety
    /// As for [`Subject::realloc`], and the new size is not 0.
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that the new size makes a layout with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the same alignment, so it is within the declaration too.
        let moved = unsafe { self.alloc(new) };
        if !moved.is_null() {
            // SAFETY: both blocks are live and hold that many bytes, and they do not overlap.
            unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(new_size)) };
            // SAFETY: the caller vouches for the block.
            unsafe { self.free(block, layout) };
        }
        moved
    }
}

/// The subject made of one.
#[derive(Debug)]
pub struct Adapter<F>(F);

impl<F: Foreign> Subject for Adapter<F> {
    const DECLARATION: Declaration = F::DECLARATION;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: exactly the caller's promise.
        Self(unsafe { F::new(region) })
    }

    unsafe fn alloc(&mut self, request: Request) -> *mut u8 {
        // Only a subject with a native entry is asked without an alignment, and none here has one.
        let align = request.align.unwrap_or(1);
        let Ok(layout) = Layout::from_size_align(request.size, align) else {
            return core::ptr::null_mut();
        };
        match request.zeroed {
            // SAFETY: the request is within the declaration, so its size is not 0.
            true => unsafe { self.0.alloc_zeroed(layout) },
            // SAFETY: as above.
            false => unsafe { self.0.alloc(layout) },
        }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise; the harness asks for no size of 0.
        unsafe { self.0.realloc(block, layout, new_size) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.free(block, layout) };
        Freed::Done
    }

    fn walk(&self, _: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        None
    }

    fn print_table(&self, _: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}
