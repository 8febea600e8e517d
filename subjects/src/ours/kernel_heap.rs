//! Heaps of chunks with 8-byte headers: what their adapters share, and `kmem-2019`.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};

use harness::declaration::{Declaration, Overhead, Reserved, TableForm};
use harness::subject::{Chunk, Freed, Region, Subject};
use kmem::Kmem2019;

pub(crate) const OVERHEAD: Overhead = Overhead {
    header: 8,
    granularity: 8,
    chunk_min: 8,
    absorb_max: 8,
    reserved: Reserved::Nothing,
};

/// What both generations declare.
pub(crate) const fn declaration(name: &'static str) -> Declaration {
    Declaration::new(name)
        .family("kernel-heap")
        .native()
        .overhead(OVERHEAD)
        .table(TableForm::Chunks)
}

/// Shows chunks, each the address of its header, its size and whether it is taken, of a heap that
/// starts at `region`.
pub(crate) fn show(
    chunks: impl Iterator<Item = (*mut u8, usize, bool)>,
    region: Region,
    tail: *mut u8,
    visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>,
) -> Range<u64> {
    let offset_of = |address: *mut u8| (address.addr() - region.start.addr()) as u64;
    for (header, size, taken) in chunks {
        let shown = Chunk {
            offset: offset_of(header),
            size: size as u64,
            taken,
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
            let chunks = self.heap.chunks().map(|c| (c.header, c.size, c.taken));
            Some($crate::ours::kernel_heap::show(
                chunks,
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

pub(crate) use calls;

/// What `kmem` is asked besides, over a heap of either kind: it refuses.
macro_rules! refusing_calls {
    () => {
        unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            // SAFETY: exactly the caller's promise; what is no live block, since a client wrote
            // over a header, is refused.
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
pub(crate) use refusing_calls;

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
