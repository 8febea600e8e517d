//! Heaps that grow, case by case; `random`: against a list of page owners and live chunks.

mod random;

use std::alloc::Layout;
use std::ops::Range;

use kmem::{FreeError, GrowingKmem, PAGE_SIZE, PageSource, Pages};

use crate::arena::Arena;
use crate::fixture::panic_of;

/// A heap over an arena of which it reaches all pages; the descriptors lie beside it.
struct Fixture {
    heap: GrowingKmem<Pages>,
    arena: Arena,
    _side: Vec<u64>,
    _descriptors: Vec<u8>,
}

impl Fixture {
    fn new(pages: usize, reach: usize) -> Self {
        let arena = Arena::uninitialised(reach * PAGE_SIZE);
        let side_bytes = GrowingKmem::<Pages>::side_bytes(reach);
        let mut side = vec![u64::MAX; side_bytes / 8];
        let mut descriptors = vec![u8::MAX; reach];
        // SAFETY: arena and descriptors outlive the instance, and nobody else uses them.
        let mut source = unsafe { Pages::beside(descriptors.as_mut_ptr(), arena.start(), reach) };
        source.take(address(&arena, 0..pages));
        let side_start = side.as_mut_ptr().cast();
        // SAFETY: as above, for the side memory; the arena is aligned to more than a page.
        let heap = unsafe { GrowingKmem::new(arena.start(), pages, reach, side_start, source) };
        Self {
            heap,
            arena,
            _side: side,
            _descriptors: descriptors,
        }
    }

    fn pointer(&self, offset: usize) -> *mut u8 {
        self.arena.start().wrapping_add(offset)
    }

    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        (!pointer.is_null()).then(|| pointer.addr() - self.arena.start().addr())
    }

    fn kmalloc(&mut self, size: usize) -> Option<usize> {
        let block = self.heap.kmalloc(size);
        self.offset(block)
    }

    fn alloc(&mut self, size: usize, align: usize) -> Option<usize> {
        // SAFETY: the size is not 0.
        let block = unsafe { self.heap.alloc(layout(size, align)) };
        self.offset(block)
    }

    fn realloc(&mut self, block: usize, old: Layout, size: usize) -> Option<usize> {
        // SAFETY: the tests resize live blocks only.
        let block = unsafe { self.heap.realloc(self.pointer(block), old, size) };
        self.offset(block)
    }

    fn try_kfree(&mut self, block: usize) -> Result<(), FreeError> {
        // SAFETY: the tests use no freed block.
        unsafe { self.heap.try_kfree(self.pointer(block)) }
    }

    fn free(&mut self, block: usize) {
        self.try_kfree(block).unwrap();
        assert!(self.heap.audit(), "{}", self.list());
    }

    /// Another owner takes or gives back pages.
    fn others(&mut self, pages: Range<usize>, take: bool) {
        let pages = address(&self.arena, pages);
        match take {
            true => self.heap.source_mut().take(pages),
            false => self.heap.source_mut().give_back(pages),
        }
    }

    /// The chunks: `T24@0` is a taken one of 24 bytes at the head.
    fn list(&self) -> String {
        let start = self.arena.start().addr();
        let text = self.heap.chunks().map(|chunk| {
            let state = if chunk.taken { 'T' } else { 'F' };
            format!("{state}{}@{}", chunk.size, chunk.header.addr() - start)
        });
        text.collect::<Vec<_>>().join(" ")
    }
}

fn address(arena: &Arena, pages: Range<usize>) -> Range<usize> {
    let at = |page: usize| arena.start().addr() + page * PAGE_SIZE;
    at(pages.start)..at(pages.end)
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn it_grows_in_place_by_what_is_missing() {
    let mut heap = Fixture::new(1, 6);
    assert_eq!(heap.kmalloc(4000), Some(8));
    assert_eq!(heap.heap.get_num_allocations(), 1);
    // 88 bytes are left: a chunk of 4,184 needs a page more, exactly.
    assert_eq!(heap.kmalloc(4176), Some(4016));
    assert_eq!(heap.list(), "T4008@0 T4184@4008");
    assert_eq!(heap.heap.get_num_allocations(), 2);
    // What was added in place stays.
    heap.free(4016);
    assert_eq!(heap.list(), "T4008@0 F4184@4008");
    heap.free(8);
    assert_eq!(heap.list(), "F8192@0");
    assert_eq!(heap.kmalloc(6 * PAGE_SIZE - 8), Some(8));
    assert_eq!(heap.kmalloc(1), None);
}

#[test]
fn too_much_is_null_and_changes_nothing() {
    let mut heap = Fixture::new(2, 8);
    heap.others(4..5, true);
    for size in [
        6 * PAGE_SIZE,
        usize::MAX,
        usize::MAX - 16,
        isize::MAX as usize,
    ] {
        assert_eq!(heap.kmalloc(size), None);
        assert_eq!(heap.list(), "F8192@0");
    }
    let block = heap.kmalloc(24).unwrap();
    for size in [6 * PAGE_SIZE, usize::MAX, isize::MAX as usize - 7] {
        assert_eq!(heap.realloc(block, layout(24, 8), size), None);
        assert_eq!(heap.list(), "T32@0 F8160@32");
    }
    assert!(heap.heap.audit());
}

#[test]
fn a_new_region_where_the_next_page_is_anothers_and_back_when_it_is_empty() {
    let mut heap = Fixture::new(1, 8);
    heap.others(1..2, true);
    assert_eq!(heap.kmalloc(4000), Some(8));
    assert_eq!(heap.kmalloc(5000), Some(8200));
    assert_eq!(heap.list(), "T4008@0 F88@4008 T5008@8192 F3184@13200");
    assert_eq!(heap.heap.get_num_allocations(), 3);
    let mut table = String::new();
    heap.heap.print_table(&mut table).unwrap();
    assert_eq!(table.lines().count(), 4);
    // First fit goes over all regions, and the new one grows in place.
    assert_eq!(heap.kmalloc(80), Some(4016));
    assert_eq!(heap.kmalloc(3200), Some(13_208));
    assert_eq!(heap.heap.get_num_allocations(), 4);
    heap.free(8200);
    heap.free(13_208);
    assert_eq!(heap.list(), "T4008@0 T88@4008");
    // Its pages can be had again, by anyone.
    heap.others(2..8, true);
    assert_eq!(heap.kmalloc(100), None);
}

#[test]
fn alignments_count_in_what_is_taken() {
    let mut heap = Fixture::new(1, 8);
    heap.others(1..2, true);
    assert_eq!(heap.kmalloc(4088), Some(8));
    // The header lies at the end of the page before, which must be the region's.
    assert_eq!(heap.alloc(4096, PAGE_SIZE), Some(3 * PAGE_SIZE));
    assert_eq!(heap.list(), "T4096@0 F4088@8192 T4104@12280");
    assert_eq!(heap.alloc(64, 8 * PAGE_SIZE), None);
}

#[test]
fn regions_that_touch_are_one() {
    let mut heap = Fixture::new(1, 8);
    assert_eq!(heap.kmalloc(4088), Some(8));
    heap.others(1..4, true);
    assert_eq!(heap.kmalloc(4000), Some(4 * PAGE_SIZE + 8));
    heap.others(1..4, false);
    heap.others(1..2, true);
    // The free run of pages 2 and 3 and what is free of page 4 would hold it, once that is free.
    assert_eq!(heap.kmalloc(3 * PAGE_SIZE), Some(4 * PAGE_SIZE + 4016));
    heap.free(4 * PAGE_SIZE + 8);
    let list = "T4096@0 F4008@16384 T12296@20392";
    assert!(heap.list().starts_with(list), "{}", heap.list());
    assert_eq!(heap.kmalloc(12_000), Some(2 * PAGE_SIZE + 8));
    let list = "T4096@0 T12008@8192 F192@20200 T12296@20392";
    assert!(heap.list().starts_with(list), "{}", heap.list());
    heap.free(2 * PAGE_SIZE + 8);
    heap.free(4 * PAGE_SIZE + 4016);
    assert_eq!(heap.list(), "T4096@0");
}

#[test]
fn a_resized_block_moves_into_new_pages_and_its_old_region_is_given_back() {
    let mut heap = Fixture::new(1, 16);
    heap.others(1..2, true);
    heap.others(3..4, true);
    assert_eq!(heap.kmalloc(4088), Some(8));
    let block = heap.kmalloc(4088).unwrap();
    assert_eq!(block, 2 * PAGE_SIZE + 8);
    // SAFETY: the block is live and holds as many bytes.
    unsafe { heap.pointer(block).write_bytes(0x5a, 4088) };
    let moved = heap.realloc(block, layout(4088, 8), 9000).unwrap();
    assert_eq!(heap.list(), "T4096@0 T9008@16384 F3280@25392");
    assert!((0..4088).all(|at| heap.arena.get(moved + at) == 0x5a));
    // And in place, into pages that come with it.
    assert_eq!(heap.realloc(moved, layout(9000, 8), 30_000), Some(moved));
    assert!(heap.heap.audit());
}

#[test]
fn a_resized_block_is_extended_by_what_it_lacks() {
    let mut heap = Fixture::new(1, 8);
    heap.others(4..5, true);
    let block = heap.kmalloc(4000).unwrap();
    // In three pages no second one would fit, but this one does, and a page is left.
    assert_eq!(heap.realloc(block, layout(4000, 8), 12_280), Some(block));
    assert_eq!(heap.list(), "T12288@0");
    // Another block between is in the way, a free chunk is not.
    let small = heap.kmalloc(24).unwrap();
    assert_eq!(heap.list(), "T12288@0 T32@12288 F4064@12320");
    assert_eq!(heap.realloc(block, layout(12_280, 8), 12_281), None);
    heap.free(small);
    assert_eq!(heap.realloc(block, layout(12_280, 8), 16_376), Some(block));
    assert_eq!(heap.realloc(block, layout(16_376, 8), 16_377), None);
    assert_eq!(heap.realloc(block, layout(16_376, 8), 4000), Some(block));
    assert_eq!(heap.realloc(block, layout(4000, 8), 16_384), None);
    assert_eq!(heap.heap.get_num_allocations(), 4);
    assert!(heap.heap.audit());
}

#[test]
fn a_resized_block_is_extended_up_to_the_region_behind() {
    let mut heap = Fixture::new(1, 5);
    heap.others(1..3, true);
    let block = heap.kmalloc(4088).unwrap();
    let upper = heap.kmalloc(4000).unwrap();
    let last = heap.kmalloc(4000).unwrap();
    assert_eq!(heap.list(), "T4096@0 T4008@12288 T4008@16296 F176@20304");
    heap.others(1..3, false);
    heap.free(upper);
    assert_eq!(heap.realloc(block, layout(4088, 8), 16_000), Some(block));
    assert_eq!(heap.list(), "T16008@0 F288@16008 T4008@16296 F176@20304");
    heap.free(last);
    assert_eq!(heap.list(), "T16008@0 F4472@16008");
    assert!(heap.heap.audit());
}

#[test]
fn pages_between_regions_are_merged_with_what_is_free_before_them() {
    let mut heap = Fixture::new(1, 3);
    heap.others(1..2, true);
    assert_eq!(heap.kmalloc(100), Some(8));
    assert_eq!(heap.kmalloc(4088), Some(2 * PAGE_SIZE + 8));
    heap.others(1..2, false);
    assert_eq!(heap.kmalloc(5000), Some(120));
    assert_eq!(heap.list(), "T112@0 T5008@112 F3072@5120 T4096@8192");
}

#[test]
fn what_kfree_does_not_know_it_refuses_aloud() {
    let mut heap = Fixture::new(1, 2);
    let block = heap.kmalloc(24).unwrap();
    let pointer = heap.pointer(block);
    // SAFETY: the block is live, and not used any more.
    unsafe { heap.heap.dealloc(pointer, layout(24, 8)) };
    assert_eq!(heap.list(), "F4096@0");
    // SAFETY: no block starts there.
    let told = panic_of(|| unsafe { heap.heap.kfree(pointer) });
    assert!(told.starts_with("kfree: 0x"), "{told}");
}

#[test]
fn a_realloc_of_no_block_is_refused_and_takes_no_page() {
    let mut heap = Fixture::new(1, 4);
    let block = heap.kmalloc(24).unwrap();
    for at in [block + 8, 3 * PAGE_SIZE] {
        let pointer = heap.pointer(at);
        // SAFETY: what is no block is refused.
        let resized = unsafe { heap.heap.try_realloc(pointer, layout(8, 8), 2 * PAGE_SIZE) };
        let error = resized.unwrap_err();
        // SAFETY: as above.
        let realloc = || _ = unsafe { heap.heap.realloc(pointer, layout(8, 8), 2 * PAGE_SIZE) };
        assert_eq!(panic_of(realloc), format!("realloc: {error}"));
        assert_eq!(heap.list(), "T32@0 F4064@32");
        assert_eq!(heap.heap.get_num_allocations(), 1);
    }
}

#[test]
fn the_audit_sees_an_overwritten_header() {
    let mut heap = Fixture::new(1, 2);
    heap.kmalloc(24);
    assert!(heap.heap.audit());
    // SAFETY: it lies in the arena, and nobody else uses that.
    unsafe { heap.pointer(0).cast::<u64>().write(8) };
    assert!(!heap.heap.audit());
}

#[test]
fn pointers_between_regions_are_refused_and_not_followed() {
    let mut heap = Fixture::new(1, 8);
    heap.others(1..3, true);
    assert_eq!(heap.kmalloc(4088), Some(8));
    assert_eq!(heap.kmalloc(4088), Some(3 * PAGE_SIZE + 8));
    let list = heap.list();
    for offset in [
        16,
        PAGE_SIZE,
        PAGE_SIZE + 8,
        2 * PAGE_SIZE,
        3 * PAGE_SIZE,
        5 * PAGE_SIZE + 8,
    ] {
        assert!(heap.try_kfree(offset).is_err(), "{offset}");
    }
    assert_eq!(heap.list(), list);
    heap.free(8);
    assert!(matches!(
        heap.try_kfree(8),
        Err(FreeError::AlreadyFree { size: 4096, .. })
    ));
}

#[test]
fn side_memory_is_a_page_or_a_twentieth_at_most() {
    for reach in (1..=8192).step_by(if cfg!(miri) { 997 } else { 1 }) {
        // A descriptor a page included.
        let bytes = GrowingKmem::<Pages>::side_bytes(reach) + reach;
        assert!(
            bytes <= (reach * PAGE_SIZE / 20).max(PAGE_SIZE),
            "{reach} pages: {bytes}"
        );
    }
}
