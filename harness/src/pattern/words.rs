//! Words of a pattern, written and compared as fast as the machine can.
//!
//! Strict runs spend most of their time here: each word of each live block is compared after each op.

use super::{Pattern, STEP};

impl Pattern {
    /// Writes `count` words, of which the first is `first`: N at a time, without a branch between them,
    /// and the last N once more if they are not all written by then.
    ///
    /// # Safety
    /// `at` has so many words that may be written, if any at least N; if `ALIGNED` it is a multiple of 8.
    #[inline]
    pub(super) unsafe fn write<const N: usize, const ALIGNED: bool>(
        self,
        at: *mut u8,
        first: u64,
        count: u64,
    ) {
        let mut words = self.words::<N>(first);
        let mut done = 0;
        while done + N as u64 <= count {
            for (lane, word) in words.iter_mut().enumerate() {
                // SAFETY: word `done + lane`, and there are `count`.
                unsafe { write_word::<ALIGNED>(at.add(8 * (done as usize + lane)), *word) };
                *word = word.wrapping_add(self.step.wrapping_mul(N as u64));
            }
            done += N as u64;
        }
        if done < count {
            let last = count - N as u64;
            let words = self.words::<N>(first.wrapping_add(last.wrapping_mul(self.step)));
            for (lane, word) in words.into_iter().enumerate() {
                // SAFETY: one of the last N words; there are at least N.
                unsafe { write_word::<ALIGNED>(at.add(8 * (last as usize + lane)), word) };
            }
        }
    }

    /// The bits in which any of `count` words differs from the pattern, which starts with `first`: as
    /// [`Self::write`] goes.
    ///
    /// # Safety
    /// `at` has so many words that may be read, if any at least N; if `ALIGNED` it is a multiple of 8.
    #[inline]
    pub(super) unsafe fn compare<const N: usize, const ALIGNED: bool>(
        self,
        at: *const u8,
        first: u64,
        count: u64,
    ) -> u64 {
        let mut words = self.words::<N>(first);
        let mut differences = [0; N];
        let mut done = 0;
        while done + N as u64 <= count {
            for (lane, word) in words.iter_mut().enumerate() {
                // SAFETY: word `done + lane`, and there are `count`.
                let found = unsafe { read_word::<ALIGNED>(at.add(8 * (done as usize + lane))) };
                differences[lane] |= found ^ *word;
                *word = word.wrapping_add(self.step.wrapping_mul(N as u64));
            }
            done += N as u64;
        }
        if done < count {
            let last = count - N as u64;
            let words = self.words::<N>(first.wrapping_add(last.wrapping_mul(self.step)));
            for (lane, word) in words.into_iter().enumerate() {
                // SAFETY: one of the last N words; there are at least N.
                let found = unsafe { read_word::<ALIGNED>(at.add(8 * (last as usize + lane))) };
                differences[lane] |= found ^ word;
            }
        }
        differences.into_iter().fold(0, |all, one| all | one)
    }

    /// [`Self::compare`] of a handle's pattern for fewer than [`FEW`] words, in at most two windows of a fixed
    /// length that may overlap: of blocks of many sizes, the processor cannot foretell how often a loop goes
    /// round.
    ///
    /// # Safety
    /// `at` has so many words that may be read.
    #[inline]
    pub(super) unsafe fn compare_few(at: *const u8, first: u64, count: u64) -> u64 {
        // SAFETY: each window lies within the words.
        unsafe {
            match count {
                0 => 0,
                1 => window::<1>(at, first),
                2..4 => windows::<2>(at, first, count),
                4..8 => windows::<4>(at, first, count),
                8..16 => windows::<8>(at, first, count),
                _ => windows::<16>(at, first, count),
            }
        }
    }

    /// [`Self::write`] for fewer than [`FEW`] words, as [`Self::compare_few`] goes.
    ///
    /// # Safety
    /// `at` has so many words that may be written.
    #[inline]
    pub(super) unsafe fn write_few(at: *mut u8, first: u64, count: u64) {
        // SAFETY: each window lies within the words.
        unsafe {
            match count {
                0 => {}
                1 => write_window::<1>(at, first),
                2..4 => write_windows::<2>(at, first, count),
                4..8 => write_windows::<4>(at, first, count),
                8..16 => write_windows::<8>(at, first, count),
                _ => write_windows::<16>(at, first, count),
            }
        }
    }

    /// N words of which the first is `first`.
    fn words<const N: usize>(self, first: u64) -> [u64; N] {
        core::array::from_fn(|lane| first.wrapping_add(self.step.wrapping_mul(lane as u64)))
    }
}

/// Words that [`Pattern::compare_few`] does not take.
pub(super) const FEW: u64 = 32;

/// Whether so many words are few. Under QEMU none are: it foretells nothing, and windows that overlap are more
/// work than a loop.
pub(super) const fn is_few(count: u64) -> bool {
    !cfg!(target_arch = "riscv64") && count < FEW
}

/// The differences of the first and of the last N words of `count`.
///
/// # Safety
/// `at` has so many words that may be read, at least N.
#[inline]
unsafe fn windows<const N: usize>(at: *const u8, first: u64, count: u64) -> u64 {
    let last = count - N as u64;
    // SAFETY: both windows lie within the words.
    unsafe {
        let tail = at.add(8 * last as usize);
        window::<N>(at, first) | window::<N>(tail, first.wrapping_add(last.wrapping_mul(STEP)))
    }
}

/// The differences of N words from those that start with `first`, each `STEP` more than the one before.
///
/// # Safety
/// `at` has N words that may be read.
#[inline]
unsafe fn window<const N: usize>(at: *const u8, first: u64) -> u64 {
    (0..N).fold(0, |all, lane| {
        // SAFETY: one of the N words.
        let found = unsafe { read_word::<false>(at.add(8 * lane)) };
        all | found ^ first.wrapping_add(STEP.wrapping_mul(lane as u64))
    })
}

/// # Safety
/// `at` has so many words that may be written, at least N.
#[inline]
unsafe fn write_windows<const N: usize>(at: *mut u8, first: u64, count: u64) {
    let last = count - N as u64;
    // SAFETY: both windows lie within the words.
    unsafe {
        let tail = at.add(8 * last as usize);
        write_window::<N>(at, first);
        write_window::<N>(tail, first.wrapping_add(last.wrapping_mul(STEP)));
    }
}

/// # Safety
/// `at` has N words that may be written.
#[inline]
unsafe fn write_window<const N: usize>(at: *mut u8, first: u64) {
    for lane in 0..N {
        let word = first.wrapping_add(STEP.wrapping_mul(lane as u64));
        // SAFETY: one of the N words.
        unsafe { write_word::<false>(at.add(8 * lane), word) };
    }
}

/// How many of `count` words to treat at a time.
///
/// Of a loop over single words the compiler makes one of wide instructions, where there are any. QEMU runs
/// a riscv64's fastest if there are few branches.
pub(super) const fn lanes(count: u64) -> u64 {
    if cfg!(target_arch = "riscv64") {
        count
    } else {
        1
    }
}

/// Whether a block is to be treated as aligned. A riscv64 reaches words that are not aligned byte by byte;
/// other machines need not ask.
pub(super) fn is_aligned(block: *const u8) -> bool {
    cfg!(target_arch = "riscv64") && block.addr().is_multiple_of(align_of::<u64>())
}

/// # Safety
/// The 8 bytes at `at` may be read, and if `ALIGNED`, `at` is a multiple of 8.
pub(super) unsafe fn read_word<const ALIGNED: bool>(at: *const u8) -> u64 {
    let at = at.cast::<u64>();
    // SAFETY: exactly the caller's promise.
    let word = unsafe {
        match ALIGNED {
            true => at.read(),
            false => at.read_unaligned(),
        }
    };
    u64::from_le(word)
}

/// # Safety
/// The 8 bytes at `at` may be written, and if `ALIGNED`, `at` is a multiple of 8.
pub(super) unsafe fn write_word<const ALIGNED: bool>(at: *mut u8, word: u64) {
    let (at, word) = (at.cast::<u64>(), word.to_le());
    // SAFETY: exactly the caller's promise.
    unsafe {
        match ALIGNED {
            true => at.write(word),
            false => at.write_unaligned(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Handle;

    /// Any number of words, N at a time, `start` bytes behind a multiple of 8.
    fn check<const N: usize, const ALIGNED: bool>(start: usize) {
        let pattern = Pattern::of(Handle(5));
        let mut memory = [0_u64; 40];
        for count in N as u64..30 {
            memory.fill(0xee);
            // SAFETY: at most 8 bytes and 29 words, of 40.
            let block = unsafe { memory.as_mut_ptr().cast::<u8>().add(start) };
            let word = |index: u64| block.wrapping_add(8 * index as usize).cast::<u64>();
            // SAFETY: as above; `start` is a multiple of 8 where `ALIGNED`.
            unsafe {
                let behind = word(count).read_unaligned();
                pattern.write::<N, ALIGNED>(block, pattern.word(0), count);
                for index in 0..count {
                    let found = u64::from_le(word(index).read_unaligned());
                    assert_eq!(found, pattern.word(index), "{N} {start} {count}: {index}");
                    word(index).write_unaligned((found ^ 1 << index).to_le());
                    let difference = pattern.compare::<N, ALIGNED>(block, pattern.word(0), count);
                    assert_eq!(difference, 1 << index, "{N} {start} {count}: {index}");
                    word(index).write_unaligned(found.to_le());
                }
                assert_eq!(word(count).read_unaligned(), behind, "{N} {start} {count}");
                let difference = pattern.compare::<N, ALIGNED>(block, pattern.word(0), count);
                assert_eq!(difference, 0, "{N} {start} {count}");
            }
        }
    }

    #[test]
    fn any_number_of_words_is_written_and_compared() {
        for start in 0..=8 {
            check::<1, false>(start);
            check::<2, false>(start);
            check::<4, false>(start);
            check::<8, false>(start);
        }
        for start in [0, 8] {
            check::<1, true>(start);
            check::<2, true>(start);
            check::<4, true>(start);
            check::<8, true>(start);
        }
    }
}
