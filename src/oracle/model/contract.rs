//! Which blocks a client holds: the contract of every allocator, whatever its policy.
//!
//! It follows what was *observed*, so it stays true for an allocator of any placement. It knows no
//! chunks, headers or overhead. A block is live from the op that placed it inside the heap to the
//! op that freed it; every alloc uses up a handle, whether or not it got a block.

use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::{Align, Handle, Op};
use std::fmt::Debug;
use std::ops::Range;

use crate::oracle::model::by_address::ByAddress;

/// A live block. Offsets and sizes are in bytes, from the heap's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its name.
    pub handle: Handle,
    /// Its first byte.
    pub offset: u64,
    /// As it was asked for.
    pub size: u64,
    /// As it was asked for; 8 where nothing was said.
    pub align: u64,
}

/// What an alloc or realloc asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the block that is to be.
    pub handle: Handle,
    /// In bytes.
    pub size: u64,
    /// In bytes.
    pub align: u64,
    /// The block that a realloc resizes.
    pub old: Option<Block>,
}

/// Where a contract keeps the live blocks. None of them share a byte while the contract is judged.
pub trait Blocks: Clone + Debug + Default {
    /// All, lowest handle first.
    fn all(&self) -> impl Iterator<Item = Block>;

    /// Whether there are none.
    fn is_empty(&self) -> bool;

    /// The one of this name.
    fn get(&self, handle: Handle) -> Option<Block>;

    /// The lowest handle among the others with which this one would share a byte. Asked only while
    /// no two share one.
    fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block>;

    /// Adds one, in the place of the one of the same name.
    fn insert(&mut self, block: Block);

    /// Removes the one of this name, if there is one.
    fn remove(&mut self, handle: Handle);

    /// Removes all.
    fn clear(&mut self);
}

/// The live blocks of one heap.
#[derive(Debug)]
pub struct Contract<B = ByAddress> {
    geometry: Geometry,
    live: B,
    issued: u32,
    /// What the client wrote into its blocks itself, in bytes from each block's start. Forgotten
    /// when a block is resized: the harness then fills it anew.
    writes: Vec<(Handle, Range<u64>)>,
}

clone_in_place!(Contract<B> { geometry, live, issued, writes } where B: Blocks);

impl Contract {
    /// An empty heap.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        Self::fresh(geometry)
    }
}

impl<B: Blocks> Contract<B> {
    /// An empty heap.
    #[must_use]
    pub fn fresh(geometry: Geometry) -> Self {
        Self {
            geometry,
            live: B::default(),
            issued: 0,
            writes: Vec::new(),
        }
    }

    /// Starts again with another empty heap.
    pub fn reset(&mut self, geometry: Geometry) {
        self.geometry = geometry;
        self.live.clear();
        self.issued = 0;
        self.writes.clear();
    }

    /// The live blocks, lowest handle first.
    pub fn live(&self) -> impl Iterator<Item = Block> {
        self.live.all()
    }

    /// Whether no block is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The live block of this name.
    #[must_use]
    pub fn block(&self, handle: Handle) -> Option<Block> {
        self.live.get(handle)
    }

    /// The live block that the op names.
    #[must_use]
    pub fn named(&self, op: &Op) -> Option<Block> {
        self.block(op.handle()?)
    }

    /// What the op, which names this block, asks for; `None` if it asks for nothing, or to resize
    /// a block that is not live.
    #[must_use]
    pub fn request(&self, op: &Op, named: Option<Block>) -> Option<Request> {
        match *op {
            Op::Alloc { size, align, .. } => Some(Request {
                handle: Handle(self.issued),
                size,
                align: align.unwrap_or(Align::DEFAULT).bytes(),
                old: None,
            }),
            Op::Realloc { handle, size } => named.map(|old| Request {
                handle,
                size,
                align: old.align,
                old: Some(old),
            }),
            _ => None,
        }
    }

    /// Whether a block lies inside the heap.
    #[must_use]
    pub fn holds(&self, offset: i64, size: u64) -> bool {
        u64::try_from(offset).is_ok_and(|offset| self.geometry.holds(offset, size))
    }

    /// The lowest handle among the other live blocks with which this one would share a byte.
    #[must_use]
    pub fn overlapped(&mut self, handle: Handle, offset: u64, size: u64) -> Option<Block> {
        self.live.overlapped(handle, offset, size)
    }

    /// Whether the client itself wrote this byte of its block since it got it.
    #[must_use]
    pub fn wrote(&self, handle: Handle, byte: u64) -> bool {
        self.writes
            .iter()
            .any(|(of, bytes)| *of == handle && bytes.contains(&byte))
    }

    /// Takes note of an op and its answer.
    pub fn apply(&mut self, op: &Op, outcome: Outcome) {
        match (*op, outcome) {
            (Op::Alloc { size, align, .. }, Outcome::Placed(offset)) => {
                let align = align.unwrap_or(Align::DEFAULT).bytes();
                self.place(Handle(self.issued), size, align, offset);
            }
            (Op::Realloc { handle, size }, Outcome::Placed(offset)) => {
                if let Some(old) = self.block(handle) {
                    self.place(handle, size, old.align, offset);
                }
            }
            (Op::Free { handle }, Outcome::Done | Outcome::Refused) => self.live.remove(handle),
            (Op::FreeAll, Outcome::Done | Outcome::Refused) => self.live.clear(),
            (
                Op::Write {
                    handle,
                    offset,
                    length,
                },
                Outcome::Done,
            ) => {
                self.writes
                    .push((handle, offset..offset.saturating_add(length.into())));
            }
            _ => {}
        }
        self.issued += u32::from(matches!(op, Op::Alloc { .. }));
    }

    fn place(&mut self, handle: Handle, size: u64, align: u64, offset: i64) {
        self.writes.retain(|(of, _)| *of != handle);
        if self.holds(offset, size) {
            self.live.insert(Block {
                handle,
                offset: offset.cast_unsigned(),
                size,
                align,
            });
        } else {
            self.live.remove(handle);
        }
    }
}

/// Whether the op, which names this live block, frees what is none of its client's.
#[must_use]
pub const fn is_misuse(op: &Op, named: Option<&Block>) -> bool {
    match op {
        Op::Free { .. } => named.is_none(),
        Op::FreeInterior { .. } | Op::FreeWild { .. } => true,
        _ => false,
    }
}

/// Whether the op, which names this live block, writes beyond its size.
#[must_use]
pub fn writes_beyond(op: &Op, named: Option<&Block>) -> bool {
    let Op::Write { offset, length, .. } = *op else {
        return false;
    };
    let size = named.map_or(0, |block| block.size);
    let end = offset.checked_add(length.into());
    length > 0 && end.is_none_or(|end| end > size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOC: Op = Op::Alloc {
        size: 24,
        align: None,
        zeroed: false,
    };
    const A0: Handle = Handle(0);
    const A1: Handle = Handle(1);

    fn contract(steps: &[(Op, Outcome)]) -> Contract {
        let mut contract = Contract::new(Geometry::from_bytes(192).unwrap());
        steps
            .iter()
            .for_each(|(op, outcome)| contract.apply(op, *outcome));
        contract
    }

    fn live(contract: &Contract) -> Vec<Block> {
        contract.live().collect()
    }

    #[test]
    fn every_alloc_uses_up_a_handle() {
        let got = contract(&[
            (ALLOC, Outcome::Null),
            (ALLOC, Outcome::NotExpressible),
            (ALLOC, Outcome::Placed(8)),
        ]);
        assert_eq!(
            live(&got),
            [Block {
                handle: Handle(2),
                offset: 8,
                size: 24,
                align: 8
            }]
        );
        assert_eq!(
            got.request(&ALLOC, None).map(|request| request.handle),
            Some(Handle(3))
        );
    }

    #[test]
    fn a_block_outside_the_heap_is_not_live() {
        for offset in [-8, 176, 1 << 40] {
            assert!(contract(&[(ALLOC, Outcome::Placed(offset))]).is_empty());
        }
        assert!(!contract(&[(ALLOC, Outcome::Placed(168))]).is_empty());
    }

    #[test]
    fn a_failed_realloc_keeps_the_block_and_a_granted_one_its_handle() {
        let realloc = Op::Realloc {
            handle: A0,
            size: 40,
        };
        let allocs = [(ALLOC, Outcome::Placed(8)), (ALLOC, Outcome::Placed(40))];
        let mut kept = contract(&allocs);
        kept.apply(&realloc, Outcome::Null);
        assert_eq!(
            kept.block(A0).map(|block| (block.offset, block.size)),
            Some((8, 24))
        );
        kept.apply(&realloc, Outcome::Placed(80));
        assert_eq!(
            kept.block(A0).map(|block| (block.offset, block.size)),
            Some((80, 40))
        );
        assert!(live(&kept).is_sorted_by_key(|block| block.handle));
    }

    #[test]
    fn freed_blocks_are_dead() {
        let mut left = contract(&[(ALLOC, Outcome::Placed(8)), (ALLOC, Outcome::Placed(40))]);
        let free = Op::Free { handle: A0 };
        let is_misuse = |left: &Contract| is_misuse(&free, left.named(&free).as_ref());
        assert!(!is_misuse(&left));
        left.apply(&free, Outcome::Done);
        assert!(is_misuse(&left));
        assert!(left.block(A1).is_some());
        left.apply(&Op::FreeAll, Outcome::Done);
        assert!(left.is_empty());
    }

    #[test]
    fn blocks_overlap_only_where_they_share_a_byte() {
        let mut held = contract(&[(ALLOC, Outcome::Placed(8))]);
        for (offset, size, shares) in [
            (0, 8, false),
            (0, 9, true),
            (31, 1, true),
            (32, 8, false),
            (16, 0, false),
        ] {
            assert_eq!(
                held.overlapped(A1, offset, size).is_some(),
                shares,
                "{offset} {size}"
            );
        }
        assert_eq!(held.overlapped(A0, 8, 24), None);
        let empty = Op::Alloc {
            size: 0,
            align: None,
            zeroed: false,
        };
        let mut empty = contract(&[(empty, Outcome::Placed(8))]);
        assert_eq!(empty.overlapped(A1, 0, 24), None);
    }

    #[test]
    fn a_write_is_told_from_one_beyond_the_block() {
        let mut held = contract(&[(ALLOC, Outcome::Placed(8))]);
        let write = |offset, length| Op::Write {
            handle: A0,
            offset,
            length,
        };
        let named = held.block(A0);
        let beyond = |offset, length| writes_beyond(&write(offset, length), named.as_ref());
        assert!(!beyond(16, 8));
        assert!(beyond(17, 8));
        assert!(!beyond(25, 0));
        assert!(beyond(u64::MAX, 8));
        held.apply(&write(4, 2), Outcome::Done);
        assert_eq!(
            [3, 4, 5, 6].map(|byte| held.wrote(A0, byte)),
            [false, true, true, false]
        );
        held.apply(
            &Op::Realloc {
                handle: A0,
                size: 40,
            },
            Outcome::Placed(8),
        );
        assert!(!held.wrote(A0, 4));
    }
}
