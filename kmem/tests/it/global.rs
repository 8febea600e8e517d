//! The global layers. Each generation has one test only, because it has one state and no lock.

use std::alloc::{GlobalAlloc, Layout};
use std::panic::catch_unwind;

use kmem::PAGE_SIZE;

use crate::arena::Arena;
use crate::fixture::layout;

/// Pages of the region: descriptors, heap, table, and a few more.
const REGION_PAGES: usize = 80;

/// The same calls for both generations.
macro_rules! exercise {
    ($global:ident, $managed:expr, $keeps:expr) => {{
        use kmem::$global::{self, OsGlobalAlloc};

        let region = Arena::new(REGION_PAGES * PAGE_SIZE, 0xff);
        let page = |page| region.start().wrapping_add(page * PAGE_SIZE);
        // SAFETY: no other test calls this layer, the region outlives the calls, and blocks are
        // used while live.
        unsafe {
            assert!($global::kmalloc(8).is_null(), "not initialised");
            assert!($global::get_head().is_null());
            assert_eq!($global::get_num_allocations(), 0);

            $global::page::init(region.start(), REGION_PAGES * PAGE_SIZE);
            $global::init();
            assert_eq!($global::get_head(), page(1));
            assert_eq!($global::get_num_allocations(), 64);
            assert_eq!($global::get_page_table().cast(), page(65));
            assert!(
                (*$global::get_page_table())
                    .entries
                    .iter()
                    .all(|&entry| entry == 0)
            );
            assert_eq!($global::page::alloc(2), page(66));
            $global::page::dealloc(page(66));

            let mut pages = String::new();
            $global::page::print_page_allocations(&mut pages).unwrap();
            let sums = "Allocated:     65 pages (    266240 bytes).\n";
            assert!(pages.contains(sums), "{pages}");
            assert!(pages.contains(&format!("Free     :     {} pages", $managed - 65)));

            let block = $global::kmalloc(24);
            assert_eq!(block, page(1).wrapping_add(8));
            let zeroed = $global::kzmalloc(8);
            let mut table = String::new();
            $global::print_table(&mut table).unwrap();
            assert_eq!(table.lines().count(), 3);
            assert!(table.starts_with(&format!("{:p}: Length = 32  ", page(1))));
            $global::kfree(block);
            $global::kfree(zeroed);
            $global::coalesce();

            let os = OsGlobalAlloc;
            let block = os.alloc(layout(24, 8));
            block.write_bytes(9, 24);
            let other = os.alloc_zeroed(layout(8, 8));
            assert_eq!(other.read(), 0);
            let moved = os.realloc(block, layout(24, 8), 100);
            assert!((0..24).all(|index| moved.add(index).read() == 9));
            os.dealloc(moved, layout(100, 8));
            os.dealloc(other, layout(8, 8));
            $global::coalesce();
            table.clear();
            $global::print_table(&mut table).unwrap();
            assert_eq!(
                table,
                format!("{:p}: Length = 262144     Taken = false\n", page(1))
            );
            assert!(os.alloc(layout(262_144, 8)).is_null());
            $keeps();
            assert!(region.guards_are_intact());
        }
    }};
}

/// What the correct generation's `OsGlobalAlloc` does and the published one does not, on an empty
/// heap.
///
/// # Safety
///
/// As for the functions of `kmem::global`.
unsafe fn keeps_to_its_trait() {
    let os = kmem::global::OsGlobalAlloc;
    // SAFETY: the caller vouches for the layer; blocks are used while live, with their layouts.
    unsafe {
        for align in [1, 8, 16, 64, 512, 4096] {
            let block = os.alloc(layout(24, align));
            assert!(!block.is_null() && block.addr().is_multiple_of(align));
            block.write_bytes(0xff, 24);
            os.dealloc(block, layout(24, align));
            let zeroed = os.alloc_zeroed(layout(24, align));
            assert_eq!(zeroed, block);
            assert!((0..24).all(|at| zeroed.add(at).read() == 0));
            os.dealloc(zeroed, layout(24, align));
        }

        // Grows into what follows, shrinks, grows again: it stays where it is, with its contents.
        let block = os.alloc(layout(100, 64));
        block.write_bytes(7, 100);
        for (from, to) in [(100, 200_000), (200_000, 8), (8, 100)] {
            assert_eq!(os.realloc(block, layout(from, 64), to), block);
            assert!((0..8).all(|at| block.add(at).read() == 7));
        }
        // It moves if it must, to an address that its alignment allows, or stays as it was.
        let behind = os.alloc(layout(200, 8));
        let moved = os.realloc(block, layout(100, 64), 1000);
        assert!(moved != block && moved.addr().is_multiple_of(64));
        assert!((0..8).all(|at| moved.add(at).read() == 7));
        assert!(os.realloc(moved, layout(1000, 64), 262_144).is_null());
        assert_eq!(moved.read(), 7);
        os.dealloc(moved, layout(1000, 64));
        os.dealloc(behind, layout(200, 8));
    }
}

/// That the heap is the variant that the crate's features ask for.
///
/// # Safety
///
/// As for the functions of `kmem::global`.
unsafe fn is_hardened_as_asked() {
    let os = kmem::global::OsGlobalAlloc;
    // SAFETY: the caller vouches for the layer, whose heap is read where its blocks were.
    unsafe {
        let block = os.alloc(layout(24, 8));
        let header = block.cast::<u64>().wrapping_sub(1).read();
        let is_sealed = header != 1 << 63 | 32;
        assert_eq!(is_sealed, cfg!(feature = "seal"), "{header:#x}");
        block.write_bytes(0, 24);
        os.dealloc(block, layout(24, 8));
        let is_poisoned = (0..24).all(|at| block.add(at).read() == kmem::POISON);
        assert_eq!(is_poisoned, cfg!(feature = "poison"));
    }
}

#[test]
fn correct_generation() {
    exercise!(global, 79, || {
        keeps_to_its_trait();
        is_hardened_as_asked();
    });
}

#[test]
fn published_generation() {
    exercise!(global_2019, 80, || {});
}

#[test]
fn alloc_error_names_the_request() {
    let layout = Layout::from_size_align(100, 64).unwrap();
    let panic = catch_unwind(|| kmem::global_2019::alloc_error(layout)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert_eq!(
        message,
        "Allocator failed to allocate 100 bytes with 64-byte alignment."
    );
}
