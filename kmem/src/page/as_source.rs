//! Pages by their place: the page allocator as what a heap grows from.

use core::ops::Range;

use super::Pages;
use crate::align::PAGE_SIZE;
use crate::page_descriptor::{LAST, TAKEN};
use crate::page_source::PageSource;

impl Pages {
    /// Manages pages whose descriptors lie elsewhere, in as many bytes as there are pages.
    ///
    /// # Safety
    ///
    /// For the life of the instance, the `count` pages from `first`, a multiple of the page size,
    /// are used by nobody else but their owners, and the `count` bytes from `descriptors` by nobody
    /// at all. Both are readable and writable.
    pub unsafe fn beside(descriptors: *mut u8, first: *mut u8, count: usize) -> Self {
        // SAFETY: the caller vouches for the descriptors.
        unsafe { descriptors.write_bytes(0, count) };
        Self {
            descriptors,
            first,
            count,
        }
    }

    /// Numbers of the managed pages that lie wholly in this range of addresses.
    #[inline]
    fn numbers(&self, range: Range<usize>) -> Range<usize> {
        let number = |address: usize| {
            let bytes = address.saturating_sub(self.first.addr());
            bytes.div_ceil(PAGE_SIZE).min(self.count)
        };
        number(range.start)..number(range.end)
    }

    #[inline]
    fn addresses(&self, pages: Range<usize>) -> Range<usize> {
        let address = |page: usize| self.first.addr() + page * PAGE_SIZE;
        address(pages.start)..address(pages.end)
    }
}

// SAFETY: a page is handed out only if its descriptor says free, and says taken from then on.
unsafe impl PageSource for Pages {
    #[inline]
    fn free_run(&self, within: Range<usize>) -> Option<Range<usize>> {
        let pages = self.numbers(within);
        let start = self.first(pages.clone(), TAKEN, false)?;
        let end = self.first(start..pages.end, TAKEN, true);
        Some(self.addresses(start..end.unwrap_or(pages.end)))
    }

    /// # Panics
    ///
    /// If a page is not free, or not managed.
    #[inline]
    fn take(&mut self, pages: Range<usize>) {
        let numbers = self.numbers(pages.clone());
        let is_free = self.first(numbers.clone(), TAKEN, true).is_none();
        let all = self.addresses(numbers.clone()) == pages && !numbers.is_empty();
        assert!(is_free && all, "page {} is not free", numbers.start);
        self.fill(numbers.clone(), TAKEN);
        self.fill(numbers.end - 1..numbers.end, TAKEN | LAST);
    }

    /// # Panics
    ///
    /// If they are not those of whole allocations.
    #[inline]
    fn give_back(&mut self, pages: Range<usize>) {
        let numbers = self.numbers(pages);
        let mut page = numbers.start;
        while page < numbers.end {
            let start = self.first.wrapping_add(page * PAGE_SIZE);
            // SAFETY: the caller gives up the allocation that starts there; anything else is
            // refused.
            unsafe { self.dealloc(start) };
            let next = self.first(page..numbers.end, TAKEN, true);
            page = next.unwrap_or(numbers.end);
        }
    }
}
