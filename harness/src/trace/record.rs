//! The fixed-size binary record of an op.
//!
//! Both sides of the mailbox and the byte form of traces use it, so there is one encoding. It is
//! exact; every value of its 16 bytes decodes to some op.

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
}
