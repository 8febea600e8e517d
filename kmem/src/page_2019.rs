//! The page allocator as it was published on 6 October 2019, bugs included.
//!
//! Nothing here may be repaired (see `kmem_2019`); it behaves alike in every build profile. What
//! is wrong with it:
//!
//! - it counts a page for every 4096 bytes of the region although the descriptors come first, so
//!   that its last pages lie outside the region;
//! - the scan ends one start page early, so that the last run that fits is never handed out;
//! - a request for more pages than there are makes the scan's bound wrap, and bytes past the
//!   descriptors are then read (and written) as if they were descriptors;
//! - `dealloc` accepts any address in an allocation, and frees from there on.

#![allow(
    unsafe_code,
    reason = "it keeps descriptors in the memory that it manages"
)]

use core::fmt;
use core::ptr::null_mut;

use crate::align::{PAGE_ORDER, PAGE_SIZE, align_val};
use crate::page_descriptor::{LAST, TAKEN};
use crate::page_print::{print_allocation, print_heading, print_sums};
use crate::zero::zero_upwards;

/// The published page allocator over one region.
#[derive(Debug)]
pub struct Pages2019 {
    descriptors: *mut u8,
    /// Bytes of the region.
    bytes: usize,
}

// SAFETY: the region is exclusively this instance's (contract of `new`), whatever thread uses it.
unsafe impl Send for Pages2019 {}

impl Pages2019 {
    /// Clears a descriptor for every 4096 bytes of the region.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of pages. Well-meant requests make the instance
    /// access, and hand out, memory past the region; the caller has to contain that.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        // SAFETY: the region holds a byte for every 4096 of its bytes.
        unsafe { start.write_bytes(0, bytes / PAGE_SIZE) };
        Self {
            descriptors: start,
            bytes,
        }
    }

    /// The lowest run of `pages` free pages that begins before the last `pages` pages; null if
    /// there is none.
    ///
    /// # Panics
    ///
    /// If `pages` is 0.
    pub fn alloc(&mut self, pages: usize) -> *mut u8 {
        assert!(pages > 0);
        for start in 0..self.pages().wrapping_sub(pages) {
            let end = start.wrapping_add(pages);
            // The first page is looked at by itself: the range is empty where its end wrapped.
            let is_free = |page| self.read(page) & TAKEN == 0;
            if is_free(start) && (start..end).all(is_free) {
                return self.take(start, pages);
            }
        }
        null_mut()
    }

    fn take(&mut self, start: usize, pages: usize) -> *mut u8 {
        let last = start.wrapping_add(pages).wrapping_sub(1);
        for page in start..last {
            self.write(page, self.read(page) | TAKEN);
        }
        self.write(last, self.read(last) | TAKEN | LAST);
        self.first_page()
            .wrapping_add(start.wrapping_mul(PAGE_SIZE))
    }

    /// Allocates like [`alloc`](Self::alloc), and zeroes the pages.
    ///
    /// # Panics
    ///
    /// If `pages` is 0.
    pub fn zalloc(&mut self, pages: usize) -> *mut u8 {
        let start = self.alloc(pages);
        if !start.is_null() {
            // SAFETY: these pages were just handed out; that some lie outside the region is a
            // published bug, which the caller of `new` contains.
            unsafe { zero_upwards(start, pages.wrapping_mul(PAGE_SIZE)) };
        }
        start
    }

    /// Frees from the page in which `ptr` lies to the first that is marked last.
    ///
    /// # Panics
    ///
    /// If `ptr` is null or far outside the region, if the page is not taken, or if a free page
    /// comes before the last one (the pages before it are then free already).
    ///
    /// # Safety
    ///
    /// `ptr` is a live allocation. Anything else is trusted as far as the asserts let it through.
    pub unsafe fn dealloc(&mut self, ptr: *mut u8) {
        assert!(!ptr.is_null());
        let mut page = ptr.addr().wrapping_sub(self.first_page().addr()) / PAGE_SIZE;
        // The published bound: in the region, though not necessarily among the descriptors.
        assert!(page < self.bytes, "not a page of this region");
        while self.read(page) & (TAKEN | LAST) == TAKEN {
            self.write(page, 0);
            page = page.wrapping_add(1);
        }
        assert!(
            self.read(page) & LAST != 0,
            "double free: a free page before the last one"
        );
        self.write(page, 0);
    }

    /// Writes the allocations and their sums. Reads on past the descriptors where the last page
    /// of an allocation is not among them.
    pub fn print_page_allocations(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let first = self.first_page().addr();
        print_heading(out, self.descriptors, first, self.pages())?;
        let mut taken = 0;
        let mut page = 0;
        while page < self.pages() {
            if self.read(page) & TAKEN != 0 {
                let start = page;
                while self.read(page) & LAST == 0 {
                    page += 1;
                }
                let run = page + 1 - start;
                print_allocation(out, first.wrapping_add(start * PAGE_SIZE), run)?;
                taken += run;
            }
            page += 1;
        }
        print_sums(out, taken, self.pages())
    }

    /// Address of page 0.
    pub fn first_page(&self) -> *mut u8 {
        let end = self.descriptors.addr().wrapping_add(self.pages());
        self.descriptors.with_addr(align_val(end, PAGE_ORDER))
    }

    /// How many pages are managed: those of the whole region, descriptors included.
    pub fn pages(&self) -> usize {
        self.bytes / PAGE_SIZE
    }

    /// Whether page number `page` is handed out; a page that is not managed is not.
    pub fn is_taken(&self, page: usize) -> bool {
        page < self.pages() && self.read(page) & TAKEN != 0
    }

    /// Whether page number `page` is the last of its allocation.
    pub fn is_last(&self, page: usize) -> bool {
        page < self.pages() && self.read(page) & LAST != 0
    }

    /// Volatile, so that a scan which runs past the region really touches what is there.
    fn read(&self, page: usize) -> u8 {
        // SAFETY: a descriptor of the region, or what a published bug takes for one; the
        // caller of `new` contains the latter.
        unsafe { self.descriptors.wrapping_add(page).read_volatile() }
    }

    fn write(&mut self, page: usize, descriptor: u8) {
        // SAFETY: as for `read`.
        unsafe {
            self.descriptors
                .wrapping_add(page)
                .write_volatile(descriptor)
        };
    }
}
