//! Rounding up to powers of two, and the size of a page.

/// A page is `2^PAGE_ORDER` bytes.
pub const PAGE_ORDER: usize = 12;

/// Bytes in a page.
pub const PAGE_SIZE: usize = 1 << PAGE_ORDER;

/// Rounds `val` up to a multiple of `2^order`.
///
/// Wraps at the end of the address space, in every build profile: the published generation
/// depends on it, and the correct one checks before it calls. `order` is less than 64.
#[inline]
pub const fn align_val(val: usize, order: usize) -> usize {
    let mask = (1 << order) - 1;
    val.wrapping_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::align_val;

    #[test]
    fn rounds_up_and_wraps() {
        assert_eq!(align_val(0, 3), 0);
        assert_eq!(align_val(1, 3), 8);
        assert_eq!(align_val(8, 3), 8);
        assert_eq!(align_val(4097, 12), 8192);
        assert_eq!(align_val(usize::MAX, 3), 0);
        assert_eq!(align_val(usize::MAX - 7, 3), usize::MAX - 7);
    }
}
