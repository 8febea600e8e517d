//! Why a page `dealloc` was refused.

use core::error::Error;
use core::fmt;

/// A pointer at which no allocation of pages starts, and what is there instead. Addresses are in
/// bytes, pages count from the first managed page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageError {
    /// The pointer is outside the managed pages, which are `[first, end)`.
    Outside {
        /// The pointer that was to be freed.
        address: usize,
        /// First byte of the managed pages.
        first: usize,
        /// The byte after the managed pages.
        end: usize,
    },
    /// The pointer is inside a page, not at its start.
    Misaligned {
        /// The pointer that was to be freed.
        address: usize,
    },
    /// The page is free: a double free.
    AlreadyFree {
        /// Number of the page.
        page: usize,
    },
    /// The page is taken, but the allocation began before it.
    NotFirst {
        /// Number of the page.
        page: usize,
    },
    /// The descriptors were overwritten: no last page follows.
    Broken {
        /// Number of the page.
        page: usize,
    },
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Outside {
                address,
                first,
                end,
            } => {
                write!(
                    f,
                    "dealloc {address:#x}: outside the pages {first:#x}..{end:#x}"
                )
            }
            Self::Misaligned { address } => {
                write!(f, "dealloc {address:#x}: not the start of a page")
            }
            Self::AlreadyFree { page } => write!(f, "dealloc page {page}: already free"),
            Self::NotFirst { page } => {
                write!(
                    f,
                    "dealloc page {page}: not the first page of its allocation"
                )
            }
            Self::Broken { page } => {
                write!(
                    f,
                    "dealloc page {page}: descriptors overwritten (no last page follows)"
                )
            }
        }
    }
}

impl Error for PageError {}
