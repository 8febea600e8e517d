//! `kmem` over a heap that grows.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};
use core::ptr::null_mut;

use harness::declaration::Declaration;
use harness::subject::{Chunk, Freed, Region, Subject};

use super::allocators::{GrowingKmem, PAGE_SIZE, PageSource, Pages};
use crate::ours::FirstFitHeap;
use crate::ours::kernel_heap::{calls, refusing_calls};

/// The subject. The page allocator's descriptors lie
/// behind the heap's own side memory.
pub struct GrowingHeap {
    heap: GrowingKmem<Pages>,
    region: Region,
}

impl Subject for GrowingHeap {
    const DECLARATION: Declaration = <FirstFitHeap>::DECLARATION;
    const GROWS: bool = true;

    fn side_bytes(heap_bytes: usize) -> usize {
        let reach = heap_bytes / PAGE_SIZE;
        (GrowingKmem::<Pages>::side_bytes(reach) + reach).next_multiple_of(8)
    }

    unsafe fn new(region: Region) -> Self {
        let reach = region.bytes / PAGE_SIZE;
        let pages = reach - region.growth.pages() as usize;
        let side_bytes = GrowingKmem::<Pages>::side_bytes(reach);
        let descriptors = region.side.wrapping_add(side_bytes);
        // SAFETY: the caller vouches for the region, a geometry of whole pages, and for as much
        // side memory as is used.
        let mut source = unsafe { Pages::beside(descriptors, region.start, reach) };
        let address = |offset: usize| region.start.addr() + offset;
        source.take(address(0)..address(pages * PAGE_SIZE));
        for page in region.growth.others(region.bytes as u64) {
            let page = page as usize;
            source.take(address(page)..address(page + PAGE_SIZE));
        }
        // SAFETY: as above; the region's start may be used to access all of it.
        let heap = unsafe { GrowingKmem::new(region.start, pages, reach, region.side, source) };
        Self { heap, region }
    }

    calls!();
    refusing_calls!();
}
