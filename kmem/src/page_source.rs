//! Where a heap that grows takes its pages from.

#![allow(unsafe_code, reason = "the pages it hands out are raw memory")]

use core::ops::Range;

/// Hands out pages by their place. Ranges are addresses, multiples of the page size.
///
/// A page allocator that hands out runs is one ([`Pages`](crate::Pages)); a kernel that shares its
/// page allocator with others gives a heap a small type that goes there.
///
/// # Safety
///
/// Pages that [`take`](Self::take) took are used by nobody but who took them until they are given
/// back.
pub unsafe trait PageSource {
    /// The lowest free pages in this range that lie side by side: all of them, as far as the range
    /// goes.
    fn free_run(&self, within: Range<usize>) -> Option<Range<usize>>;

    /// Takes pages, all of which are free. They need not be zeroed.
    fn take(&mut self, pages: Range<usize>);

    /// Gives pages back: those of one or more takes as a whole, side by side.
    fn give_back(&mut self, pages: Range<usize>);
}
