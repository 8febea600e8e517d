//! The page allocator to use: lowest run of free pages, one descriptor byte a page.
//!
//! ```text
//! start                        first page (a multiple of 4096)
//! | descriptor bytes | unused | page 0 | page 1 | ... | page n-1 | unused |
//! ```
//!
//! Descriptors are looked through and written eight at a time (`scan`).
//!
//! Invariant between calls: a descriptor is 0 (free), TAKEN, or TAKEN and LAST; every taken page
//! is followed by taken pages up to one that is last.

mod as_source;
mod by_page;
mod scan;

use core::fmt;
use core::ptr::null_mut;

use crate::align::{PAGE_ORDER, PAGE_SIZE, align_val};
use crate::defect;
use crate::page_descriptor::{LAST, TAKEN};
use crate::page_error::PageError;
use crate::page_print::{print_allocation, print_heading, print_sums};
use crate::zero::zero_words;

/// The correct generation.
pub type Pages = PageRuns<{ defect::NONE }>;

/// Pages of one region, handed out in runs; with the planted defect that `DEFECT` names (see
/// [`defect`]).
#[derive(Debug)]
pub struct PageRuns<const DEFECT: u8> {
    descriptors: *mut u8,
    first: *mut u8,
    count: usize,
}

// SAFETY: the region is exclusively this instance's (contract of `new`), whatever thread uses it.
unsafe impl<const DEFECT: u8> Send for PageRuns<DEFECT> {}

impl<const DEFECT: u8> PageRuns<DEFECT> {
    /// Clears the descriptors of as many pages as fit into the region behind them.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of pages.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let count = match DEFECT {
            defect::PAGE_DESCRIPTORS_NOT_COUNTED => bytes / PAGE_SIZE,
            defect::PAGE_COUNT_ONE_LESS => count_pages(start.addr(), bytes).saturating_sub(1),
            _ => count_pages(start.addr(), bytes),
        };
        // SAFETY: `count_pages` counted only pages that fit behind their descriptors.
        unsafe { start.write_bytes(0, count) };
        let behind = start.addr().wrapping_add(count);
        let first = match DEFECT {
            defect::PAGE_FIRST_UNALIGNED => start.with_addr(behind),
            _ => start.with_addr(align_val(behind, PAGE_ORDER)),
        };
        Self {
            descriptors: start,
            first,
            count,
        }
    }

    /// The lowest run of `pages` free pages; null if there is none, or `pages` is 0.
    pub fn alloc(&mut self, pages: usize) -> *mut u8 {
        if pages == 0 {
            return null_mut();
        }
        let Some((start, last)) = self.find(pages) else {
            return null_mut();
        };
        self.take(start, last);
        let handed_out = match DEFECT {
            defect::PAGE_ADDRESS_ONE_HIGH => start + 1,
            _ => start,
        };
        self.first.wrapping_add(handed_out * PAGE_SIZE)
    }

    /// Allocates like [`alloc`](Self::alloc), and zeroes the pages.
    pub fn zalloc(&mut self, pages: usize) -> *mut u8 {
        let start = self.alloc(pages);
        if !start.is_null() {
            let bytes = match DEFECT {
                defect::PAGE_ZEROES_ONE_LESS => (pages - 1) * PAGE_SIZE,
                defect::PAGE_ZEROES_ONE_MORE => (pages + 1) * PAGE_SIZE,
                defect::PAGE_ZEROES_COUNT => pages,
                _ => pages * PAGE_SIZE,
            };
            match DEFECT {
                // SAFETY: these pages were just handed out, so they lie in the region.
                defect::PAGE_FIRST_UNALIGNED | defect::PAGE_ZEROES_COUNT => unsafe {
                    start.write_bytes(0, bytes);
                },
                // SAFETY: as above; a page starts at a multiple of 8.
                _ => unsafe { zero_words(start, bytes / size_of::<u64>()) },
            }
        }
        start
    }

    /// Frees an allocation; null does nothing.
    ///
    /// # Panics
    ///
    /// Where [`try_dealloc`](Self::try_dealloc) refuses.
    ///
    /// # Safety
    ///
    /// As for [`try_dealloc`](Self::try_dealloc).
    pub unsafe fn dealloc(&mut self, ptr: *mut u8) {
        // SAFETY: the same contract.
        if let Err(error) = unsafe { self.try_dealloc(ptr) } {
            panic!("page: {error}");
        }
    }

    /// Frees an allocation; null does nothing. Any pointer value may be passed.
    ///
    /// # Errors
    ///
    /// [`PageError`] if no allocation starts at `ptr`; no descriptor is then changed.
    ///
    /// # Safety
    ///
    /// If an allocation does start at `ptr`, its owner no longer uses it.
    pub unsafe fn try_dealloc(&mut self, ptr: *mut u8) -> Result<(), PageError> {
        if ptr.is_null() {
            return Ok(());
        }
        let start = self.locate(ptr.addr())?;
        let last = self.first(start..self.count, LAST, true);
        let last = last.ok_or(PageError::Broken { page: start })?;
        let cleared = match DEFECT {
            defect::PAGE_FREES_FIRST_ONLY => start,
            defect::PAGE_FREES_ONE_TOO_FEW => last.saturating_sub(1).max(start),
            defect::PAGE_FREES_ONE_TOO_MANY => (last + 1).min(self.count - 1),
            _ => last,
        };
        self.fill(start..cleared + 1, 0);
        if Self::has(defect::PAGE_LAST_MARK_KEPT) {
            self.write(last, LAST);
        }
        Ok(())
    }

    /// Writes the allocations and their sums.
    pub fn print_page_allocations(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        print_heading(out, self.descriptors, self.first.addr(), self.count)?;
        let mut taken = 0;
        let mut run = 0;
        for page in 0..self.count {
            run += usize::from(self.is_taken(page));
            if self.is_last(page) {
                let start = self.first.addr() + (page + 1 - run) * PAGE_SIZE;
                print_allocation(out, start, run)?;
                taken += run;
                run = 0;
            }
        }
        print_sums(out, taken, self.count)
    }

    /// Address of page 0.
    pub fn first_page(&self) -> *mut u8 {
        self.first
    }

    /// How many pages are managed.
    pub fn pages(&self) -> usize {
        self.count
    }

    /// Whether page number `page` is handed out; a page that is not managed is not.
    pub fn is_taken(&self, page: usize) -> bool {
        self.read(page) & TAKEN != 0
    }

    /// Whether page number `page` is the last of its allocation.
    pub fn is_last(&self, page: usize) -> bool {
        self.read(page) & LAST != 0
    }

    /// First and last page of the lowest run of `pages` free pages.
    fn find(&self, pages: usize) -> Option<(usize, usize)> {
        if Self::searches_otherwise() {
            return self.find_otherwise(pages);
        }
        let (wanted, from, to) = match DEFECT {
            defect::PAGE_RUN_ONE_LONGER => (pages + 1, 0, self.count),
            defect::PAGE_0_SKIPPED => (pages, 1, self.count),
            defect::PAGE_LAST_RUN_NOT_TRIED => (pages, 0, self.count.saturating_sub(1)),
            _ => (pages, 0, self.count),
        };
        let mut next = from;
        loop {
            let start = self.first(next..to, TAKEN, false)?;
            let end = start.checked_add(wanted).filter(|end| *end <= to)?;
            match self.first(start..end, TAKEN, true) {
                Some(taken) => next = taken + 1,
                None => return Some((start, start + pages - 1)),
            }
        }
    }

    fn take(&mut self, start: usize, last: usize) {
        let marked_last = match DEFECT {
            defect::PAGE_LAST_MARK_EARLY => last.saturating_sub(1).max(start),
            _ => last,
        };
        let taken_last = match DEFECT {
            defect::PAGE_RUN_MARKED_SHORT => last.saturating_sub(1).max(start),
            defect::PAGE_RUN_MARKED_LONG => (last + 1).min(self.count - 1),
            _ => last,
        };
        self.fill(start..taken_last + 1, TAKEN);
        if !Self::has(defect::PAGE_LAST_MARK_MISSING) {
            self.write(marked_last, self.read(marked_last) | LAST);
        }
    }

    /// Whether this is the mutant of that defect.
    const fn has(defect: u8) -> bool {
        DEFECT == defect
    }

    /// Number of the page whose allocation starts at `address`.
    fn locate(&self, address: usize) -> Result<usize, PageError> {
        let first = self.first.addr();
        let end = first.wrapping_add(self.count * PAGE_SIZE);
        if !(first..end).contains(&address) {
            return Err(PageError::Outside {
                address,
                first,
                end,
            });
        }
        if !(address - first).is_multiple_of(PAGE_SIZE) {
            return Err(PageError::Misaligned { address });
        }
        let page = (address - first) / PAGE_SIZE;
        if !self.is_taken(page) {
            return Err(PageError::AlreadyFree { page });
        }
        let goes_on = page > 0 && self.is_taken(page - 1) && !self.is_last(page - 1);
        if goes_on && !Self::has(defect::PAGE_INTERIOR_FREED) {
            return Err(PageError::NotFirst { page });
        }
        Ok(page)
    }

    fn read(&self, page: usize) -> u8 {
        if page >= self.count {
            return 0;
        }
        // SAFETY: there are `count` descriptors at the region's start.
        unsafe { self.descriptors.add(page).read() }
    }

    fn write(&mut self, page: usize, descriptor: u8) {
        assert!(page < self.count, "page {page} is not managed");
        // SAFETY: there are `count` descriptors at the region's start.
        unsafe { self.descriptors.add(page).write(descriptor) };
    }
}

/// The largest number of pages that fit, page-aligned, behind one descriptor byte each.
fn count_pages(start: usize, bytes: usize) -> usize {
    let fits = |count: &usize| {
        let first = align_val(start.wrapping_add(*count), PAGE_ORDER);
        first
            .wrapping_sub(start)
            .checked_add(count * PAGE_SIZE)
            .is_some_and(|end| end <= bytes)
    };
    (0..=bytes / PAGE_SIZE).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::count_pages;

    #[test]
    fn the_descriptors_are_subtracted() {
        let pages = |count: usize| count * 4096;
        for (bytes, count) in [(0, 0), (pages(1), 0), (pages(2) - 1, 0), (pages(2), 1)] {
            assert_eq!(count_pages(pages(16), bytes), count);
        }
        assert_eq!(count_pages(pages(16), pages(64)), 63);
        assert_eq!(count_pages(pages(16), pages(4097)), 4096);
        assert_eq!(count_pages(pages(16), pages(4098)), 4096);
        assert_eq!(count_pages(pages(16), pages(4099)), 4097);
        assert_eq!(count_pages(pages(16) + 4090, pages(64)), 62);
    }
}
