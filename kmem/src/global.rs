//! The published global functions over one [`Kmem`](crate::Kmem) and one
//! [`Pages`](crate::Pages). With the crate's feature `seal`, `poison` or both, the heap is a
//! [`SealedKmem`](crate::SealedKmem), [`PoisonedKmem`](crate::PoisonedKmem) or
//! [`HardenedKmem`](crate::HardenedKmem) instead.
//!
//! A kernel calls [`page::init`] with its free memory, then [`init`], and may then name
//! [`OsGlobalAlloc`] its global allocator. Before `init`, every request is refused with null.
//!
//! There is no lock: the functions are for a single hart, and must not be called from an interrupt
//! handler that can interrupt them. Each is unsafe for that reason.

#![allow(unsafe_code, reason = "it has the heap of a kernel in a static")]

use core::alloc::Layout;

use crate::first_fit::{FirstFit, Hardening};

/// What an `alloc_error_handler` does; that attribute is nightly only, so a kernel calls it itself.
///
/// # Panics
///
/// Always, with the request.
pub fn alloc_error(layout: Layout) -> ! {
    panic!(
        "Allocator failed to allocate {} bytes with {}-byte alignment.",
        layout.size(),
        layout.align()
    );
}

/// Expands to the global layer over one heap type and one page allocator type. `$new_heap` makes
/// the heap over a region; it is called by `init` alone.
macro_rules! global_layer {
    ($heap:ty, $pages:ty, $new_heap:path) => {
        use core::alloc::GlobalAlloc;
        use core::cell::UnsafeCell;
        use core::fmt;
        use core::ptr::null_mut;

        use $crate::page_table::Table;

        /// Pages of the kernel heap.
        pub const HEAP_PAGES: usize = 64;

        struct State {
            pages: Option<$pages>,
            heap: Option<$heap>,
            /// Null until `init`.
            table: *mut Table,
        }

        struct SingleHart(UnsafeCell<State>);

        // SAFETY: only `state` reaches the cell, and its callers owe it a single hart.
        unsafe impl Sync for SingleHart {}

        static STATE: SingleHart = SingleHart(UnsafeCell::new(State {
            pages: None,
            heap: None,
            table: null_mut(),
        }));

        /// # Safety
        ///
        /// No other call into this module is running, and no earlier result of this is in use.
        unsafe fn state() -> &'static mut State {
            // SAFETY: the caller vouches that this is the only reference.
            unsafe { &mut *STATE.0.get() }
        }

        /// Takes the heap's 64 pages, and one zeroed page for the [`Table`], from the page
        /// allocator.
        ///
        /// # Panics
        ///
        /// If the page allocator has not enough pages, or was not initialised.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant. Blocks of an earlier `init` are no longer used.
        pub unsafe fn init() {
            // SAFETY: the same contract.
            let heap = unsafe { page::zalloc(HEAP_PAGES) };
            assert!(
                !heap.is_null(),
                "kmem init: no {HEAP_PAGES} free pages for the heap"
            );
            // SAFETY: the same contract.
            let table = unsafe { page::zalloc(1) };
            assert!(
                !table.is_null(),
                "kmem init: no free page for the page table"
            );
            // SAFETY: the same contract; the reference does not outlive this call.
            let state = unsafe { state() };
            // SAFETY: the pages were just handed out, are zeroed, aligned, and freed by nobody.
            let heap = unsafe { $new_heap(heap, HEAP_PAGES * $crate::PAGE_SIZE) };
            state.heap = Some(heap);
            state.table = table.cast();
        }

        /// Allocates `size` bytes; null if nothing fits.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn kmalloc(size: usize) -> *mut u8 {
            // SAFETY: the same contract; the reference does not outlive this call.
            let heap = unsafe { &mut state().heap };
            heap.as_mut().map_or(null_mut(), |heap| heap.kmalloc(size))
        }

        /// Allocates `size` zeroed bytes; null if nothing fits.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn kzmalloc(size: usize) -> *mut u8 {
            // SAFETY: the same contract; the reference does not outlive this call.
            let heap = unsafe { &mut state().heap };
            heap.as_mut().map_or(null_mut(), |heap| heap.kzmalloc(size))
        }

        /// Frees a block; null does nothing.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant; `ptr` is null or a block that its owner no longer uses.
        pub unsafe fn kfree(ptr: *mut u8) {
            // SAFETY: the same contract; the reference does not outlive this call.
            if let Some(heap) = unsafe { &mut state().heap } {
                // SAFETY: the caller gives the block up.
                unsafe { heap.kfree(ptr) };
            }
        }

        /// Merges neighbouring free chunks.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn coalesce() {
            // SAFETY: the same contract; the reference does not outlive this call.
            if let Some(heap) = unsafe { &mut state().heap } {
                heap.coalesce();
            }
        }

        /// Writes one line a chunk.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant: `out` does not call into this module.
        pub unsafe fn print_table(out: &mut dyn fmt::Write) -> fmt::Result {
            // SAFETY: the same contract; the reference does not outlive this call.
            let heap = unsafe { &state().heap };
            heap.as_ref().map_or(Ok(()), |heap| heap.print_table(out))
        }

        /// The first header; null before `init`.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn get_head() -> *mut u8 {
            // SAFETY: the same contract; the reference does not outlive this call.
            let heap = unsafe { &state().heap };
            heap.as_ref().map_or(null_mut(), |heap| heap.get_head())
        }

        /// The page for the MMU's table; null before `init`.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn get_page_table() -> *mut Table {
            // SAFETY: the same contract; the reference does not outlive this call.
            unsafe { state().table }
        }

        /// Pages of the heap; 0 before `init`.
        ///
        /// # Safety
        ///
        /// Single hart, not reentrant.
        pub unsafe fn get_num_allocations() -> usize {
            // SAFETY: the same contract; the reference does not outlive this call.
            let heap = unsafe { &state().heap };
            heap.as_ref().map_or(0, |heap| heap.get_num_allocations())
        }

        /// The kernel heap as a Rust global allocator: for a kernel of a single hart, whose
        /// interrupt handlers do not allocate.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct OsGlobalAlloc;

        // SAFETY: the trait asks for no unwinding and honest layouts: the correct generation keeps
        // to both for live blocks. The published one does not (that is what it is kept for): it
        // ignores alignment, and nothing but its own tests should install it.
        unsafe impl GlobalAlloc for OsGlobalAlloc {
            unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
                // SAFETY: single hart, as the type's documentation demands.
                let heap = unsafe { &mut state().heap };
                heap.as_mut().map_or(null_mut(), |heap| {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { heap.alloc(layout) }
                })
            }

            unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
                // SAFETY: single hart, as the type's documentation demands.
                let heap = unsafe { &mut state().heap };
                heap.as_mut().map_or(null_mut(), |heap| {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { heap.alloc_zeroed(layout) }
                })
            }

            unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
                // SAFETY: single hart, as the type's documentation demands.
                let heap = unsafe { &mut state().heap };
                heap.as_mut().map_or(null_mut(), |heap| {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { heap.realloc(ptr, layout, new_size) }
                })
            }

            unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
                // SAFETY: single hart, as the type's documentation demands.
                if let Some(heap) = unsafe { &mut state().heap } {
                    // SAFETY: the trait's contract is the method's.
                    unsafe { heap.dealloc(ptr, layout) };
                }
            }
        }

        /// The global page allocator, from which [`init`] takes the heap.
        pub mod page {
            use core::fmt;
            use core::ptr::null_mut;

            /// Gives the page allocator its memory.
            ///
            /// # Safety
            ///
            /// Single hart, not reentrant. The `bytes` bytes from `start` are, from now on, used
            /// by nobody else but the owners of pages; pages of an earlier `init` are unused.
            pub unsafe fn init(start: *mut u8, bytes: usize) {
                // SAFETY: the caller gives up the region.
                let pages = unsafe { <$pages>::new(start, bytes) };
                // SAFETY: the same contract; the reference does not outlive this call.
                unsafe { super::state().pages = Some(pages) };
            }

            /// Allocates a run of pages; null if nothing fits.
            ///
            /// # Safety
            ///
            /// Single hart, not reentrant.
            pub unsafe fn alloc(pages: usize) -> *mut u8 {
                // SAFETY: the same contract; the reference does not outlive this call.
                let all = unsafe { &mut super::state().pages };
                all.as_mut().map_or(null_mut(), |all| all.alloc(pages))
            }

            /// Allocates a run of zeroed pages; null if nothing fits.
            ///
            /// # Safety
            ///
            /// Single hart, not reentrant.
            pub unsafe fn zalloc(pages: usize) -> *mut u8 {
                // SAFETY: the same contract; the reference does not outlive this call.
                let all = unsafe { &mut super::state().pages };
                all.as_mut().map_or(null_mut(), |all| all.zalloc(pages))
            }

            /// Frees a run of pages.
            ///
            /// # Safety
            ///
            /// Single hart, not reentrant; the owner of the pages at `ptr` no longer uses them.
            pub unsafe fn dealloc(ptr: *mut u8) {
                // SAFETY: the same contract; the reference does not outlive this call.
                if let Some(all) = unsafe { &mut super::state().pages } {
                    // SAFETY: the caller gives the pages up.
                    unsafe { all.dealloc(ptr) };
                }
            }

            /// Writes the allocations and their sums.
            ///
            /// # Safety
            ///
            /// Single hart, not reentrant: `out` does not call into this module.
            pub unsafe fn print_page_allocations(out: &mut dyn fmt::Write) -> fmt::Result {
                // SAFETY: the same contract; the reference does not outlive this call.
                let all = unsafe { &super::state().pages };
                all.as_ref()
                    .map_or(Ok(()), |all| all.print_page_allocations(out))
            }
        }
    };
}
pub(crate) use global_layer;

/// The heap of these functions, as the crate's features ask for it.
pub type Heap = FirstFit<Hardening<{ cfg!(feature = "seal") }, { cfg!(feature = "poison") }>>;

global_layer!(Heap, crate::Pages, new_heap);

const SIDE_BYTES: usize = Heap::side_bytes(HEAP_PAGES * crate::PAGE_SIZE);

/// The heap's side memory. It is static, since `init` takes no other pages than the published one
/// did.
struct SideMemory(UnsafeCell<[u64; SIDE_BYTES / 8]>);

// SAFETY: only the heap of `STATE` uses it, whose users owe it a single hart.
unsafe impl Sync for SideMemory {}

static SIDE: SideMemory = SideMemory(UnsafeCell::new([0; SIDE_BYTES / 8]));

/// # Safety
///
/// As for `FirstFit::new`; no heap that this returned before is used any more.
unsafe fn new_heap(start: *mut u8, bytes: usize) -> Heap {
    assert!(Heap::side_bytes(bytes) <= SIDE_BYTES);
    // SAFETY: the caller vouches for the region, and for being the side memory's only user.
    unsafe { Heap::new(start, bytes, SIDE.0.get().cast()) }
}
