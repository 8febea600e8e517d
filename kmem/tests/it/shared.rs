//! A heap that several threads share, each a hart without interrupts.

use std::alloc::GlobalAlloc;
use std::ptr::{dangling_mut, null_mut};
use std::thread;

use kmem::{Hart, Heap, Kmem, NoInterrupts, PAGE_SIZE, SharedHeap};

use crate::arena::Arena;
use crate::fixture::{layout, panic_of};

type Shared<H = NoInterrupts> = SharedHeap<Kmem, H>;

/// A thread that lets others run while it waits.
struct Yielding;

// SAFETY: a thread has no interrupt handlers.
unsafe impl Hart for Yielding {
    fn mask() -> bool {
        true
    }

    unsafe fn unmask() {}

    fn wait() {
        thread::yield_now();
    }
}

/// A heap of one page, in a region that is kept with its side memory behind it.
fn shared<H: Hart>(region: &Arena) -> Shared<H> {
    let heap = Shared::default();
    heap.init(one_page(region));
    heap
}

fn one_page(region: &Arena) -> Kmem {
    let side = region.start().wrapping_add(PAGE_SIZE);
    // SAFETY: the region is two pages and outlives the heap; side memory takes less than one.
    unsafe { Kmem::new(region.start(), PAGE_SIZE, side) }
}

fn region() -> Arena {
    Arena::new(2 * PAGE_SIZE, 0xff)
}

#[test]
fn without_memory_every_request_is_refused() {
    let heap: Shared = Shared::new();
    assert!(heap.kmalloc(8).is_null() && heap.kzmalloc(8).is_null());
    // SAFETY: nothing was granted.
    unsafe {
        assert!(heap.alloc(layout(8, 8)).is_null());
        assert!(
            heap.try_kfree(dangling_mut()).is_ok(),
            "nothing to free from"
        );
    }
    assert!(heap.with(|_| ()).is_none());
    assert_eq!(format!("{heap:?}"), "SharedHeap { heap: Locked { .. } }");
}

#[test]
fn it_is_given_memory_once() {
    let (first, second) = (region(), region());
    let heap: Shared = shared(&first);
    let refused = panic_of(|| heap.init(one_page(&second)));
    assert_eq!(refused, "a shared heap is given its heap once");
    assert!(!heap.kmalloc(8).is_null(), "the first one is still there");
}

#[test]
fn a_refused_free_leaves_the_lock_free() {
    let region = region();
    let heap: Shared = shared(&region);
    let block = heap.kmalloc(24);
    // SAFETY: the block is live and is not used again; the second time it is refused.
    unsafe {
        heap.kfree(block);
        let error = heap.try_kfree(block).unwrap_err();
        assert_eq!(panic_of(|| heap.kfree(block)), format!("kfree: {error}"));
    }
    assert_eq!(heap.kmalloc(24), block);
}

#[test]
fn a_block_without_room_behind_it_moves_with_its_bytes() {
    let region = region();
    let heap: Shared = shared(&region);
    let (block, _behind) = (heap.kmalloc(24), heap.kmalloc(8));
    // SAFETY: both blocks are live, the first with that layout.
    let moved = unsafe {
        block.write_bytes(7, 24);
        heap.realloc(block, layout(24, 8), 100)
    };
    assert_ne!(moved, block);
    // SAFETY: the block is live, and longer.
    assert!((0..24).all(|at| unsafe { moved.add(at).read() } == 7));
    assert_eq!(heap.kmalloc(24), block, "the old place is free");
}

#[test]
fn a_block_that_cannot_be_resized_stays_as_it_is() {
    let region = region();
    let heap: Shared = shared(&region);
    let block = heap.kzmalloc(24);
    // SAFETY: the block is live, and of that layout.
    unsafe {
        for size in [PAGE_SIZE, isize::MAX as usize - 7] {
            assert!(heap.realloc(block, layout(24, 8), size).is_null());
            assert_eq!(block.read(), 0);
        }
    }
    assert_eq!(heap.with(|heap| heap.chunks().count()), Some(2));
    for nobodys in [null_mut(), block.wrapping_add(8)] {
        let of_nobody = heap.with(|heap| Heap::resize(heap, nobodys, 8).is_err());
        assert_eq!(of_nobody, Some(true));
        // SAFETY: what is no block is refused.
        let realloc = || _ = unsafe { heap.realloc(nobodys, layout(8, 8), PAGE_SIZE) };
        let refused = panic_of(realloc);
        assert!(refused.starts_with("realloc: 0x"), "{refused}");
    }
    assert_eq!(heap.with(|heap| heap.chunks().count()), Some(2));
}

#[test]
fn threads_keep_their_blocks_to_themselves() {
    const STEPS: usize = if cfg!(miri) { 10 } else { 2000 };
    let region = region();
    let heap = shared::<Yielding>(&region);
    thread::scope(|scope| {
        for mark in 1..=3 {
            let heap = &heap;
            scope.spawn(move || (0..STEPS).for_each(|step| use_one(heap, mark, step)));
        }
    });
    let fresh = heap.with(|heap| heap.audit() && heap.chunks().count() == 1);
    assert_eq!(fresh, Some(true));
    assert!(region.guards_are_intact());
}

/// Allocates a block, resizes and frees it; where there is no room, nothing is.
fn use_one(heap: &Shared<Yielding>, mark: u8, step: usize) {
    let (size, align) = (1 + step % 500, 8 << (step % 4));
    let new_size = 1 + step * 7 % 900;
    // SAFETY: blocks are used while live, with their layouts, by this thread.
    unsafe {
        let zeroed = heap.alloc_zeroed(layout(size, align));
        if zeroed.is_null() {
            return;
        }
        let holds = |block: *mut u8, size: usize, byte: u8| {
            (0..size).all(|at| block.add(at).read() == byte)
        };
        assert!(holds(zeroed, size, 0));
        zeroed.write_bytes(mark, size);
        let moved = heap.realloc(zeroed, layout(size, align), new_size);
        let (block, size, kept) = match moved.is_null() {
            true => (zeroed, size, size),
            false => (moved, new_size, size.min(new_size)),
        };
        assert!(block.addr().is_multiple_of(align) && holds(block, kept, mark));
        heap.dealloc(block, layout(size, align));
    }
}
