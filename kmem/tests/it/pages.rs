//! Both page allocators.

use std::ptr::null_mut;

use kmem::{PAGE_SIZE, PageError, Pages, Pages2019};

use crate::arena::Arena;
use crate::fixture::panic_of;

/// Pages of the test's regions: the correct allocator manages one fewer.
const REGION_PAGES: usize = 8;

fn arena(fill: u8) -> Arena {
    Arena::new(REGION_PAGES * PAGE_SIZE, fill)
}

fn correct(arena: &Arena) -> Pages {
    // SAFETY: the arena outlives the allocator and is used by nobody else.
    unsafe { Pages::new(arena.start(), REGION_PAGES * PAGE_SIZE) }
}

fn published(arena: &Arena) -> Pages2019 {
    // SAFETY: as above; the arena's guards contain what leaves the region.
    unsafe { Pages2019::new(arena.start(), REGION_PAGES * PAGE_SIZE) }
}

/// The address of page `page`, counted in the region, so that 1 is the first managed one.
fn at(arena: &Arena, page: usize) -> *mut u8 {
    arena.start().wrapping_add(page * PAGE_SIZE)
}

fn free(pages: &mut Pages, ptr: *mut u8) -> Result<(), PageError> {
    // SAFETY: the tests use no page after this; what is no allocation is refused.
    unsafe { pages.try_dealloc(ptr) }
}

/// `T` taken, `L` taken and last, `.` free.
fn map(pages: &Pages) -> String {
    let letter = |page| match (pages.is_taken(page), pages.is_last(page)) {
        (false, false) => '.',
        (true, false) => 'T',
        (true, true) => 'L',
        (false, true) => '?',
    };
    (0..pages.pages()).map(letter).collect()
}

fn map_2019(pages: &Pages2019) -> String {
    let letter = |page| match (pages.is_taken(page), pages.is_last(page)) {
        (false, _) => '.',
        (true, false) => 'T',
        (true, true) => 'L',
    };
    (0..pages.pages()).map(letter).collect()
}

#[test]
fn the_lowest_run_is_taken_up_to_the_last_page() {
    let arena = arena(0xff);
    let mut pages = correct(&arena);
    assert_eq!((pages.pages(), pages.first_page()), (7, at(&arena, 1)));
    assert_eq!(pages.alloc(2), at(&arena, 1));
    assert_eq!(pages.alloc(3), at(&arena, 3));
    assert_eq!(pages.alloc(3), null_mut());
    assert_eq!(pages.alloc(2), at(&arena, 6));
    assert_eq!(map(&pages), "TLTTLTL");
    assert_eq!(pages.alloc(1), null_mut());
    assert_eq!(free(&mut pages, at(&arena, 3)), Ok(()));
    assert_eq!(map(&pages), "TL...TL");
    assert_eq!(pages.alloc(1), at(&arena, 3));
}

#[test]
fn what_cannot_fit_is_null() {
    let arena = arena(0);
    let mut pages = correct(&arena);
    for count in [0, 8, 9, usize::MAX] {
        assert_eq!(pages.alloc(count), null_mut());
        assert_eq!(pages.zalloc(count), null_mut());
    }
    assert_eq!(pages.alloc(7), at(&arena, 1));
    assert!(!pages.is_taken(7) && !pages.is_last(usize::MAX));
}

#[test]
fn zalloc_zeroes_its_pages_only() {
    let arena = arena(0xff);
    let mut pages = correct(&arena);
    assert_eq!(pages.zalloc(2), at(&arena, 1));
    assert!((PAGE_SIZE..3 * PAGE_SIZE).all(|offset| arena.get(offset) == 0));
    assert_eq!(arena.get(3 * PAGE_SIZE), 0xff);
    assert!(arena.guards_are_intact());
}

#[test]
fn what_is_no_first_page_is_refused() {
    let arena = arena(0);
    let mut pages = correct(&arena);
    pages.alloc(2);
    pages.alloc(2);
    let outside = |error| matches!(error, Err(PageError::Outside { .. }));
    assert!(outside(free(&mut pages, at(&arena, 0))));
    assert!(outside(free(&mut pages, at(&arena, 8))));
    let address = at(&arena, 1).addr() + 8;
    let misaligned = free(&mut pages, at(&arena, 1).wrapping_add(8));
    assert_eq!(misaligned, Err(PageError::Misaligned { address }));
    assert_eq!(
        free(&mut pages, at(&arena, 2)),
        Err(PageError::NotFirst { page: 1 })
    );
    assert_eq!(
        free(&mut pages, at(&arena, 5)),
        Err(PageError::AlreadyFree { page: 4 })
    );
    assert_eq!(free(&mut pages, null_mut()), Ok(()));
    assert_eq!(map(&pages), "TLTL...");
    assert_eq!(free(&mut pages, at(&arena, 3)), Ok(()));
    assert_eq!(
        free(&mut pages, at(&arena, 3)),
        Err(PageError::AlreadyFree { page: 2 })
    );
    // SAFETY: nothing starts there.
    let message = panic_of(|| unsafe { pages.dealloc(at(&arena, 2)) });
    assert_eq!(
        message,
        "page: dealloc page 1: not the first page of its allocation"
    );
    assert_eq!(map(&pages), "TL.....");
}

#[test]
fn overwritten_descriptors_are_refused() {
    let arena = arena(0);
    let mut pages = correct(&arena);
    pages.alloc(7);
    arena.set(6, 1);
    assert_eq!(
        free(&mut pages, at(&arena, 1)),
        Err(PageError::Broken { page: 0 })
    );
    assert_eq!(map(&pages), "TTTTTTT");
}

/// The print form with the addresses of `arena`, managing `managed` pages.
fn expected_print(arena: &Arena, managed: usize, sums: &str) -> String {
    let rule = "~".repeat(40);
    let page = |page| at(arena, page).addr();
    format!(
        "PAGE ALLOCATION TABLE\nMETA: {:p} -> {:p}\nPHYS: 0x{:x} -> 0x{:x}\n{rule}\n\
         0x{:x} => 0x{:x}:   1 page(s).\n0x{:x} => 0x{:x}:   3 page(s).\n{rule}\n{sums}",
        arena.start(),
        arena.start().wrapping_add(managed),
        page(1),
        page(1 + managed),
        page(1),
        page(2) - 1,
        page(3),
        page(6) - 1,
    )
}

#[test]
fn both_print_alike() {
    let region = arena(0);
    let mut pages = correct(&region);
    pages.alloc(1);
    pages.alloc(1);
    pages.alloc(3);
    free(&mut pages, at(&region, 2)).unwrap();
    let mut text = String::new();
    pages.print_page_allocations(&mut text).unwrap();
    let sums = "Allocated:      4 pages (     16384 bytes).\n\
                Free     :      3 pages (     12288 bytes).\n";
    assert_eq!(text, expected_print(&region, 7, sums));

    let region = arena(0);
    let mut pages = published(&region);
    pages.alloc(1);
    pages.alloc(1);
    pages.alloc(3);
    // SAFETY: an allocation of one page, not used again.
    unsafe { pages.dealloc(at(&region, 2)) };
    let mut text = String::new();
    pages.print_page_allocations(&mut text).unwrap();
    let sums = "Allocated:      4 pages (     16384 bytes).\n\
                Free     :      4 pages (     16384 bytes).\n";
    assert_eq!(text, expected_print(&region, 8, sums));
}

/// Marsaglia's xorshift, 64 bits.
fn draw(state: &mut u64, bound: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % bound as u64) as usize
}

#[test]
fn the_lowest_run_is_found_among_many_pages_wherever_the_descriptors_lie() {
    const PAGES: usize = 150;
    const BYTES: usize = (PAGES + 2) * PAGE_SIZE;
    let steps = if cfg!(miri) { 60 } else { 4_000 };
    for shift in [0, 1, 5, 8] {
        let arena = Arena::new(BYTES, 0xff);
        let start = arena.start().wrapping_add(shift);
        // SAFETY: the arena outlives the allocator and is used by nobody else.
        let mut pages = unsafe { Pages::new(start, BYTES - shift) };
        let mut random = 9;
        // A letter a page, as `map` writes them.
        let mut model = ".".repeat(pages.pages());
        let mut live: Vec<(usize, usize)> = Vec::new();
        for _ in 0..steps {
            if draw(&mut random, 5) < 3 {
                let wanted = 1 + draw(&mut random, 20);
                let found = model.find(&".".repeat(wanted));
                let ptr = pages.alloc(wanted);
                let page = |page| pages.first_page().wrapping_add(page * PAGE_SIZE);
                assert_eq!(ptr, found.map_or(null_mut(), page), "{model} {wanted}");
                if let Some(first) = found {
                    let run = "T".repeat(wanted - 1) + "L";
                    model.replace_range(first..first + wanted, &run);
                    live.push((first, wanted));
                }
            } else if !live.is_empty() {
                let (first, length) = live.swap_remove(draw(&mut random, live.len()));
                let ptr = pages.first_page().wrapping_add(first * PAGE_SIZE);
                assert_eq!(free(&mut pages, ptr), Ok(()));
                model.replace_range(first..first + length, &".".repeat(length));
            }
            assert_eq!(map(&pages), model);
        }
        assert!(arena.guards_are_intact());
    }
}

#[test]
fn published_counts_the_whole_region() {
    let arena = arena(0);
    let mut pages = published(&arena);
    assert_eq!((pages.pages(), pages.first_page()), (8, at(&arena, 1)));
    // Seven of eight are granted, as they lie in the region; the last one's end is the region's.
    assert_eq!(pages.alloc(7), at(&arena, 1));
    assert_eq!(map_2019(&pages), "TTTTTTL.");
    assert!(arena.guards_are_intact());
}

#[test]
fn published_hands_out_a_page_outside_only_if_it_is_not_the_last_start() {
    let arena = arena(0);
    let mut pages = published(&arena);
    for page in 1..8 {
        assert_eq!(pages.alloc(1), at(&arena, page));
    }
    assert_eq!(
        pages.alloc(1),
        null_mut(),
        "the last start page is never tried"
    );
    assert_eq!(map_2019(&pages), "LLLLLLL.");
}

#[test]
fn published_never_tries_the_last_run() {
    let arena = arena(0);
    let mut pages = published(&arena);
    assert_eq!(pages.alloc(8), null_mut(), "although eight are free");
}

#[test]
fn published_grants_more_than_there_is() {
    let arena = arena(0);
    let mut pages = published(&arena);
    // The scan's bound wraps, and the zeroes past the descriptors pass for free pages.
    assert_eq!(pages.alloc(9), at(&arena, 1));
    assert_eq!(arena.get(8), 3, "a descriptor past the array");
    let mut text = String::new();
    pages.print_page_allocations(&mut text).unwrap();
    assert!(text.contains(":   9 page(s).\n"));
    assert!(text.contains("Free     : 18446744073709551615 pages"));
}

#[test]
fn published_zalloc_zeroes_outside_the_region() {
    let arena = arena(0);
    let mut pages = published(&arena);
    assert_eq!(pages.zalloc(9), at(&arena, 1));
    assert_eq!(arena.get(10 * PAGE_SIZE - 1), 0);
    assert!(!arena.guards_are_intact());
}

#[test]
fn published_frees_from_the_middle() {
    let arena = arena(0);
    let mut pages = published(&arena);
    pages.alloc(4);
    // SAFETY: the published allocator accepts it; the pages are not used.
    unsafe { pages.dealloc(at(&arena, 3).wrapping_add(100)) };
    assert_eq!(map_2019(&pages), "TT......");
    // SAFETY: as above.
    let message = panic_of(|| unsafe { pages.dealloc(at(&arena, 1)) });
    assert_eq!(message, "double free: a free page before the last one");
    assert_eq!(map_2019(&pages), "........");
}

#[test]
fn published_asserts() {
    let arena = arena(0);
    let mut pages = published(&arena);
    for (ptr, expected) in [
        (null_mut(), "assertion failed: !ptr.is_null()"),
        (at(&arena, 0), "not a page of this region"),
        (
            at(&arena, 2),
            "double free: a free page before the last one",
        ),
    ] {
        // SAFETY: nothing starts there.
        assert_eq!(panic_of(|| unsafe { pages.dealloc(ptr) }), expected);
    }
    let message = panic_of(|| _ = pages.alloc(0));
    assert_eq!(message, "assertion failed: pages > 0");
}
