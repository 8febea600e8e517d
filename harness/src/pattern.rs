//! What the client writes into its blocks: bytes that name the block and the place, so that a
//! store by anyone else shows.

#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod wide;
#[cfg(not(all(target_arch = "x86_64", feature = "std")))]
#[path = "pattern/no_wide.rs"]
mod wide;
mod words;

use crate::op::Handle;
use wide::Wide;
use words::{is_aligned, is_few, lanes, read_word, write_word};

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
    pub const ZERO: Self = Self::repeating(0);

    /// The same byte everywhere.
    #[must_use]
    pub const fn repeating(byte: u8) -> Self {
        Self {
            first: u64::from_ne_bytes([byte; 8]),
            step: 0,
        }
    }

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

    /// What a block holds from position `from` on, a multiple of 8.
    const fn from(self, from: u64) -> Self {
        Self {
            first: self.word(from / 8),
            step: self.step,
        }
    }

    /// The byte at `position`.
    #[must_use]
    pub const fn byte(self, position: u64) -> u8 {
        self.word(position / 8).to_le_bytes()[(position % 8) as usize]
    }

    /// Writes the bytes from position `from`, a multiple of 8, up to `to` of a block.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be written, and `from` is no more than that.
    #[inline]
    pub(crate) unsafe fn fill(self, block: *mut u8, from: u64, to: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            match Wide::detect() {
                Some(wide) => {
                    wide.fill(self.from(from), block.add(from as usize), to - from);
                }
                None => self.fill_words(block, from, to),
            }
        }
    }

    /// [`Self::fill`] by words.
    ///
    /// # Safety
    /// As there.
    #[inline]
    unsafe fn fill_words(self, block: *mut u8, from: u64, to: u64) {
        // SAFETY: the caller's promise, and what was just asked.
        unsafe {
            match is_aligned(block) {
                true => self.fill_by::<true>(block, from, to),
                false => self.fill_by::<false>(block, from, to),
            }
        }
    }

    /// Whether a block holds the pattern from position `from`, a multiple of 8, up to `to`.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be read, and `from` is no more than that.
    #[inline]
    pub(crate) unsafe fn holds(self, block: *const u8, from: u64, to: u64) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match Wide::detect() {
                Some(wide) => {
                    let block = (self.from(from), block.add(from as usize), to - from);
                    wide.all_hold(core::iter::once(block))
                }
                None => self.holds_words(block, from, to),
            }
        }
    }

    /// Whether each of these blocks, of so many bytes, holds its pattern.
    ///
    /// # Safety
    /// All those bytes may be read.
    #[inline]
    pub(crate) unsafe fn all_hold(
        mut blocks: impl Iterator<Item = (Self, *const u8, u64)>,
    ) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match Wide::detect() {
                Some(wide) => wide.all_hold(blocks),
                None => blocks.all(|(pattern, block, size)| pattern.holds_words(block, 0, size)),
            }
        }
    }

    /// [`Self::holds`] by words.
    ///
    /// # Safety
    /// As there.
    #[inline]
    unsafe fn holds_words(self, block: *const u8, from: u64, to: u64) -> bool {
        // SAFETY: the caller's promise, and what was just asked.
        unsafe {
            match is_aligned(block) {
                true => self.holds_by::<true>(block, from, to),
                false => self.holds_by::<false>(block, from, to),
            }
        }
    }

    /// [`Self::fill`] for N words at either end of a block of `size` bytes, and what is left behind them: at
    /// the start, and from `tail` on, so many words and less than one before the end.
    ///
    /// # Safety
    /// `block` has `size` bytes that may be written.
    #[inline]
    pub(crate) unsafe fn fill_ends<const N: usize>(self, block: *mut u8, tail: u64, size: u64) {
        // SAFETY: the caller's promise, and what was just asked.
        unsafe {
            match is_aligned(block) {
                true => self.fill_ends_by::<N, true>(block, tail, size),
                false => self.fill_ends_by::<N, false>(block, tail, size),
            }
        }
    }

    /// [`Self::holds`] for what [`Self::fill_ends`] has written.
    ///
    /// # Safety
    /// `block` has `size` bytes that may be read.
    #[inline]
    pub(crate) unsafe fn hold_ends<const N: usize>(
        self,
        block: *const u8,
        tail: u64,
        size: u64,
    ) -> bool {
        // SAFETY: the caller's promise, and what was just asked.
        unsafe {
            match is_aligned(block) {
                true => self.hold_ends_by::<N, true>(block, tail, size),
                false => self.hold_ends_by::<N, false>(block, tail, size),
            }
        }
    }

    /// [`Self::fill`], of a block that is `ALIGNED`.
    ///
    /// # Safety
    /// As there, and the block lies as it says.
    unsafe fn fill_by<const ALIGNED: bool>(self, block: *mut u8, from: u64, to: u64) {
        let (count, first) = (to / 8 - from / 8, self.word(from / 8));
        // SAFETY: the first byte is at `from`, and the caller vouches for all up to `to`; so many words lie
        // before it, at multiples of 8 from the block's start.
        unsafe {
            let at = block.add(from as usize);
            match lanes(count) {
                _ if is_few(count) && self.step == STEP => Self::write_few(at, first, count),
                0 | 1 => self.write::<1, ALIGNED>(at, first, count),
                2..4 => self.write::<2, ALIGNED>(at, first, count),
                4..8 => self.write::<4, ALIGNED>(at, first, count),
                _ => self.write::<8, ALIGNED>(at, first, count),
            }
            self.write_rest(block, from, to);
        }
    }

    /// [`Self::holds`], of a block that is `ALIGNED`.
    ///
    /// # Safety
    /// As there, and the block lies as it says.
    unsafe fn holds_by<const ALIGNED: bool>(self, block: *const u8, from: u64, to: u64) -> bool {
        let (count, first) = (to / 8 - from / 8, self.word(from / 8));
        // SAFETY: as in `fill_by`.
        let difference = unsafe {
            let at = block.add(from as usize);
            let words = match lanes(count) {
                _ if is_few(count) && self.step == STEP => Self::compare_few(at, first, count),
                0 | 1 => self.compare::<1, ALIGNED>(at, first, count),
                2..4 => self.compare::<2, ALIGNED>(at, first, count),
                4..8 => self.compare::<4, ALIGNED>(at, first, count),
                _ => self.compare::<8, ALIGNED>(at, first, count),
            };
            words | self.compare_rest(block, from, to)
        };
        difference == 0
    }

    /// [`Self::fill_ends`], of a block that is `ALIGNED`.
    ///
    /// # Safety
    /// As there, and the block lies as it says.
    unsafe fn fill_ends_by<const N: usize, const ALIGNED: bool>(
        self,
        block: *mut u8,
        tail: u64,
        size: u64,
    ) {
        // SAFETY: N words lie behind the start and behind `tail`, at multiples of 8 from the start.
        unsafe {
            self.write::<N, ALIGNED>(block, self.first, N as u64);
            self.write::<N, ALIGNED>(block.add(tail as usize), self.word(tail / 8), N as u64);
            self.write_rest(block, tail, size);
        }
    }

    /// [`Self::hold_ends`], of a block that is `ALIGNED`.
    ///
    /// # Safety
    /// As there, and the block lies as it says.
    unsafe fn hold_ends_by<const N: usize, const ALIGNED: bool>(
        self,
        block: *const u8,
        tail: u64,
        size: u64,
    ) -> bool {
        // SAFETY: as in `fill_ends_by`.
        let difference = unsafe {
            let end = block.add(tail as usize);
            self.compare::<N, ALIGNED>(block, self.first, N as u64)
                | self.compare::<N, ALIGNED>(end, self.word(tail / 8), N as u64)
                | self.compare_rest(block, tail, size)
        };
        difference == 0
    }

    /// Writes what lies behind the last whole word between `from` and `to`.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be written, and those from `from` on were, but for these.
    #[inline]
    unsafe fn write_rest(self, block: *mut u8, from: u64, to: u64) {
        let (word, rest) = (self.word(to / 8), to % 8);
        if rest == 0 {
            return;
        }
        // SAFETY: bytes before `to`, and if there are 8 behind `from`, those before the rest as they are.
        unsafe {
            if to - from >= 8 {
                write_word::<false>(block.add(to as usize - 8), self.last(word, rest));
                return;
            }
            for (index, byte) in (0..rest).zip(word.to_le_bytes()) {
                block.add((to - rest + index) as usize).write(byte);
            }
        }
    }

    /// How what lies behind the last whole word between `from` and `to` differs from the pattern.
    ///
    /// # Safety
    /// `block` has at least `to` bytes that may be read.
    #[inline]
    unsafe fn compare_rest(self, block: *const u8, from: u64, to: u64) -> u64 {
        let (word, rest) = (self.word(to / 8), to % 8);
        if rest == 0 {
            return 0;
        }
        // SAFETY: bytes before `to`, and 8 only if there are as many behind `from`.
        unsafe {
            if to - from >= 8 {
                let found = read_word::<false>(block.add(to as usize - 8));
                return found ^ self.last(word, rest);
            }
            let mut difference = 0;
            for (index, byte) in (0..rest).zip(word.to_le_bytes()) {
                difference |= block.add((to - rest + index) as usize).read() ^ byte;
            }
            difference.into()
        }
    }

    /// The eight bytes that end `rest` bytes, 1 to 7, into this word: the end of the word before, and
    /// the start of this one.
    const fn last(self, word: u64, rest: u64) -> u64 {
        let before = word.wrapping_sub(self.step);
        before >> (8 * rest) | word << (64 - 8 * rest)
    }
}
