//! The guest has no allocator of its own. Two of its subjects' crates link `alloc`, for its types
//! alone, and a program that links `alloc` must name one: this one has nothing to give.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::alloc::{GlobalAlloc, Layout};

struct NoMemory;

#[global_allocator]
static NO_MEMORY: NoMemory = NoMemory;

// SAFETY: null is always a right answer to a request, so there is no block to free either.
unsafe impl GlobalAlloc for NoMemory {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
