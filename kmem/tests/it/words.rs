//! What the allocators say: refusals in words, and tables whose writer takes no more.

use std::fmt;

use kmem::{FreeError, Kmem, PAGE_SIZE, PageError, Pages};

use crate::arena::Arena;
use crate::fixture::Fixture;

#[test]
fn a_refused_kfree_says_why() {
    let (address, size) = (0x1008, 32);
    let (head, tail) = (0x2000, 0x3000);
    let cases = [
        (
            FreeError::Outside {
                address,
                head,
                tail,
            },
            "0x1008: outside the heap 0x2000..0x3000",
        ),
        (
            FreeError::Misaligned { address },
            "0x1008: not a multiple of 8, so no block starts there",
        ),
        (
            FreeError::NoBlock { address },
            "0x1008: no block starts there (interior, or freed before)",
        ),
        (
            FreeError::AlreadyFree { address, size },
            "0x1008: already free (a chunk of 32 bytes)",
        ),
        (
            FreeError::Broken { address, size },
            "0x1008: header overwritten (claims 32 bytes)",
        ),
    ];
    for (error, words) in cases {
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_refused_dealloc_says_why() {
    let (address, page) = (0x1008, 3);
    let (first, end) = (0x2000, 0x3000);
    let cases = [
        (
            PageError::Outside {
                address,
                first,
                end,
            },
            "dealloc 0x1008: outside the pages 0x2000..0x3000",
        ),
        (
            PageError::Misaligned { address },
            "dealloc 0x1008: not the start of a page",
        ),
        (
            PageError::AlreadyFree { page },
            "dealloc page 3: already free",
        ),
        (
            PageError::NotFirst { page },
            "dealloc page 3: not the first page of its allocation",
        ),
        (
            PageError::Broken { page },
            "dealloc page 3: descriptors overwritten (no last page follows)",
        ),
    ];
    for (error, words) in cases {
        assert_eq!(error.to_string(), words);
    }
}

/// A writer with room for so many bytes.
struct Room(usize);

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Printing ends with the writer's error, wherever that comes.
fn ends_with_its_writer(print: impl Fn(&mut dyn fmt::Write) -> fmt::Result) {
    let mut text = String::new();
    print(&mut text).unwrap();
    for room in 0..text.len() {
        assert_eq!(print(&mut Room(room)), Err(fmt::Error), "{room} bytes");
    }
    assert_eq!(print(&mut Room(text.len())), Ok(()));
}

#[test]
fn a_table_ends_with_its_writer() {
    let mut heap = Fixture::<Kmem>::new(192);
    heap.kmalloc(24).unwrap();
    ends_with_its_writer(|out| heap.heap.print_table(out));

    let arena = Arena::new(8 * PAGE_SIZE, 0);
    // SAFETY: the arena outlives the allocator and is used by nobody else.
    let mut pages = unsafe { Pages::new(arena.start(), 8 * PAGE_SIZE) };
    assert!(!pages.alloc(2).is_null());
    ends_with_its_writer(|out| pages.print_page_allocations(out));
}

#[test]
fn a_chunk_names_the_pointer_that_was_handed_out() {
    let mut heap = Fixture::<Kmem>::new(192);
    let block = heap.heap.kmalloc(24);
    let chunk = heap.heap.chunks().next().unwrap();
    assert!(chunk.taken);
    assert_eq!(chunk.payload(), block);
}
