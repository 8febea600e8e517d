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

#![allow(
    unsafe_code,
    reason = "it keeps descriptors in the memory that it manages"
)]

mod as_source;
mod scan;

use core::fmt;
use core::ptr::null_mut;

use crate::align::{PAGE_ORDER, PAGE_SIZE, align_val};
use crate::page_descriptor::{LAST, TAKEN};
use crate::page_error::PageError;
use crate::page_print::{print_allocation, print_heading, print_sums};
use crate::zero::zero_words;

/// The correct generation: pages of one region, handed out in runs.
#[derive(Debug)]
pub struct Pages {
    descriptors: *mut u8,
    first: *mut u8,
    count: usize,
}

// SAFETY: the region is exclusively this instance's (contract of `new`), whatever thread uses it.
unsafe impl Send for Pages {}

impl Pages {
    /// Clears the descriptors of as many pages as fit into the region behind them.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `bytes` bytes from `start` are readable and writable and
    /// are used by nobody else but the owners of pages.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        let count = count_pages(start.addr(), bytes);
        // SAFETY: `count_pages` counted only pages that fit behind their descriptors.
        unsafe { start.write_bytes(0, count) };
        let behind = start.addr().wrapping_add(count);
        Self {
            descriptors: start,
            first: start.with_addr(align_val(behind, PAGE_ORDER)),
            count,
        }
    }

    /// The lowest run of `pages` free pages; null if there is none, or `pages` is 0.
    #[inline]
    pub fn alloc(&mut self, pages: usize) -> *mut u8 {
        if pages == 0 {
            return null_mut();
        }
        let Some((start, last)) = self.find(pages) else {
            return null_mut();
        };
        self.take(start, last);
        self.first.wrapping_add(start * PAGE_SIZE)
    }

    /// Allocates like [`alloc`](Self::alloc), and zeroes the pages.
    #[inline]
    pub fn zalloc(&mut self, pages: usize) -> *mut u8 {
        let start = self.alloc(pages);
        if !start.is_null() {
            // SAFETY: these pages were just handed out, so they lie in the region; a page starts at
            // a multiple of 8.
            unsafe { zero_words(start, pages * PAGE_SIZE / size_of::<u64>()) };
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
    #[inline]
    pub unsafe fn try_dealloc(&mut self, ptr: *mut u8) -> Result<(), PageError> {
        if ptr.is_null() {
            return Ok(());
        }
        let start = self.locate(ptr.addr())?;
        let last = self.first(start..self.count, LAST, true);
        let last = last.ok_or(PageError::Broken { page: start })?;
        self.fill(start..last + 1, 0);
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
    #[inline]
    pub fn is_taken(&self, page: usize) -> bool {
        self.read(page) & TAKEN != 0
    }

    /// Whether page number `page` is the last of its allocation.
    #[inline]
    pub fn is_last(&self, page: usize) -> bool {
        self.read(page) & LAST != 0
    }

    /// First and last page of the lowest run of `pages` free pages.
    #[inline]
    fn find(&self, pages: usize) -> Option<(usize, usize)> {
        let mut next = 0;
        loop {
            let start = self.first(next..self.count, TAKEN, false)?;
            let end = start.checked_add(pages).filter(|end| *end <= self.count)?;
            match self.first(start..end, TAKEN, true) {
                Some(taken) => next = taken + 1,
                None => return Some((start, end - 1)),
            }
        }
    }

    #[inline]
    fn take(&mut self, start: usize, last: usize) {
        self.fill(start..last + 1, TAKEN);
        self.write(last, TAKEN | LAST);
    }

    /// Number of the page whose allocation starts at `address`.
    #[inline]
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
        if goes_on {
            return Err(PageError::NotFirst { page });
        }
        Ok(page)
    }

    #[inline]
    fn read(&self, page: usize) -> u8 {
        if page >= self.count {
            return 0;
        }
        // SAFETY: there are `count` descriptors at the region's start.
        unsafe { self.descriptors.add(page).read() }
    }

    #[inline]
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
