//! The byte form of traces: what libFuzzer mutates and the seed corpora hold.
//!
//! ```text
//! byte  0       version (1 or 2; a byte that names no version is read as 1)
//! byte  1       version 2: K of `grow M every K taken`, the page in so many that is another's;
//! below 2: none bytes 2..4    version 2: how many pages the heap may take, little-endian bytes
//! 4..8    heap size in bytes, at first, little-endian then, an op   16 bytes, see `record`; a
//! short last record is filled up with zeroes
//! ```
//!
//! Version 2 is that of heaps that grow; others are written as version 1, as they always were.
//!
//! Decoding is total: every byte string is a trace. A record's handle is an index: below 2^31 among
//! the blocks live at that point, so that mutated ops keep hitting live blocks; with that bit,
//! among all handles issued, so that every trace can be written down. *Live* is judged by the ops
//! alone, as if every request were granted. An op that needs a handle where none was issued becomes
//! an alloc of its size. Ops beyond [`OPS_MAX`] are not read.

use alloc::vec::Vec;

use crate::trace::geometry::{Geometry, Growth};
use crate::trace::handles::Handles;
use crate::trace::op::{Handle, Op};
use crate::trace::record::{self, OP_BYTES};
use crate::trace::{OPS_MAX, Trace};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 8;
/// The version of a heap that does not grow.
pub const VERSION: u8 = 1;
/// The version of one that does.
pub const VERSION_GROWING: u8 = 2;
/// In a record's handle: an index among all handles issued, not among the live ones.
const ABSOLUTE: u32 = 1 << 31;

/// The byte form of a trace.
#[must_use]
pub fn encode(trace: &Trace) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + trace.ops.len() * OP_BYTES);
    let growth = trace.geometry.growth();
    let version = match growth.is_none() {
        true => VERSION,
        false => VERSION_GROWING,
    };
    bytes.extend_from_slice(&[version, growth.taken_every().unwrap_or(0) as u8]);
    bytes.extend_from_slice(&(growth.pages() as u16).to_le_bytes());
    bytes.extend_from_slice(&(trace.geometry.first_bytes() as u32).to_le_bytes());
    let mut handles = Handles::default();
    for op in &trace.ops {
        let written = op
            .handle()
            .map_or(*op, |handle| op.with_handle(index_of(&handles, handle)));
        bytes.extend_from_slice(&record::encode_op(&written));
        handles.note(op);
    }
    bytes
}

/// The trace of a byte string; never fails.
#[must_use]
pub fn decode(bytes: &[u8]) -> Trace {
    let (header, records) = bytes.split_at(bytes.len().min(HEADER_BYTES));
    let mut filled = [0; HEADER_BYTES];
    filled[..header.len()].copy_from_slice(header);
    let mut trace = Trace::new(geometry(filled));
    trace
        .ops
        .reserve_exact(records.len().div_ceil(OP_BYTES).min(OPS_MAX));
    let mut handles = Handles::default();
    for chunk in records.chunks(OP_BYTES).take(OPS_MAX) {
        let mut record = [0; OP_BYTES];
        record[..chunk.len()].copy_from_slice(chunk);
        let mut op = record::decode_op(&record);
        if let Some(handle) = op.handle() {
            op = match handle_at(&handles, handle.0) {
                Some(handle) => op.with_handle(handle),
                None => Op::Alloc {
                    size: u64::from_le_bytes(record[8..].try_into().unwrap_or_default()),
                    align: None,
                    zeroed: false,
                },
            };
        }
        handles.note(&op);
        trace.ops.push(op);
    }
    trace
}

/// The heap of a header; of a size that can be none, the published heap. What cannot grow so does
/// not.
fn geometry([version, every, p0, p1, b0, b1, b2, b3]: [u8; HEADER_BYTES]) -> Geometry {
    let bytes = u32::from_le_bytes([b0, b1, b2, b3]);
    let geometry = Geometry::from_bytes(bytes.into()).unwrap_or(Geometry::published());
    if version != VERSION_GROWING {
        return geometry;
    }
    let every = Some(u64::from(every)).filter(|every| *every >= 2);
    let growth = Growth::new(u16::from_le_bytes([p0, p1]).into(), every);
    let growing = growth.and_then(|growth| geometry.growing(growth));
    growing.unwrap_or(geometry)
}

/// The handle a record's index means; `None` if none was issued yet.
fn handle_at(handles: &Handles, index: u32) -> Option<Handle> {
    let (issued, live) = (handles.issued(), handles.live());
    match live.len() as u32 {
        _ if issued == 0 => None,
        count if index & ABSOLUTE == 0 && count > 0 => Some(live[(index % count) as usize]),
        _ => Some(Handle((index & !ABSOLUTE) % issued)),
    }
}

/// The index that means `handle`.
fn index_of(handles: &Handles, handle: Handle) -> Handle {
    let live = handles.live().iter().position(|&live| live == handle);
    Handle(live.map_or(handle.0 | ABSOLUTE, |index| index as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_trace_decodes_to_itself_dead_handles_and_all() {
        let alloc = Op::Alloc {
            size: 24,
            align: None,
            zeroed: false,
        };
        let handle = Handle(0);
        let ops = vec![
            alloc,
            alloc,
            Op::Free { handle },
            Op::Free { handle },
            Op::Realloc {
                handle: Handle(1),
                size: 7,
            },
            Op::FreeAll,
            Op::FreeInterior { handle, offset: 8 },
        ];
        let trace = Trace {
            geometry: Geometry::from_bytes(192).unwrap(),
            ops,
        };
        assert_eq!(decode(&encode(&trace)), trace);
    }

    #[test]
    fn version_1_keeps_its_meaning() {
        // The golden bytes: changing what they decode to breaks every corpus in the field.
        let mut bytes = vec![1, 0, 0, 0, 192, 0, 0, 0];
        bytes.extend([0, 7, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([2, 0, 0, 0, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        bytes.extend([3]);
        let trace = decode(&bytes);
        trace.check_invariants();
        assert_eq!(trace.geometry.bytes(), 192);
        let align = crate::trace::op::Align::from_bytes(64);
        assert_eq!(
            trace.ops,
            [
                Op::Alloc {
                    size: 24,
                    align,
                    zeroed: false
                },
                Op::Realloc {
                    handle: Handle(0),
                    size: 256
                },
                Op::Free { handle: Handle(0) },
            ]
        );
    }

    #[test]
    fn version_2_keeps_its_meaning() {
        let heap = |header: [u8; 8]| decode(&header).geometry;
        let grown = heap([2, 3, 9, 0, 0, 0x20, 0, 0]);
        let growth = Growth::new(9, Some(3)).unwrap();
        assert_eq!(
            grown,
            Geometry::from_pages(2).unwrap().growing(growth).unwrap()
        );
        assert_eq!(encode(&Trace::new(grown)), [2, 3, 9, 0, 0, 0x20, 0, 0]);
        let growth = Growth::new(256, None).unwrap();
        let free = Geometry::from_pages(1).unwrap().growing(growth).unwrap();
        assert_eq!(heap([2, 1, 0, 1, 0, 0x10, 0, 0]), free);
        assert_eq!(encode(&Trace::new(free)), [2, 0, 0, 1, 0, 0x10, 0, 0]);
        // What cannot grow is what it is in version 1, where these bytes mean nothing.
        assert_eq!(
            heap([2, 3, 9, 0, 192, 0, 0, 0]),
            heap([1, 3, 9, 0, 192, 0, 0, 0])
        );
        assert_eq!(
            heap([2, 3, 0, 0, 0, 0x20, 0, 0]),
            heap([1, 3, 9, 0, 0, 0x20, 0, 0])
        );
    }

    #[test]
    fn every_byte_string_is_a_trace() {
        let mut state = 1_u64;
        for length in 0..400 {
            let mut bytes = Vec::new();
            for _ in 0..length {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                bytes.push((state >> 33) as u8);
            }
            let trace = decode(&bytes);
            trace.check_invariants();
            assert_eq!(decode(&encode(&trace)), trace);
        }
    }
}
