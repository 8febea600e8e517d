//! A page's descriptor: one byte, in the array at the start of a page allocator's region.

/// Bit 0: the page is handed out.
pub(crate) const TAKEN: u8 = 1 << 0;

/// Bit 1: the page is the last of its allocation.
pub(crate) const LAST: u8 = 1 << 1;
