//! Where a request must fit, for a subject that declares its overhead.
//!
//! ```text
//! area start            a live block's chunk                      area end
//! |        gap         | header | payload | rounding | absorbed? |   gap   |
//! ```
//!
//! Of a heap that grows, all pages that it may take are part of the area; those of other owners are
//! not, and end a gap.
//!
//! The bytes between two live blocks' chunks must be free, but for what the block before them may
//! have absorbed. How much that is cannot be seen from outside, so a request *must* fit only if it
//! fits for every amount allowed. This errs on the subject's side alone: that it says nothing
//! proves nothing.

use std::iter::once;
use std::ops::Range;

use harness::declaration::Overhead;
use harness::geometry::{Geometry, PAGE_BYTES};

use crate::oracle::model::area::area;
use crate::oracle::model::contract::Block;

/// How to look for gaps in one heap.
#[derive(Clone, Debug)]
pub struct Gaps {
    overhead: Overhead,
    area: Range<u64>,
    /// Pages of other owners: their first bytes.
    others: Vec<u64>,
}

impl Gaps {
    /// For a heap.
    #[must_use]
    pub fn new(overhead: Overhead, geometry: Geometry) -> Self {
        Self {
            overhead,
            area: area(overhead.reserved, geometry.bytes()),
            others: geometry.growth().others(geometry.bytes()).collect(),
        }
    }

    /// The offset of a block that must be possible beside the live ones; `None` if null is right.
    #[must_use]
    pub fn fit(&self, live: &[Block], size: u64, align: u64) -> Option<u64> {
        let need = self
            .chunk(size)
            .filter(|&need| need <= self.area.end - self.area.start)?;
        let absorb = self.overhead.absorb_max;
        let blocks = live.iter().map(|block| self.extent(block));
        let blocks = blocks.map(|(start, end)| (start, end, absorb));
        let others = self.others.iter().map(|&page| (page, page + PAGE_BYTES, 0));
        let mut taken: Vec<_> = blocks.chain(others).collect();
        taken.sort_unstable();
        let (mut gap_start, mut absorb_max) = (self.area.start, 0);
        for (start, end, absorb) in taken
            .into_iter()
            .chain(once((self.area.end, self.area.end, 0)))
        {
            let fit = self.fit_between(gap_start, start, absorb_max, need, align);
            if fit.is_some() {
                return fit;
            }
            gap_start = gap_start.max(end);
            absorb_max = absorb;
        }
        None
    }

    /// Where the block lies if most was absorbed, unless some absorbed amount leaves no place.
    fn fit_between(
        &self,
        from: u64,
        to: u64,
        absorb_max: u64,
        need: u64,
        align: u64,
    ) -> Option<u64> {
        let mut fit = None;
        let mut absorbed = 0;
        while absorbed <= absorb_max {
            fit = Some(self.lowest(from + absorbed, to, need, align)?);
            absorbed += self.overhead.granularity;
        }
        fit
    }

    /// The lowest aligned payload in a free chunk, with a front remainder of 0 or a whole chunk.
    fn lowest(&self, from: u64, to: u64, need: u64, align: u64) -> Option<u64> {
        let Overhead {
            header,
            granularity,
            chunk_min,
            ..
        } = self.overhead;
        let mut payload = (from + header).checked_next_multiple_of(align)?;
        loop {
            let chunk = payload - header;
            if chunk.checked_add(need)? > to {
                return None;
            }
            let front = chunk - from;
            if front == 0 || (front >= chunk_min && front.is_multiple_of(granularity)) {
                return Some(payload);
            }
            payload = payload.checked_add(align)?;
        }
    }

    /// Bytes of the chunk for a request; `None` if there is no such number.
    fn chunk(&self, size: u64) -> Option<u64> {
        let Overhead {
            header,
            granularity,
            chunk_min,
            ..
        } = self.overhead;
        let payload = size.checked_next_multiple_of(granularity)?;
        payload
            .max(chunk_min.saturating_sub(header))
            .checked_add(header)
    }

    /// The chunk of a live block, without what it may have absorbed.
    fn extent(&self, block: &Block) -> (u64, u64) {
        let start = block.offset.saturating_sub(self.overhead.header);
        let length = self.chunk(block.size).unwrap_or(block.size);
        (start, start.saturating_add(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::declaration::Reserved;
    use harness::geometry::Growth;
    use harness::op::Handle;

    /// As `kmem` declares it, in a heap of 160 bytes.
    fn heap() -> Gaps {
        let overhead = Overhead {
            header: 8,
            granularity: 8,
            chunk_min: 16,
            absorb_max: 8,
            reserved: Reserved::Nothing,
        };
        Gaps::new(overhead, Geometry::from_bytes(160).unwrap())
    }

    fn blocks(placed: &[(u64, u64)]) -> Vec<Block> {
        let block = |(index, &(offset, size))| Block {
            handle: Handle(index),
            offset,
            size,
            align: 8,
        };
        (0..).zip(placed).map(block).collect()
    }

    #[test]
    fn an_empty_heap_holds_all_but_a_header() {
        assert_eq!(heap().fit(&[], 152, 8), Some(8));
        assert_eq!(heap().fit(&[], 153, 8), None);
        assert_eq!(heap().fit(&[], u64::MAX, 8), None);
        assert_eq!(heap().fit(&[], u64::MAX - 15, 8), None);
    }

    #[test]
    fn what_a_block_may_have_absorbed_is_set_aside() {
        // A chunk of 32, then 128 bytes: 120 of payload, unless 8 were absorbed.
        let first = blocks(&[(8, 24)]);
        assert_eq!(heap().fit(&first, 112, 8), Some(48));
        assert_eq!(heap().fit(&first, 113, 8), None);
        // Nothing precedes the gap at the heap's start, so nothing absorbed any of it.
        let second = blocks(&[(40, 112)]);
        assert_eq!(heap().fit(&second, 24, 8), Some(8));
        assert_eq!(heap().fit(&second, 25, 8), None);
    }

    #[test]
    fn the_smallest_payloads_occupy_a_whole_chunk() {
        let full = blocks(&[(8, 0), (24, 1), (40, 104)]);
        assert_eq!(heap().fit(&full, 0, 8), None);
        let gap_of_24 = blocks(&[(8, 8), (48, 104)]);
        assert_eq!(heap().fit(&gap_of_24, 8, 8), Some(32));
        let gap_of_16 = blocks(&[(8, 8), (40, 112)]);
        assert_eq!(heap().fit(&gap_of_16, 8, 8), None);
    }

    #[test]
    fn an_aligned_payload_leaves_no_front_remainder_or_a_chunk() {
        // From 0, a payload at 16 would leave 8 bytes in front, so it must be at 32.
        assert_eq!(heap().fit(&[], 128, 16), Some(32));
        assert_eq!(heap().fit(&[], 129, 16), None);
        // From 24 the payload at 32 leaves nothing, but from 32 the next is at 64.
        let first = blocks(&[(8, 16)]);
        assert_eq!(heap().fit(&first, 96, 32), Some(64));
        assert_eq!(heap().fit(&first, 97, 32), None);
        assert_eq!(heap().fit(&first, 8, 1 << 63), None);
    }

    #[test]
    fn every_amount_that_may_be_absorbed_must_leave_room() {
        // Payloads aligned to 32 in the 40 bytes behind a chunk of 16: from 16 none fits (32 would
        // leave 8 in front), although from 24 one does.
        let walls = blocks(&[(8, 8), (64, 88)]);
        assert_eq!(heap().fit(&walls, 16, 32), None);
        assert_eq!(heap().fit(&walls, 16, 8), Some(32));
    }

    #[test]
    fn pages_to_be_had_are_room_and_pages_of_others_are_not() {
        let growth = Growth::new(4, Some(3)).unwrap();
        let geometry = Geometry::from_pages(1).unwrap().growing(growth).unwrap();
        let heap = Gaps::new(heap().overhead, geometry);
        // Three pages up to the other owner's, and one behind it.
        assert_eq!(heap.fit(&[], 3 * PAGE_BYTES - 8, 8), Some(8));
        assert_eq!(heap.fit(&[], 3 * PAGE_BYTES - 7, 8), None);
        let low = blocks(&[(8, 3 * PAGE_BYTES - 8)]);
        let behind = 4 * PAGE_BYTES + 8;
        assert_eq!(heap.fit(&low, PAGE_BYTES - 8, 8), Some(behind));
        assert_eq!(heap.fit(&low, PAGE_BYTES - 7, 8), None);
    }

    #[test]
    fn pages_have_no_header_and_absorb_nothing() {
        let overhead = Overhead {
            header: 0,
            granularity: PAGE_BYTES,
            chunk_min: PAGE_BYTES,
            absorb_max: 0,
            reserved: Reserved::PageDescriptors,
        };
        let heap = Gaps::new(overhead, Geometry::from_pages(4).unwrap());
        assert_eq!(heap.fit(&[], 3 * PAGE_BYTES, 8), Some(PAGE_BYTES));
        assert_eq!(heap.fit(&[], 3 * PAGE_BYTES + 1, 8), None);
        let first = blocks(&[(PAGE_BYTES, 1)]);
        assert_eq!(heap.fit(&first, 2 * PAGE_BYTES, 4096), Some(2 * PAGE_BYTES));
    }
}
