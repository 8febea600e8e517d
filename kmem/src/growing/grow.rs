//! Taking pages and giving them back.

use core::ops::Range;

use super::GrowingKmem;
use crate::align::PAGE_SIZE;
use crate::page_source::PageSource;

impl<S: PageSource> GrowingKmem<S> {
    /// Takes the pages that a request needs, which no chunk holds; whether there were enough.
    #[inline(never)]
    pub(super) fn grow(&mut self, size: usize, align: usize) -> bool {
        let in_place = self.fitting(size, align, true).next();
        let pages = in_place.or_else(|| self.fitting(size, align, false).next());
        self.take(pages)
    }

    /// Takes the pages that a live block needs to be resized where it is; whether they lie behind
    /// it and are nobody's.
    #[inline(never)]
    pub(super) fn grow_behind(&mut self, block: *mut u8, size: usize) -> bool {
        let pages = self.heap.page_behind(block).and_then(|page| {
            let run = self.free_runs(page).next()?;
            let starts_there = run.start == page;
            let pages = self.heap.pages_for_block(block, size, run)?;
            starts_there.then_some(page..page + pages)
        });
        self.take(pages)
    }

    fn take(&mut self, pages: Option<Range<usize>>) -> bool {
        let Some(pages) = pages else {
            return false;
        };
        self.source.take(self.addresses(&pages));
        self.heap.add_pages(pages);
        true
    }

    /// The pages that a request needs, of each free run in which it would fit: lowest first, of
    /// those behind a region, or else of the others.
    fn fitting(
        &self,
        size: usize,
        align: usize,
        behind_region: bool,
    ) -> impl Iterator<Item = Range<usize>> {
        let map = self.heap.page_map();
        self.free_runs(0).filter_map(move |run| {
            let is_behind = run.start > 0 && map.has(run.start - 1);
            let pages = self.heap.pages_for(run.clone(), size, align);
            let pages = pages.filter(|_| is_behind == behind_region)?;
            Some(run.start..run.start + pages)
        })
    }

    /// The longest runs of pages in reach that are free, lowest first, `from` a page on.
    fn free_runs(&self, from: usize) -> impl Iterator<Item = Range<usize>> {
        let map = self.heap.page_map();
        let head = self.heap.get_head().addr();
        let mut from = from;
        core::iter::from_fn(move || {
            let within = self.addresses(&(from..map.reach()));
            let run = self.source.free_run(within)?;
            let number = |address| (address - head) / PAGE_SIZE;
            from = number(run.end);
            Some(number(run.start)..from)
        })
    }

    /// Gives the region back in which a block was, if that is empty and not the first.
    pub(super) fn give_back_region_of(&mut self, block: *mut u8) {
        let region = self.heap.empty_region(self.heap.word_of(block));
        if let Some(region) = region {
            self.heap.drop_region(region.clone());
            self.source.give_back(self.addresses(&region));
        }
    }

    fn addresses(&self, pages: &Range<usize>) -> Range<usize> {
        let address = |page: usize| self.heap.get_head().addr() + page * PAGE_SIZE;
        address(pages.start)..address(pages.end)
    }
}
