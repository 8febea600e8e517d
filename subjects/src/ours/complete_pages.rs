//! `page`: whole pages, complete.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use harness::declaration::{Declaration, Misuse, Policy};
use harness::subject::{Chunk, Freed, Region, Subject};

use super::allocators::Pages;
use crate::ours::page_allocator::{declaration, pages_for, show};

/// The subject.
pub struct CompletePages {
    pages: Pages,
    region: Region,
}

impl Subject for CompletePages {
    const DECLARATION: Declaration = declaration("page")
        .policy(Policy::LowestRun)
        .misuse(Misuse::Refuses);
    const TABLE_IS_STATE: bool = true;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region, which has at least two pages.
        let pages = unsafe { Pages::new(region.start, region.bytes) };
        Self { pages, region }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        self.pages.alloc(pages_for(layout.size()))
    }

    unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
        self.pages.zalloc(pages_for(layout.size()))
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        // SAFETY: exactly the caller's promise; what is no allocation's first page is refused.
        match unsafe { self.pages.try_dealloc(block) } {
            Ok(()) => Freed::Done,
            Err(_) => Freed::Refused,
        }
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
