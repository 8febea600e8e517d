//! The yardstick: a target as allocator crates usually have one, over `kmem`. Nothing is judged.
//!
//! `kmem-rig-bench fuzzing` holds the rig's targets against it. The package in `fuzz/plain` builds
//! it as cargo-fuzz does by default: everything instrumented. Only the tally at the end is not
//! usual.
#![no_main]
#![allow(unsafe_code, reason = "it calls an allocator")]

use std::alloc::Layout;

use harness::declaration::Declaration;
use harness::subject::{Freed, Region, Subject};
use kmem::Kmem;
use libfuzzer_sys::fuzz_target;

#[path = "../plain/actions.rs"]
mod actions;
#[path = "../../src/fuzz/tally.rs"]
mod tally;

fuzz_target!(|actions: Vec<actions::Action>| {
    tally::add(actions::run::<Allocator>(&actions));
});

struct Allocator(Kmem);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new("kmem");

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region.
        Self(unsafe { Kmem::new(region.start, region.bytes, region.side) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: any layout may be asked for.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.dealloc(block, layout) };
        Freed::Done
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}
