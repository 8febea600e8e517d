//! Why a `kfree` or a `realloc` was refused.

use core::error::Error;
use core::fmt;

/// What is wrong with a pointer: no live payload starts there, or a header that lies there or
/// beside it was overwritten. Addresses are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeError {
    /// The pointer is outside the heap, which is `[head, tail)`.
    Outside {
        /// The pointer that was passed.
        address: usize,
        /// First byte of the heap.
        head: usize,
        /// The byte after the heap.
        tail: usize,
    },
    /// The pointer is inside the heap but no multiple of 8, so no payload can start there.
    Misaligned {
        /// The pointer that was passed.
        address: usize,
    },
    /// The pointer is inside the heap, but not 8 bytes after a header: an interior pointer, or
    /// that of a block that was freed and merged.
    NoBlock {
        /// The pointer that was passed.
        address: usize,
    },
    /// The payload of a free chunk starts there: a double free.
    AlreadyFree {
        /// The pointer that was passed.
        address: usize,
        /// Bytes of the free chunk, header included.
        size: usize,
    },
    /// The block's own header was overwritten: its chunk would not end where another one starts.
    Broken {
        /// The pointer that was passed.
        address: usize,
        /// Bytes of the chunk as its header says.
        size: usize,
    },
    /// A header was overwritten, the block's own or one beside it: a heap that seals them noticed.
    SealBroken {
        /// The pointer that was passed.
        address: usize,
        /// Where the header lies.
        header: usize,
    },
}

impl fmt::Display for FreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Outside {
                address,
                head,
                tail,
            } => {
                write!(f, "{address:#x}: outside the heap {head:#x}..{tail:#x}")
            }
            Self::Misaligned { address } => {
                write!(
                    f,
                    "{address:#x}: not a multiple of 8, so no block starts there"
                )
            }
            Self::NoBlock { address } => {
                write!(
                    f,
                    "{address:#x}: no block starts there (interior, or freed before)"
                )
            }
            Self::AlreadyFree { address, size } => {
                write!(f, "{address:#x}: already free (a chunk of {size} bytes)")
            }
            Self::Broken { address, size } => {
                write!(f, "{address:#x}: header overwritten (claims {size} bytes)")
            }
            Self::SealBroken { address, header } => {
                write!(
                    f,
                    "{address:#x}: the header at {header:#x} was overwritten (its seal is broken)"
                )
            }
        }
    }
}

impl FreeError {
    /// What a call ends in that has no other way to refuse.
    #[cold]
    #[track_caller]
    pub(crate) fn panic(self, call: &str) -> ! {
        panic!("{call}: {self}")
    }
}

impl Error for FreeError {}
