//! Where arenas get their chunks from. The crate's `api` is the allocator API that its arena knows.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use harness::subject::Region;

use crate::api::{AllocError, Allocator};

/// The region as a source of chunks: what is left of it, from its start on.
#[derive(Clone)]
pub struct Source(Rc<Cell<(usize, Region)>>);

impl Source {
    pub fn new(region: Region) -> Self {
        Self(Rc::new(Cell::new((0, region))))
    }
}

// SAFETY: what is granted lies in the region, aligned, and is granted once: it is never taken back.
unsafe impl Allocator for Source {
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
