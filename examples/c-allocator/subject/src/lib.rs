//! The allocator of `heap.c` as the rig sees it. Its state is the C file's own, so there is one
//! heap at a time, which is all that a run needs; each run makes it anew.
#![no_std]

use core::alloc::Layout;

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};

unsafe extern "C" {
    fn heap_init(start: *mut u8, bytes: usize);
    fn heap_malloc(bytes: usize) -> *mut u8;
    fn heap_free(block: *mut u8);
}

/// The heap in C.
pub struct CHeap;

impl Subject for CHeap {
    const DECLARATION: Declaration = Declaration::new("c-heap")
        .region_at_least(64)
        // `malloc` is not told of alignments.
        .align_max(16);

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the region is the heap's alone, and more strictly aligned than to 16 bytes.
        unsafe { heap_init(region.start, region.bytes) };
        Self
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: the heap has been made, and is used by one thread.
        unsafe { heap_malloc(layout.size()) }
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        // SAFETY: the caller vouches for the block.
        unsafe { heap_free(block) };
        Freed::Done
    }
}
