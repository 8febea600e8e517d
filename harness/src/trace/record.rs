//! Fixed-size binary records: one for an op, one for an observation.
//!
//! Both sides of the mailbox and the byte form of traces use these, so there is one encoding of
//! each. An op's record is exact; every value of its 16 bytes decodes to some op.

use crate::observation::{Contents, Observation, Outcome, WalkDigest};
use crate::trace::op::{Align, Handle, Op};

/// Bytes of an op's record: kind, alignment (0: none, else exponent + 1), length (2, of a write),
/// handle (4), size or offset (8); little-endian.
pub const OP_BYTES: usize = 16;

/// How many kinds of op there are.
const KINDS: u8 = 12;

/// The record of an op.
#[must_use]
pub fn encode_op(op: &Op) -> [u8; OP_BYTES] {
    let (kind, align, length, handle, size) = match *op {
        Op::Alloc {
            size,
            align,
            zeroed,
        } => (
            u8::from(zeroed),
            align.map_or(0, |align| align.exponent() + 1),
            0,
            0,
            size,
        ),
        Op::Realloc { handle, size } => (2, 0, 0, handle.0, size),
        Op::Free { handle } => (3, 0, 0, handle.0, 0),
        Op::FreeAll => (4, 0, 0, 0, 0),
        Op::Table => (5, 0, 0, 0, 0),
        Op::Capacity => (6, 0, 0, 0, 0),
        Op::FreeInterior { handle, offset } => (7, 0, 0, handle.0, offset),
        Op::FreeWild { offset } => (8, 0, 0, 0, offset),
        Op::FreeNull => (9, 0, 0, 0, 0),
        Op::Write {
            handle,
            offset,
            length,
        } => (10, 0, length, handle.0, offset),
    };
    let mut record = [0; OP_BYTES];
    record[0] = kind;
    record[1] = align;
    record[2..4].copy_from_slice(&u16::to_le_bytes(length));
    record[4..8].copy_from_slice(&u32::to_le_bytes(handle));
    record[8..].copy_from_slice(&size.to_le_bytes());
    record
}

/// The op of a record. Total: a kind too large is taken modulo their number (the one that is
/// left over is a `free`, the op a mutator can never have too many of), an alignment too large
/// modulo the exponents.
#[must_use]
pub fn decode_op(record: &[u8; OP_BYTES]) -> Op {
    let [kind, align, l0, l1, h0, h1, h2, h3, size @ ..] = *record;
    let size = u64::from_le_bytes(size);
    let handle = Handle(u32::from_le_bytes([h0, h1, h2, h3]));
    let align = align
        .checked_sub(1)
        .and_then(|e| Align::from_exponent(e % (Align::EXPONENT_MAX + 1)));
    // One after the other, for the guest's sake (see `tag`).
    let kind = kind % KINDS;
    if kind <= 1 {
        let zeroed = kind == 1;
        return Op::Alloc {
            size,
            align,
            zeroed,
        };
    }
    if kind == 3 {
        return Op::Free { handle };
    }
    if kind == 2 {
        return Op::Realloc { handle, size };
    }
    decode_seldom(kind, handle, size, u16::from_le_bytes([l0, l1]))
}

/// [`decode_op`] for the kinds of which there are few.
#[inline(never)]
fn decode_seldom(kind: u8, handle: Handle, size: u64, length: u16) -> Op {
    match kind {
        4 => Op::FreeAll,
        5 => Op::Table,
        6 => Op::Capacity,
        7 => Op::FreeInterior {
            handle,
            offset: size.max(1),
        },
        8 => Op::FreeWild { offset: size },
        9 => Op::FreeNull,
        10 => Op::Write {
            handle,
            offset: size,
            length,
        },
        _ => Op::Free { handle },
    }
}

/// Words of an observation's record.
pub const OBSERVATION_WORDS: usize = 12;

/// An outcome's first word. Numbers alone, so that the guest needs no jump table, which costs QEMU more than
/// some branches.
const fn tag(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Placed(_) => 1,
        Outcome::Null => 2,
        Outcome::Done => 3,
        Outcome::Refused => 4,
        Outcome::Capacity(_) => 5,
        Outcome::NotExpressible => 6,
        Outcome::NoBlock => 7,
    }
}

/// The record of an observation. Optional numbers are stored plus one, 0 meaning none.
#[must_use]
#[inline]
pub fn encode_observation(observation: &Observation) -> [u64; OBSERVATION_WORDS] {
    let Observation {
        outcome,
        contents,
        walk,
        table_line_wrong,
    } = *observation;
    let value = match outcome {
        Outcome::Placed(offset) => offset as u64,
        Outcome::Capacity(bytes) => bytes,
        _ => 0,
    };
    let (handle, byte) = contents
        .corrupted
        .map_or((0, 0), |(h, byte)| (u64::from(h.0) + 1, byte));
    let some = |number: Option<u64>| number.map_or(0, |number| number + 1);
    let walked = walk.map_or(0, |walk| u64::from(walk.chunks) + 1);
    [
        tag(&outcome),
        value,
        handle,
        byte,
        some(contents.not_zeroed),
        some(contents.realloc_lost),
        some(contents.stray_store),
        walked,
        some(walk.and_then(|walk| walk.broken_at)),
        some(walk.and_then(|walk| walk.unmerged_at)),
        walk.map_or(0, |walk| walk.hash),
        some(table_line_wrong.map(u64::from)),
    ]
}

/// The observation of a record; `None` if it is none, as in memory that was never written or that
/// a guest has overwritten.
#[must_use]
pub fn decode_observation(words: &[u64; OBSERVATION_WORDS]) -> Option<Observation> {
    let [
        tag,
        value,
        handle,
        byte,
        zero,
        realloc,
        stray,
        walked,
        broken,
        unmerged,
        hash,
        line,
    ] = *words;
    let outcome = match tag {
        1 => Outcome::Placed(value as i64),
        2 => Outcome::Null,
        3 => Outcome::Done,
        4 => Outcome::Refused,
        5 => Outcome::Capacity(value),
        6 => Outcome::NotExpressible,
        7 => Outcome::NoBlock,
        _ => return None,
    };
    let narrow = |number: Option<u64>| number.map(u32::try_from).transpose().ok();
    let some = |number: u64| number.checked_sub(1);
    let contents = Contents {
        corrupted: narrow(some(handle))?.map(|handle| (Handle(handle), byte)),
        not_zeroed: some(zero),
        realloc_lost: some(realloc),
        stray_store: some(stray),
    };
    let walk = narrow(some(walked))?.map(|chunks| WalkDigest {
        broken_at: some(broken),
        unmerged_at: some(unmerged),
        chunks,
        hash,
    });
    Some(Observation {
        outcome,
        contents,
        walk,
        table_line_wrong: narrow(some(line))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_op_decodes_to_itself() {
        let (handle, size) = (Handle(7), u64::MAX - 3);
        let align = Align::from_bytes(4096);
        for op in [
            Op::Alloc {
                size,
                align,
                zeroed: false,
            },
            Op::Alloc {
                size: 0,
                align: None,
                zeroed: true,
            },
            Op::Alloc {
                size: 1,
                align: Align::from_exponent(63),
                zeroed: true,
            },
            Op::Realloc { handle, size },
            Op::Free { handle },
            Op::FreeAll,
            Op::Table,
            Op::Capacity,
            Op::FreeInterior { handle, offset: 16 },
            Op::FreeWild { offset: 0x1238 },
            Op::FreeNull,
            Op::Write {
                handle,
                offset: 100,
                length: 8,
            },
        ] {
            assert_eq!(decode_op(&encode_op(&op)), op);
        }
    }

    #[test]
    fn every_record_decodes() {
        for first in 0..=u8::MAX {
            let record = [first; OP_BYTES];
            let op = decode_op(&record);
            assert_eq!(decode_op(&encode_op(&op)), op);
            // What is left over is a `free`, and beyond that all comes again.
            let like = |kind| {
                let mut record = record;
                record[0] = kind;
                decode_op(&record)
            };
            assert_eq!(like(first % KINDS), op);
            assert_eq!(like(11), like(3));
        }
        assert!(matches!(decode_op(&[3; OP_BYTES]), Op::Free { .. }));
    }

    #[test]
    fn an_observation_decodes_to_itself_and_garbage_to_none() {
        let contents = Contents {
            corrupted: Some((Handle(0), 9)),
            not_zeroed: Some(0),
            realloc_lost: None,
            stray_store: Some(192),
        };
        let walk = WalkDigest {
            broken_at: None,
            unmerged_at: Some(0),
            chunks: 3,
            hash: u64::MAX,
        };
        let full = Observation {
            outcome: Outcome::Placed(-8),
            contents,
            walk: Some(walk),
            table_line_wrong: Some(0),
        };
        let outcomes = [
            Outcome::Placed(-8),
            Outcome::Null,
            Outcome::Done,
            Outcome::Refused,
            Outcome::Capacity(7),
            Outcome::NotExpressible,
            Outcome::NoBlock,
        ];
        for observation in outcomes.map(Observation::of).into_iter().chain([full]) {
            assert_eq!(
                decode_observation(&encode_observation(&observation)),
                Some(observation)
            );
        }
        assert_eq!(decode_observation(&[0; OBSERVATION_WORDS]), None);
        assert_eq!(decode_observation(&[u64::MAX; OBSERVATION_WORDS]), None);
    }
}
