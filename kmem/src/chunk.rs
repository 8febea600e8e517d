//! The memory format both heaps share: the header word, and the walk over a heap's chunks.
//!
//! The walk is for looking at a heap that may be damaged: it is bounded and stays inside the heap
//! whatever the headers say. It judges nothing; whoever reads it sees a broken heap by a last
//! chunk that does not end at the tail.

#![allow(unsafe_code, reason = "it reads headers in the memory of a heap")]

use core::fmt;
use core::marker::PhantomData;

/// Bytes of a chunk's header; also the granularity of chunk sizes.
pub const HEADER_BYTES: usize = 8;

const TAKEN: usize = 1 << 63;
const _: () = assert!(size_of::<Header>() == HEADER_BYTES);

/// One header word: bit 63 says taken, the other bits are the chunk's size in bytes, header
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Header(usize);

impl Header {
    /// A header of these two fields; bit 63 of `size` is dropped.
    #[inline]
    pub const fn new(size: usize, taken: bool) -> Self {
        Self((size & !TAKEN) | if taken { TAKEN } else { 0 })
    }

    /// Decodes a word as it is found in memory; every word is a header.
    #[inline]
    pub const fn from_bits(bits: usize) -> Self {
        Self(bits)
    }

    /// The word as it is stored.
    #[inline]
    pub const fn bits(self) -> usize {
        self.0
    }

    /// The chunk's size in bytes, header included.
    #[inline]
    pub const fn size(self) -> usize {
        self.0 & !TAKEN
    }

    /// Whether the chunk is handed out.
    #[inline]
    pub const fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    /// Reads the header at `at`, which need not be aligned.
    ///
    /// # Safety
    ///
    /// 8 bytes at `at` are readable.
    #[inline]
    pub(crate) unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for the 8 bytes; the read asks for no alignment.
        Self(unsafe { at.cast::<usize>().read_unaligned() })
    }

    /// Writes the header at `at`, which need not be aligned.
    ///
    /// # Safety
    ///
    /// 8 bytes at `at` are writable, and nobody else uses them.
    #[inline]
    pub(crate) unsafe fn store(self, at: *mut u8) {
        // SAFETY: the caller vouches for the 8 bytes; the write asks for no alignment.
        unsafe { at.cast::<usize>().write_unaligned(self.0) };
    }
}

/// One chunk as its header describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Address of the header, with the provenance of the heap's region.
    pub header: *mut u8,
    /// Bytes, header included, as read.
    pub size: usize,
    /// Whether the chunk is handed out.
    pub taken: bool,
}

impl Chunk {
    /// What an allocation of this chunk hands out.
    #[inline]
    pub fn payload(&self) -> *mut u8 {
        self.header.wrapping_add(HEADER_BYTES)
    }

    /// The address just past the chunk, which is the next header's or the tail.
    #[inline]
    pub fn end(&self) -> *mut u8 {
        self.header.wrapping_add(self.size)
    }
}

impl fmt::Display for Chunk {
    /// The chunk's line of the table, without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            header,
            size,
            taken,
        } = *self;
        write!(f, "{header:p}: Length = {size:<10} Taken = {taken}")
    }
}

/// The chunks of a heap from head to tail.
///
/// Reads only headers that lie wholly inside the heap. A chunk after which the walk cannot go on
/// is yielded once, as it was read, and is the last: one of size 0, one that overruns the tail,
/// and one whose header would not lie wholly inside (it cannot be read: size 0, not taken).
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    at: *mut u8,
    /// Bytes from `at` to the tail; 0 once the walk is over.
    left: usize,
    /// Bits of a header that say nothing of its chunk.
    ignored: usize,
    heap: PhantomData<&'a ()>,
}

impl Chunks<'_> {
    /// A walk over the `bytes` bytes from `head`, in whose headers the bits `ignored` do not count.
    ///
    /// # Safety
    ///
    /// The bytes are readable, and not written by another thread, for the lifetime.
    #[inline]
    pub(crate) unsafe fn new(head: *mut u8, bytes: usize, ignored: usize) -> Self {
        Self {
            at: head,
            left: bytes,
            ignored,
            heap: PhantomData,
        }
    }
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    #[inline]
    fn next(&mut self) -> Option<Chunk> {
        if self.left == 0 {
            return None;
        }
        let header = self.at;
        if self.left < HEADER_BYTES {
            self.left = 0;
            return Some(Chunk {
                header,
                size: 0,
                taken: false,
            });
        }
        // SAFETY: `left` >= 8 bytes from `at` lie in the region that `new` was given.
        let word = unsafe { Header::load(header) };
        let word = Header::from_bits(word.bits() & !self.ignored);
        let chunk = Chunk {
            header,
            size: word.size(),
            taken: word.is_taken(),
        };
        if chunk.size == 0 || chunk.size > self.left {
            self.left = 0;
        } else {
            self.at = chunk.end();
            self.left -= chunk.size;
        }
        Some(chunk)
    }
}

/// Writes one line a chunk.
pub(crate) fn print_chunks(chunks: Chunks<'_>, out: &mut dyn fmt::Write) -> fmt::Result {
    for chunk in chunks {
        writeln!(out, "{chunk}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The (size, taken) of a walk over `words`, whose last `cut` bytes do not belong to the heap.
    fn walk(words: &mut [usize], cut: usize) -> Vec<(usize, bool)> {
        let bytes = size_of_val(words) - cut;
        // SAFETY: the words are borrowed for the whole walk.
        let chunks = unsafe { Chunks::new(words.as_mut_ptr().cast(), bytes, 0) };
        chunks.map(|chunk| (chunk.size, chunk.taken)).collect()
    }

    #[test]
    fn header_round_trips() {
        for (size, taken) in [
            (0, false),
            (16, true),
            (TAKEN - 1, false),
            (TAKEN - 8, true),
        ] {
            let header = Header::from_bits(Header::new(size, taken).bits());
            assert_eq!((header.size(), header.is_taken()), (size, taken));
        }
        assert_eq!(Header::new(24, true).bits(), 0x8000_0000_0000_0018);
        assert_eq!(Header::new(usize::MAX, false).size(), TAKEN - 1);
    }

    #[test]
    fn walks_from_head_to_tail() {
        let mut words = [TAKEN | 16, 0, 24, 0, 0];
        assert_eq!(walk(&mut words, 0), [(16, true), (24, false)]);
        assert_eq!(walk(&mut [], 0), []);
    }

    #[test]
    fn yields_a_chunk_of_size_zero_once() {
        assert_eq!(walk(&mut [16, 0, TAKEN, 0], 0), [(16, false), (0, true)]);
    }

    #[test]
    fn yields_a_chunk_that_overruns_the_tail_once() {
        assert_eq!(walk(&mut [16, 0, 24, 0], 0), [(16, false), (24, false)]);
        assert_eq!(walk(&mut [usize::MAX, 0], 0), [(TAKEN - 1, true)]);
    }

    #[test]
    fn never_reads_a_header_that_is_not_wholly_inside() {
        assert_eq!(walk(&mut [16, 0, 8], 4), [(16, false), (0, false)]);
        assert_eq!(walk(&mut [9, 0], 0), [(9, false), (0, false)]);
    }

    #[test]
    fn odd_sizes_end_all_the_same() {
        let mut ones = [0x0101_0101_0101_0101, 0];
        assert_eq!(walk(&mut ones, 0).len(), 1);
        assert!(walk(&mut [1, 0, 0, 0], 0).len() <= 32);
    }
}
