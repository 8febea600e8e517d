//! `embedded-alloc`'s heap of two-level segregated fit, as firmware makes it its global allocator.

use core::alloc::{GlobalAlloc, Layout};

use embedded_alloc::TlsfHeap;
use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

/// `TlsfHeap` of `embedded-alloc`.
pub struct EmbeddedTlsf(TlsfHeap);

impl Subject for EmbeddedTlsf {
    const DECLARATION: Declaration = Declaration::new("embedded-tlsf").region_at_least(128);

    unsafe fn new(region: Region) -> Self {
        let heap = TlsfHeap::empty();
        // SAFETY: the caller vouches for the region, and the heap is initialised once.
        unsafe { heap.init(region.start.addr(), region.bytes) };
        Self(heap)
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::alloc(&self.0, layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::dealloc(&self.0, block, layout) }
        Freed::Done
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::alloc_zeroed(&self.0, layout) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { GlobalAlloc::realloc(&self.0, block, layout, new_size) }
    }
}
