//! Planted defects: the mutants that the rig's own oracles are tested on.
//!
//! Each constant is one small fault in [`FirstFit`](crate::FirstFit), chosen at compile time by
//! its const parameter, so that [`Kmem`](crate::Kmem) compiles to exactly the clean code. Every
//! one shows within six operations on a heap of 64 pages.

/// No defect: the allocator a kernel should use.
pub const NONE: u8 = 0;

/// A split lays the remainder 8 bytes too low, into the block just handed out.
pub const OFF_BY_8_SPLIT: u8 = 1;

/// A freed block is not merged with a free predecessor.
pub const MISSING_MERGE: u8 = 2;

/// Every request is placed as if its alignment were 8.
pub const ALIGNMENT_IGNORED: u8 = 3;

/// Zeroed requests get the bytes their chunk last held.
pub const NOT_ZEROED: u8 = 4;

/// A `realloc` that moves leaves the last 8 bytes of the contents behind.
pub const REALLOC_COPIES_TOO_LITTLE: u8 = 5;

/// A remainder of exactly 16 bytes is absorbed instead of split off.
pub const WRONG_REMAINDER_TEST: u8 = 6;

/// Zeroing runs 8 bytes past the payload, onto the next chunk's header.
pub const HEADER_OVERWRITTEN: u8 = 7;

/// Panics at an exact fit while another block is live.
pub const PANIC: u8 = 8;

/// Spins for ever when a block between two free chunks is freed.
pub const ENDLESS_LOOP: u8 = 9;

/// Freeing a block that ends at the heap's end stores 8 bytes just past that end.
pub const STORE_OUTSIDE: u8 = 10;

/// Every planted defect with its name, in the order of the constants.
pub const ALL: &[(u8, &str)] = &[
    (OFF_BY_8_SPLIT, "off-by-8-split"),
    (MISSING_MERGE, "missing-merge"),
    (ALIGNMENT_IGNORED, "alignment-ignored"),
    (NOT_ZEROED, "not-zeroed"),
    (REALLOC_COPIES_TOO_LITTLE, "realloc-copies-too-little"),
    (WRONG_REMAINDER_TEST, "wrong-remainder-test"),
    (HEADER_OVERWRITTEN, "header-overwritten"),
    (PANIC, "panic"),
    (ENDLESS_LOOP, "endless-loop"),
    (STORE_OUTSIDE, "store-outside"),
];
