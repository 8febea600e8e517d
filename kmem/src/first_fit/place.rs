//! Where a new block goes: the search for a chunk, and the cutting of it.

use core::ptr::null_mut;

use super::{CHUNK_BYTES_MIN, FirstFit, PAYLOAD_BYTES_MIN};
use crate::align::PAGE_SIZE;
use crate::chunk::{Chunk, HEADER_BYTES};
use crate::defect;

impl<const DEFECT: u8> FirstFit<DEFECT> {
    pub(super) fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        let align = match DEFECT {
            defect::ALIGNMENT_IGNORED => PAYLOAD_BYTES_MIN,
            defect::ALIGN_AT_MOST_64 => align.min(64),
            _ => align,
        };
        let Some(need) = Self::chunk_bytes(size) else {
            return null_mut();
        };
        let Some((chunk, gap)) = self.find(need, align) else {
            return null_mut();
        };
        if Self::has(defect::PANIC) && chunk.size == need && self.chunks().any(|other| other.taken)
        {
            panic!("planted defect: exact fit of {need} bytes");
        }
        if gap > 0 {
            self.cut_front(chunk, gap);
        }
        let header = chunk.header.wrapping_add(gap);
        let room = match DEFECT {
            // These take chunks that are too small.
            defect::FIT_8_TOO_SMALL | defect::FRONT_GAP_NOT_COUNTED => (chunk.size - gap).max(need),
            _ => chunk.size - gap,
        };
        self.settle(header, need, room);
        header.wrapping_add(HEADER_BYTES)
    }

    pub(super) fn place_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = self.place(size, align);
        let is_aligned_more = align > PAYLOAD_BYTES_MIN;
        if block.is_null()
            || Self::has(defect::NOT_ZEROED)
            || Self::has(defect::ALIGNED_NOT_ZEROED) && is_aligned_more
        {
            return block;
        }
        // This cannot overflow, since `chunk_bytes` added more.
        let rounded = size.next_multiple_of(8);
        let left = self.tail().addr() - block.addr();
        let bytes = match DEFECT {
            defect::ZEROES_8_TOO_LITTLE => rounded.saturating_sub(8),
            defect::ZEROES_WHOLE_WORDS_ONLY => size & !7,
            defect::ZEROES_A_PAGE_AT_MOST => rounded.min(PAGE_SIZE),
            defect::HEADER_OVERWRITTEN if rounded < left => rounded + HEADER_BYTES,
            _ => rounded,
        };
        // SAFETY: the block was just handed out with at least the size rounded up to 8.
        unsafe { block.write_bytes(0, bytes) };
        block
    }

    /// The chunk for a block that needs so many bytes, and the front gap in it.
    fn find(&self, need: usize, align: usize) -> Option<(Chunk, usize)> {
        let mut fits = self.chunks().filter_map(|chunk| {
            if !self.is_large_enough(chunk, need) {
                return None;
            }
            let gap = Self::front_gap(chunk.header.addr(), align)?;
            let gap_max = match DEFECT {
                defect::FRONT_GAP_NOT_COUNTED => chunk.size,
                _ => chunk.size.saturating_sub(need),
            };
            (gap <= gap_max).then_some((chunk, gap))
        });
        match DEFECT {
            defect::LAST_FIT => fits.last(),
            defect::BEST_FIT => fits.min_by_key(|(chunk, _)| chunk.size),
            defect::HEAD_SKIPPED => fits.find(|(chunk, _)| chunk.header != self.head),
            defect::ALIGNED_TRIES_ONE_CHUNK => {
                let first = self.chunks().find(|c| self.is_large_enough(*c, need));
                fits.next().filter(|(chunk, _)| Some(*chunk) == first)
            }
            _ => fits.next(),
        }
    }

    /// Whether a chunk is free and holds a block that needs so many bytes, alignment aside.
    fn is_large_enough(&self, chunk: Chunk, need: usize) -> bool {
        let holds = match DEFECT {
            defect::EXACT_FIT_REFUSED => chunk.size > need,
            defect::FIT_8_TOO_SMALL => chunk.size + 8 >= need,
            _ => chunk.size >= need,
        };
        holds && (!chunk.taken || Self::has(defect::TAKEN_REUSED)) && self.is_inside(chunk)
    }

    /// Makes the first `gap` bytes of a free chunk a free chunk of their own.
    fn cut_front(&mut self, chunk: Chunk, gap: usize) {
        if Self::has(defect::FRONT_GAP_NOT_WRITTEN) {
            return;
        }
        if Self::has(defect::FRONT_GAP_TO_PREDECESSOR)
            && let Some(before) = self.chunks().find(|c| c.end() == chunk.header)
        {
            self.write(before.header, before.size + gap, before.taken);
            return;
        }
        self.write(chunk.header, gap, Self::has(defect::FRONT_GAP_TAKEN));
    }

    /// Makes the `room` bytes at `header` a taken chunk of `need` bytes and a free remainder, or
    /// one taken chunk if the remainder would be too small.
    pub(super) fn settle(&mut self, header: *mut u8, need: usize, room: usize) {
        let taken = !Self::has(defect::TAKEN_BIT_NOT_SET);
        if !Self::splits(room - need) {
            let size = match DEFECT {
                defect::ABSORBED_NOT_COUNTED => need,
                _ => room,
            };
            self.write(header, size, taken);
            return;
        }
        let size = match DEFECT {
            defect::OFF_BY_8_SPLIT => need - 8,
            _ => need,
        };
        let remainder = match DEFECT {
            defect::REMAINDER_8_TOO_LONG => room - size + HEADER_BYTES,
            defect::REMAINDER_8_TOO_SHORT => room - size - HEADER_BYTES,
            _ => room - size,
        };
        self.write(header, size, taken);
        if !Self::has(defect::REMAINDER_NOT_WRITTEN) {
            let taken = Self::has(defect::REMAINDER_TAKEN);
            self.write(header.wrapping_add(size), remainder, taken);
        }
    }

    /// Whether a remainder of so many bytes becomes a chunk of its own.
    pub(super) const fn splits(remainder: usize) -> bool {
        match DEFECT {
            defect::WRONG_REMAINDER_TEST => remainder > CHUNK_BYTES_MIN,
            defect::REMAINDER_OF_24_ABSORBED => remainder > CHUNK_BYTES_MIN + 8,
            defect::REMAINDER_OF_8_SPLIT => remainder >= HEADER_BYTES,
            defect::NEVER_SPLIT => false,
            _ => remainder >= CHUNK_BYTES_MIN,
        }
    }

    /// Bytes of the chunk for a request, or nothing if that overflows.
    pub(super) const fn chunk_bytes(size: usize) -> Option<usize> {
        let rounded = match DEFECT {
            defect::OVERFLOW_UNCHECKED => Some(size.wrapping_add(7) & !7),
            defect::PAYLOAD_ROUNDED_DOWN => Some(size & !7),
            defect::PAYLOAD_ROUNDED_TO_16 => size.checked_next_multiple_of(16),
            _ => size.checked_next_multiple_of(8),
        };
        let payload = match rounded {
            Some(bytes) if bytes >= PAYLOAD_BYTES_MIN => bytes,
            Some(bytes) if Self::has(defect::NO_LEAST_PAYLOAD) => bytes,
            Some(_) => PAYLOAD_BYTES_MIN,
            None => return None,
        };
        match DEFECT {
            defect::OVERFLOW_UNCHECKED => Some(payload.wrapping_add(HEADER_BYTES)),
            defect::HEADER_NOT_COUNTED => Some(payload),
            _ => payload.checked_add(HEADER_BYTES),
        }
    }

    /// Bytes from a free chunk at address `chunk` to the lowest header in it whose payload is
    /// aligned and which leaves room for a whole chunk, or nothing, in front of it.
    fn front_gap(chunk: usize, align: usize) -> Option<usize> {
        if align <= PAYLOAD_BYTES_MIN {
            return Some(0);
        }
        let payload = match DEFECT {
            defect::HEADER_ALIGNED => chunk,
            _ => chunk + HEADER_BYTES,
        };
        let aligned = payload.checked_add(align - 1)? & !(align - 1);
        let gap = aligned - payload;
        let is_allowed = match DEFECT {
            defect::FRONT_GAP_OF_8 => true,
            defect::FRONT_GAP_OF_16_REFUSED => gap == 0 || gap > CHUNK_BYTES_MIN,
            defect::ALIGNED_PLACE_REFUSED => gap >= CHUNK_BYTES_MIN,
            _ => gap == 0 || gap >= CHUNK_BYTES_MIN,
        };
        if is_allowed {
            Some(gap)
        } else {
            gap.checked_add(align)
        }
    }
}
