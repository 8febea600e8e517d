//! `blink-alloc`: an arena over a source of chunks. Freed memory is not used again.

use std::alloc::Layout;
use std::cell::Cell;
use std::process::ExitCode;
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;

use allocator_api2::alloc::{AllocError, Allocator as Arena};
use blink_alloc::BlinkAlloc;
use harness::declaration::{Declaration, Reuse};
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// The region as a source of chunks: what is left of it, from its start on.
#[derive(Clone)]
struct Source(Rc<Cell<(usize, Region)>>);

// SAFETY: what is granted lies in the region, aligned, and is granted once: it is never taken back.
unsafe impl Arena for Source {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let (used, region) = self.0.get();
        let offset = used.next_multiple_of(layout.align());
        let left = region.bytes.checked_sub(offset).ok_or(AllocError)?;
        if layout.size() > left {
            return Err(AllocError);
        }
        self.0.set((offset + layout.size(), region));
        let start = NonNull::new(region.start.wrapping_add(offset)).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
}

pub struct Allocator(BlinkAlloc<Source>);

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(64)
        .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        let source = Source(Rc::new(Cell::new((0, region))));
        Self(BlinkAlloc::new_in(source))
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let granted = Arena::allocate(&&self.0, layout);
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        let granted = Arena::allocate_zeroed(&&self.0, layout);
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { Arena::deallocate(&&self.0, block, layout) };
        }
        Freed::Done
    }
}

static SUBJECTS: [Entry; 1] = [Entry::of::<Allocator>()];

fn main() -> ExitCode {
    kmem_rig::cli::main(&SUBJECTS)
}
