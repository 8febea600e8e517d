//! The lines of `print_page_allocations`, which both page allocators print alike.

use core::fmt;

use crate::align::PAGE_SIZE;

const RULE: &str = "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";

/// Title, extent of the descriptors, extent of the `pages` pages from address `first`.
pub(crate) fn print_heading(
    out: &mut dyn fmt::Write,
    descriptors: *const u8,
    first: usize,
    pages: usize,
) -> fmt::Result {
    let descriptors_end = descriptors.wrapping_add(pages);
    let end = first.wrapping_add(pages.wrapping_mul(PAGE_SIZE));
    writeln!(out, "PAGE ALLOCATION TABLE")?;
    writeln!(out, "META: {descriptors:p} -> {descriptors_end:p}")?;
    writeln!(out, "PHYS: 0x{first:x} -> 0x{end:x}")?;
    writeln!(out, "{RULE}")
}

/// One allocation of `pages` pages, of which the first begins at address `start`.
pub(crate) fn print_allocation(
    out: &mut dyn fmt::Write,
    start: usize,
    pages: usize,
) -> fmt::Result {
    let end = start.wrapping_add(pages.wrapping_mul(PAGE_SIZE));
    writeln!(
        out,
        "0x{start:x} => 0x{:x}: {pages:>3} page(s).",
        end.wrapping_sub(1)
    )
}

/// The sums. They wrap, because the published generation can hand out more than it has.
pub(crate) fn print_sums(out: &mut dyn fmt::Write, taken: usize, pages: usize) -> fmt::Result {
    let free = pages.wrapping_sub(taken);
    let taken_bytes = taken.wrapping_mul(PAGE_SIZE);
    let free_bytes = free.wrapping_mul(PAGE_SIZE);
    writeln!(out, "{RULE}")?;
    writeln!(
        out,
        "Allocated: {taken:>6} pages ({taken_bytes:>10} bytes)."
    )?;
    writeln!(out, "Free     : {free:>6} pages ({free_bytes:>10} bytes).")
}
