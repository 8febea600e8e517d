//! Zeroing that stays well behaved when the published generation asks for far too much.
//!
//! Not a plain `write_bytes`: its count may exceed every object (a wrapped size), and then the
//! optimiser or a library `memset` would be free to store anywhere first. Here stores go upwards
//! a page at a time, so that an overrun reaches the heap's guard and nothing else.

use core::hint::black_box;

use crate::align::PAGE_SIZE;

/// Stores `bytes` zeroes from `start` upwards.
///
/// # Safety
///
/// Every byte of `[start, start + bytes)` up to the first that faults may be overwritten.
pub(crate) unsafe fn zero_upwards(start: *mut u8, bytes: usize) {
    let mut at = start;
    let mut left = bytes;
    while left > 0 {
        let step = left.min(PAGE_SIZE);
        // SAFETY: the caller gives up these bytes; a step reaches at most one page past the last
        // byte that was stored without a fault.
        unsafe { at.write_bytes(0, step) };
        // Opaque, so that the steps are not fused into one store of the whole length.
        at = black_box(at.wrapping_add(step));
        left -= step;
    }
}
