//! What the client writes into its blocks: bytes that name the block and the place, so that a
//! store by anyone else shows.

use crate::op::Handle;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const STEP: u64 = 0xd6e8_feb8_6659_fd93;

/// The pattern of one handle's block. It does not depend on the block's size or address, so that
/// a realloc must carry it over as it stands.
#[derive(Clone, Copy)]
pub struct Pattern {
    first: u64,
}

impl Pattern {
    /// The pattern of `handle`.
    #[must_use]
    pub const fn of(handle: Handle) -> Self {
        Self {
            first: (handle.0 as u64 + 1).wrapping_mul(SEED),
        }
    }

    /// The word at bytes `8 * index ..`.
    #[must_use]
    pub const fn word(self, index: u64) -> u64 {
        // The forced bit keeps a word of the pattern from ever being all zero.
        self.first.wrapping_add(index.wrapping_mul(STEP)) | 1 << 40
    }

    /// The byte at `position`.
    #[must_use]
    pub const fn byte(self, position: u64) -> u8 {
        self.word(position / 8).to_le_bytes()[(position % 8) as usize]
    }
}
