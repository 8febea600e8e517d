//! `kmem-2019` and `kmem` (with or without a planted defect, or hardened): heaps of chunks with 8-byte
//! headers. `kmem` is two subjects: one for heaps that do not grow, and one for those that do.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};
use core::ptr::null_mut;

use harness::declaration::{Declaration, Misuse, Overhead, Policy, Reserved, TableForm};
use harness::ground::DIRT;
use harness::subject::{Chunk, Freed, Region, Subject};
use kmem::{FirstFit, Growing, Kmem2019, PAGE_SIZE, POISON, PageSource, Pages, defect};

const OVERHEAD: Overhead = Overhead {
    header: 8,
    granularity: 8,
    chunk_min: 8,
    absorb_max: 8,
    reserved: Reserved::Nothing,
};

/// What both generations declare.
const fn declaration(name: &'static str) -> Declaration {
    Declaration::new(name)
        .family("kernel-heap")
        .native()
        .overhead(OVERHEAD)
        .table(TableForm::Chunks)
}

/// What `kmem` declares.
const fn first_fit(name: &'static str) -> Declaration {
    declaration(name)
        .overhead(Overhead {
            chunk_min: 16,
            ..OVERHEAD
        })
        .policy(Policy::FirstFit)
        .misuse(Misuse::Refuses)
}

/// What its hardened variants declare. They are a family of their own, since what clients do to them may
/// end otherwise.
const fn hardened(name: &'static str) -> Declaration {
    first_fit(name).family("hardened-heap").panics_on_damage()
}

/// Shows the chunks of a heap that starts at `region`.
fn show(
    chunks: impl Iterator<Item = kmem::Chunk>,
    region: Region,
    tail: *mut u8,
    visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
) -> Range<u64> {
    let offset_of = |address: *mut u8| (address.addr() - region.start.addr()) as u64;
    for chunk in chunks {
        let shown = Chunk {
            offset: offset_of(chunk.header),
            size: chunk.size as u64,
            taken: chunk.taken,
        };
        if visit(shown).is_break() {
            break;
        }
    }
    0..offset_of(tail)
}

/// What every heap is asked: they have the same functions.
macro_rules! calls {
    () => {
        unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
            // SAFETY: exactly the caller's promise.
            unsafe { self.heap.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&mut self, layout: Layout) -> *mut u8 {
            // SAFETY: exactly the caller's promise.
            unsafe { self.heap.alloc_zeroed(layout) }
        }

        fn alloc_native(&mut self, size: usize, zeroed: bool) -> *mut u8 {
            match zeroed {
                true => self.heap.kzmalloc(size),
                false => self.heap.kmalloc(size),
            }
        }

        fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
            Some(show(
                self.heap.chunks(),
                self.region,
                self.heap.tail(),
                visit,
            ))
        }

        fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
            self.heap.print_table(out)
        }
    };
}

/// `kmem-2019`.
pub struct PublishedHeap {
    heap: Kmem2019,
    region: Region,
}

impl Subject for PublishedHeap {
    // Its `init` takes the heap from `zalloc`.
    const DECLARATION: Declaration = declaration("kmem-2019").region_zeroed();
    const TABLE_IS_STATE: bool = true;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region; its geometry is a multiple of 8 and >= 16.
        let heap = unsafe { Kmem2019::new(region.start, region.bytes) };
        Self { heap, region }
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.realloc(block, layout, new_size) }
    }

    unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.heap.kfree(block) };
        Freed::Done
    }

    calls!();
}

// What is free looks as at the start of a run: the harness fills again what blocks have touched, no more.
const _: () = assert!(POISON == DIRT);

/// What `kmem` is asked besides, over a heap of either kind: it refuses.
macro_rules! refusing_calls {
    () => {
        unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: exactly the caller's promise; what is no live block, since a client wrote over a
            // header, is refused.
            let resized = unsafe { self.heap.try_realloc(block, layout, new_size) };
            resized.unwrap_or(null_mut())
        }

        unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
            // SAFETY: exactly the caller's promise; what is no live block is refused.
            match unsafe { self.heap.try_kfree(block) } {
                Ok(()) => Freed::Done,
                Err(_) => Freed::Refused,
            }
        }

        fn audit(&self) -> bool {
            self.heap.audit()
        }
    };
}

/// `kmem`, or with a `DEFECT` one of its mutants or hardened variants.
pub struct FirstFitHeap<const DEFECT: u8 = { defect::NONE }> {
    heap: FirstFit<DEFECT>,
    region: Region,
}

impl<const DEFECT: u8> Subject for FirstFitHeap<DEFECT> {
    const DECLARATION: Declaration = match (defect::name_of(DEFECT), DEFECT) {
        (Some(name), _) => first_fit(name).planted(true),
        (None, defect::SEALED) => hardened("kmem-sealed"),
        (None, defect::POISONED) => hardened("kmem-poisoned"),
        (None, defect::HARDENED) => hardened("kmem-hardened"),
        (None, _) => first_fit("kmem"),
    };
    const TABLE_IS_STATE: bool = true;

    fn side_bytes(heap_bytes: usize) -> usize {
        FirstFit::<DEFECT>::side_bytes(heap_bytes)
    }

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region and for as much side memory as is used; the geometry
        // is a multiple of 8 and >= 16.
        let heap = unsafe { FirstFit::new(region.start, region.bytes, region.side) };
        Self { heap, region }
    }

    calls!();
    refusing_calls!();
}

/// `kmem`, or with a `DEFECT` one of its mutants, over a heap that grows. The page allocator's descriptors lie
/// behind the heap's own side memory.
pub struct GrowingHeap<const DEFECT: u8 = { defect::GROWING }> {
    heap: Growing<Pages, DEFECT>,
    region: Region,
}

impl<const DEFECT: u8> Subject for GrowingHeap<DEFECT> {
    const DECLARATION: Declaration = FirstFitHeap::<DEFECT>::DECLARATION;
    const GROWS: bool = true;

    fn side_bytes(heap_bytes: usize) -> usize {
        let reach = heap_bytes / PAGE_SIZE;
        (Growing::<Pages, DEFECT>::side_bytes(reach) + reach).next_multiple_of(8)
    }

    unsafe fn new(region: Region) -> Self {
        let reach = region.bytes / PAGE_SIZE;
        let pages = reach - region.growth.pages() as usize;
        let side_bytes = Growing::<Pages, DEFECT>::side_bytes(reach);
        let descriptors = region.side.wrapping_add(side_bytes);
        // SAFETY: the caller vouches for the region, a geometry of whole pages, and for as much side memory as
        // is used.
        let mut source = unsafe { Pages::beside(descriptors, region.start, reach) };
        let address = |offset: usize| region.start.addr() + offset;
        source.take(address(0)..address(pages * PAGE_SIZE));
        for page in region.growth.others(region.bytes as u64) {
            let page = page as usize;
            source.take(address(page)..address(page + PAGE_SIZE));
        }
        // SAFETY: as above; the region's start may be used to access all of it.
        let heap = unsafe { Growing::new(region.start, pages, reach, region.side, source) };
        Self { heap, region }
    }

    calls!();
    refusing_calls!();
}
