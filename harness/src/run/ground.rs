//! A region for run after run, and which of its bytes may no longer be those a run starts from.
//!
//! Every run starts from the same bytes, on both sides. Filling a whole heap takes longer than a
//! short trace, so what is filled again is what the last run may have touched: each block's written
//! bytes with a margin on either side, in which lie the headers that the subject wrote.
//!
//! ```text
//! |granule|granule|granule|granule| ...      marked iff something in it may have been written
//! 0                       clean              from here on nothing was filled yet
//! ```
//!
//! That is sound for a subject whose overhead is declared, as long as its run ends well and its
//! client has not led it astray, by a write beyond a block or a misused free that was not refused.
//! After any other run, and once in `RUNS_MAX` in any case, the whole heap is filled: a stray store
//! that nothing noticed does not live long. Whatever is found is run again on a fresh heap besides.

#![allow(unsafe_code, reason = "it fills heap memory")]

use core::slice::from_raw_parts_mut;

use crate::run::pattern::Pattern;
use crate::subject::Region;

/// What a region holds before its subject is made, unless it must be zeroed: a byte that is
/// neither 0 nor a plausible header.
pub const DIRT: u8 = 0xa5;
/// Bytes of a granule: filling one costs about as much as looking for the next.
pub(crate) const GRANULE_BYTES: usize = 512;
/// Marks of the largest heap.
const WORDS: usize = crate::trace::geometry::Geometry::BYTES_MAX as usize / GRANULE_BYTES / 64;
/// How far before and behind a block its subject may write: a header, what is absorbed, and the
/// header behind that.
const MARGIN_BYTES: usize = 64;
/// Runs after which the whole heap is filled anew.
const RUNS_MAX: u32 = 64;

/// A region and its marks.
pub struct Ground {
    region: Region,
    /// What the bytes before `clean` hold where no granule is marked.
    fill: u8,
    clean: usize,
    marks: [u64; WORDS],
    /// All marks lie in as many words.
    marked_words: usize,
    runs: u32,
    /// Set iff the slack holds dirt, unless a run has strayed there.
    slack_known: bool,
    /// Set while a run is under way, and left set by one that did not end well.
    spoiled: bool,
}

impl Ground {
    /// A region of which no byte is known.
    ///
    /// # Safety
    /// The region is as [`Region`] says while this value is used.
    #[must_use]
    pub const unsafe fn new(region: Region) -> Self {
        Self {
            region,
            fill: DIRT,
            clean: 0,
            marks: [0; WORDS],
            marked_words: 0,
            runs: 0,
            slack_known: false,
            spoiled: false,
        }
    }

    /// The region.
    #[must_use]
    pub const fn region(&self) -> Region {
        self.region
    }

    /// Makes the heap another one from the same start.
    ///
    /// # Safety
    /// The region is as [`Region`] says while this value is used.
    pub unsafe fn set_region(&mut self, region: Region) {
        // What is slack now may have been another heap's.
        self.slack_known &= (region.bytes, region.slack) == (self.region.bytes, self.region.slack);
        self.region = region;
    }

    /// Gives the heap the bytes that a run starts from.
    pub(crate) fn prepare(&mut self, zeroed: bool) {
        let fill = if zeroed { 0 } else { DIRT };
        self.runs += 1;
        if fill != self.fill || self.runs > RUNS_MAX {
            (self.clean, self.fill, self.runs) = (0, fill, 0);
        }
        self.restore();
        self.spoiled = true;
    }

    /// Gives the heap the bytes of the next run, if that is of the same heap and starts from the
    /// same byte: preparing that has nothing left to do then. For whoever has time between two
    /// runs.
    ///
    /// Whatever else a subject has made of this value, nothing but the region is written.
    pub fn restore(&mut self) {
        if self.spoiled {
            (self.clean, self.runs, self.spoiled) = (0, 0, false);
        }
        let Region {
            start,
            bytes,
            slack,
            ..
        } = self.region;
        self.fill_marked();
        if self.clean < bytes {
            // SAFETY: whoever made this value vouches for the region's bytes and its slack.
            unsafe { write_bytes(start.add(self.clean), self.fill, bytes - self.clean) };
            self.clean = bytes;
            self.slack_known = false;
        }
        if !self.slack_known {
            // SAFETY: as above.
            unsafe { write_bytes(start.add(bytes), DIRT, slack) };
            self.slack_known = true;
            if self.fill != DIRT {
                self.clean = bytes;
            }
        }
    }

    /// Says that the run has ended well, so that all it has written is marked. A subject that does
    /// not say how it spends memory (`known` is false) may have written anywhere.
    pub(crate) const fn settle(&mut self, known: bool) {
        self.spoiled = !known;
    }

    /// Says that nobody knows what the heap holds.
    pub const fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// Takes note of a store at these offsets by the harness, or by the subject on its behalf.
    pub(crate) fn mark(&mut self, from: usize, to: usize) {
        let first = from.saturating_sub(MARGIN_BYTES) / GRANULE_BYTES;
        let end = to.saturating_add(MARGIN_BYTES).min(self.region.bytes);
        let last = (end.max(1) - 1) / GRANULE_BYTES;
        // Mostly one or two; a range that includes its end takes longer.
        for granule in first..last + 1 {
            self.marks[granule / 64] |= 1 << (granule % 64);
        }
        self.marked_words = self.marked_words.max(last / 64 + 1);
    }

    /// Fills the marked granules of the heap as it is now; marks behind its end stay.
    fn fill_marked(&mut self) {
        let bytes = self.region.bytes;
        let end = bytes.min(self.clean);
        let mut left = 0;
        for (word, marks) in self.marks.iter_mut().take(self.marked_words).enumerate() {
            let mut kept = 0;
            while *marks != 0 {
                let bit = marks.trailing_zeros() as usize;
                *marks &= *marks - 1;
                let from = (word * 64 + bit) * GRANULE_BYTES;
                let to = (from + GRANULE_BYTES).min(end);
                if from < to {
                    // SAFETY: whoever made this value vouches for the region, and `to` lies in it.
                    unsafe { write_bytes(self.region.start.add(from), self.fill, to - from) };
                }
                if to < from + GRANULE_BYTES && bytes < self.clean {
                    kept |= 1 << bit;
                    left = word + 1;
                }
            }
            *marks = kept;
        }
        self.marked_words = left;
    }
}

/// Writes `count` bytes alike. What a program for riscv64 is given as `memset` goes on by single
/// words, which takes QEMU three times as long as to fill in a pattern.
///
/// # Safety
/// The bytes from `at` on may be written.
unsafe fn write_bytes(at: *mut u8, byte: u8, count: usize) {
    // SAFETY: exactly the caller's promise.
    unsafe {
        match cfg!(target_arch = "riscv64") {
            true => Pattern::repeating(byte).fill(from_raw_parts_mut(at.cast(), count)),
            false => at.write_bytes(byte, count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::geometry::Growth;
    use std::vec;
    use std::vec::Vec;

    /// A ground over memory, and the memory.
    fn ground(memory: &mut Vec<u8>, bytes: usize) -> Ground {
        let region = Region {
            start: memory.as_mut_ptr(),
            bytes,
            slack: 0,
            growth: Growth::NONE,
            side: core::ptr::null_mut(),
        };
        // SAFETY: there is no subject to use side memory; the memory outlives the test's use of the
        // ground, which alone uses it.
        unsafe { Ground::new(region) }
    }

    fn store(ground: &mut Ground, at: usize, marked: bool) {
        // SAFETY: the tests store inside the region only.
        unsafe { ground.region.start.add(at).write(1) };
        if marked {
            ground.mark(at, at + 1);
        }
    }

    /// Offsets of the first `bytes` bytes that do not hold `fill`.
    fn others(ground: &Ground, bytes: usize, fill: u8) -> Vec<usize> {
        let start = ground.region.start;
        // SAFETY: the tests ask for bytes inside the region only.
        (0..bytes)
            .filter(|&at| unsafe { *start.add(at) } != fill)
            .collect()
    }

    #[test]
    fn what_was_marked_is_filled_again_and_nothing_else() {
        let mut memory = vec![0; 1 << 16];
        let mut ground = ground(&mut memory, 1 << 16);
        ground.prepare(false);
        assert_eq!(others(&ground, 1 << 16, DIRT), []);
        for at in [0, 511, 512, 40_000, (1 << 16) - 1] {
            store(&mut ground, at, true);
        }
        store(&mut ground, 20_000, false);
        ground.settle(true);
        ground.prepare(false);
        assert_eq!(others(&ground, 1 << 16, DIRT), [20_000]);
    }

    #[test]
    fn a_margin_on_either_side_is_filled_too() {
        let mut memory = vec![0; 4096];
        let mut ground = ground(&mut memory, 4096);
        ground.prepare(false);
        // A block of two granules: its headers lie in the one before and the one behind.
        ground.mark(512, 1536);
        store(&mut ground, 504, false);
        store(&mut ground, 1536, false);
        ground.settle(true);
        ground.prepare(false);
        assert_eq!(others(&ground, 4096, DIRT), []);
    }

    #[test]
    fn a_run_that_ended_badly_or_wrote_who_knows_where_costs_a_whole_fill() {
        let mut memory = vec![0; 4096];
        let mut ground = ground(&mut memory, 4096);
        ground.prepare(false);
        store(&mut ground, 9, false);
        ground.prepare(false);
        assert_eq!(others(&ground, 4096, DIRT), []);
        store(&mut ground, 9, false);
        ground.settle(false);
        ground.prepare(false);
        assert_eq!(others(&ground, 4096, DIRT), []);
    }

    #[test]
    fn a_stray_store_does_not_live_long() {
        let mut memory = vec![0; 4096];
        let mut ground = ground(&mut memory, 4096);
        ground.prepare(false);
        store(&mut ground, 9, false);
        for _ in 0..RUNS_MAX {
            ground.settle(true);
            ground.prepare(false);
        }
        assert_eq!(others(&ground, 4096, DIRT), []);
    }

    #[test]
    fn another_fill_or_length_is_filled_from_where_it_must() {
        let mut memory = vec![0; 4096];
        let mut ground = ground(&mut memory, 1024);
        ground.prepare(false);
        store(&mut ground, 700, true);
        ground.settle(true);
        let region = |bytes| Region {
            bytes,
            ..ground.region
        };
        let (short, long) = (region(192), region(4096));
        // SAFETY: the memory has 4096 bytes.
        unsafe { ground.set_region(short) };
        ground.prepare(false);
        ground.settle(true);
        assert_eq!(others(&ground, 1024, DIRT), [700]);
        // SAFETY: as above.
        unsafe { ground.set_region(long) };
        ground.prepare(false);
        ground.settle(true);
        assert_eq!(others(&ground, 4096, DIRT), []);
        ground.prepare(true);
        assert_eq!(others(&ground, 4096, 0), []);
    }

    #[test]
    fn what_was_restored_is_prepared_whatever_comes_next() {
        for spoilt in [false, true] {
            for (bytes, zeroed) in [(2048, false), (2048, true), (192, false), (4096, true)] {
                let mut memory = vec![0; 4096];
                let mut ground = ground(&mut memory, 2048);
                ground.prepare(false);
                store(&mut ground, 700, !spoilt);
                ground.settle(!spoilt);
                ground.restore();
                assert_eq!(others(&ground, 2048, DIRT), [], "{spoilt}");
                // SAFETY: the memory has 4096 bytes.
                unsafe {
                    ground.set_region(Region {
                        bytes,
                        ..ground.region
                    });
                }
                ground.prepare(zeroed);
                let fill = if zeroed { 0 } else { DIRT };
                assert_eq!(others(&ground, bytes, fill), [], "{spoilt} {bytes}");
            }
        }
    }

    #[test]
    fn a_subject_that_stored_into_the_ground_has_nothing_written_but_the_heap() {
        let mut memory = vec![1; 4096];
        let mut ground = ground(&mut memory, 1024);
        ground.region.slack = 64;
        let region = ground.region;
        ground.prepare(false);
        ground.region.bytes = usize::MAX;
        (ground.clean, ground.marked_words, ground.slack_known) = (usize::MAX, usize::MAX, false);
        ground.marks.fill(u64::MAX);
        // SAFETY: the memory has these bytes.
        unsafe { ground.set_region(region) };
        ground.settle(true);
        ground.restore();
        assert_eq!(others(&ground, 1024 + 64, DIRT), []);
        assert!(memory[1024 + 64..].iter().all(|&byte| byte == 1));
    }
}
