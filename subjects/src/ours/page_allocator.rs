//! Whole pages, with a descriptor byte a page at the region's start: what their adapters share, and
//! `page-2019`.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use harness::declaration::{Declaration, Overhead, Reserved, TableForm};
use harness::geometry::PAGE_BYTES;
use harness::subject::{Chunk, Freed, Region, Subject};
use kmem::{PAGE_SIZE, Pages2019};

const OVERHEAD: Overhead = Overhead {
    header: 0,
    granularity: PAGE_BYTES,
    chunk_min: PAGE_BYTES,
    absorb_max: 0,
    reserved: Reserved::PageDescriptors,
};

/// What both generations declare.
pub(crate) const fn declaration(name: &'static str) -> Declaration {
    Declaration::new(name)
        .family("page-allocator")
        .unit(PAGE_BYTES)
        // A page of descriptors and a page to hand out.
        .region_at_least(2 * PAGE_BYTES)
        .region_multiple_of(PAGE_BYTES)
        .align_max(PAGE_BYTES)
        .overhead(OVERHEAD)
        .table(TableForm::Pages)
}

pub(crate) const fn pages_for(bytes: usize) -> usize {
    bytes.div_ceil(PAGE_SIZE)
}

/// Shows allocations and runs of free pages as chunks. A run of free pages is one chunk, so no
/// two free chunks ever meet; an allocation that lacks its last mark runs to the next free page.
pub(crate) fn show(
    first: u64,
    pages: usize,
    state: &dyn Fn(usize) -> (bool, bool),
    visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
) -> Range<u64> {
    let offset_of = |page: usize| first + page as u64 * PAGE_BYTES;
    let mut from = 0;
    while from < pages {
        let (taken, mut last) = state(from);
        let mut to = from + 1;
        while to < pages && !(taken && last) && state(to).0 == taken {
            last = state(to).1;
            to += 1;
        }
        let size = offset_of(to) - offset_of(from);
        if visit(Chunk {
            offset: offset_of(from),
            size,
            taken,
        })
        .is_break()
        {
            break;
        }
        from = to;
    }
    first..offset_of(pages)
}

/// `page-2019`.
pub struct PublishedPages {
    pages: Pages2019,
    region: Region,
}

impl Subject for PublishedPages {
    const DECLARATION: Declaration = declaration("page-2019");
    const TABLE_IS_STATE: bool = true;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region, which has at least two pages.
        let pages = unsafe { Pages2019::new(region.start, region.bytes) };
        Self { pages, region }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.pages.alloc(pages_for(layout.size()))
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        self.pages.zalloc(pages_for(layout.size()))
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.pages.dealloc(block) };
        Freed::Done
    }

    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        let first = (self.pages.first_page().addr() - self.region.start.addr()) as u64;
        let state = |page| (self.pages.is_taken(page), self.pages.is_last(page));
        Some(show(first, self.pages.pages(), &state, visit))
    }

    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.pages.print_page_allocations(out)
    }
}
