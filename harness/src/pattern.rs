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
    step: u64,
}

impl Pattern {
    /// What a zeroed block holds.
    pub const ZERO: Self = Self { first: 0, step: 0 };

    /// The pattern of `handle`.
    #[must_use]
    pub const fn of(handle: Handle) -> Self {
        Self {
            first: (handle.0 as u64 + 1).wrapping_mul(SEED),
            step: STEP,
        }
    }

    /// The word at bytes `8 * index ..`.
    #[must_use]
    pub const fn word(self, index: u64) -> u64 {
        self.first.wrapping_add(index.wrapping_mul(self.step))
    }

    /// The byte at `position`.
    #[must_use]
    pub const fn byte(self, position: u64) -> u8 {
        self.word(position / 8).to_le_bytes()[(position % 8) as usize]
    }

    /// Writes the bytes from position `from`, a multiple of 8, up to `to` of a block.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be written.
    pub(crate) unsafe fn fill(self, block: *mut u8, from: u64, to: u64) {
        // SAFETY: the first byte is at `from`, and the caller vouches for all up to `to`.
        let mut at = unsafe { block.add(from as usize) };
        let mut word = self.word(from / 8);
        for _ in from / 8..to / 8 {
            // SAFETY: 8 bytes before `to`; an array of bytes may lie anywhere.
            unsafe { at.cast::<[u8; 8]>().write(word.to_le_bytes()) };
            word = word.wrapping_add(self.step);
            // SAFETY: `to` or before it.
            at = unsafe { at.add(8) };
        }
        match to % 8 {
            0 => {}
            _ if to - from < 8 => {
                for (index, byte) in (0..to % 8).zip(word.to_le_bytes()) {
                    // SAFETY: a byte before `to`.
                    unsafe { at.add(index as usize).write(byte) };
                }
            }
            rest => {
                // SAFETY: 8 bytes before `to` and behind `from`, of which the first were written.
                unsafe {
                    let last = at.add(rest as usize).sub(8);
                    last.cast::<[u8; 8]>()
                        .write(self.last(word, rest).to_le_bytes());
                }
            }
        }
    }

    /// Whether a block holds the pattern from position `from`, a multiple of 8, up to `to`.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be read.
    pub(crate) unsafe fn holds(self, block: *const u8, from: u64, to: u64) -> bool {
        // SAFETY: the first byte is at `from`, and the caller vouches for all up to `to`.
        let mut at = unsafe { block.add(from as usize) };
        let mut word = self.word(from / 8);
        let mut difference = 0;
        for _ in from / 8..to / 8 {
            // SAFETY: 8 bytes before `to`; an array of bytes may lie anywhere.
            let found = unsafe { at.cast::<[u8; 8]>().read() };
            difference |= u64::from_le_bytes(found) ^ word;
            word = word.wrapping_add(self.step);
            // SAFETY: `to` or before it.
            at = unsafe { at.add(8) };
        }
        match to % 8 {
            0 => {}
            _ if to - from < 8 => {
                for (index, byte) in (0..to % 8).zip(word.to_le_bytes()) {
                    // SAFETY: a byte before `to`.
                    difference |= u64::from(byte ^ unsafe { at.add(index as usize).read() });
                }
            }
            rest => {
                // SAFETY: 8 bytes before `to` and behind `from`.
                let found = unsafe {
                    let last = at.add(rest as usize).sub(8);
                    last.cast::<[u8; 8]>().read()
                };
                difference |= u64::from_le_bytes(found) ^ self.last(word, rest);
            }
        }
        difference == 0
    }

    /// The eight bytes that end `rest` bytes, 1 to 7, into this word: the end of the word before, and
    /// the start of this one.
    const fn last(self, word: u64, rest: u64) -> u64 {
        let before = word.wrapping_sub(self.step);
        before >> (8 * rest) | word << (64 - 8 * rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_filled_holds_and_a_changed_byte_shows() {
        let mut block = [0; 64];
        for (from, to) in (0..64)
            .step_by(8)
            .flat_map(|from| (from..=64).map(move |to| (from, to)))
        {
            let pattern = Pattern::of(Handle(from as u32));
            block.fill(0);
            // SAFETY: both positions lie within the block.
            unsafe { pattern.fill(block.as_mut_ptr(), from, to) };
            let filled = |at: &u64| (from..to).contains(at);
            for at in 0..64 {
                let expected = if filled(&at) { pattern.byte(at) } else { 0 };
                assert_eq!(block[at as usize], expected, "{from}..{to}: {at}");
            }
            // SAFETY: as above.
            assert!(unsafe { pattern.holds(block.as_ptr(), from, to) });
            for at in (from..to).step_by(3) {
                block[at as usize] ^= 1;
                // SAFETY: as above.
                assert!(!unsafe { pattern.holds(block.as_ptr(), from, to) });
                block[at as usize] ^= 1;
            }
        }
    }

    #[test]
    fn zeroes_are_a_pattern_too() {
        assert_eq!([0, 1, 77].map(|index| Pattern::ZERO.word(index)), [0; 3]);
    }
}
