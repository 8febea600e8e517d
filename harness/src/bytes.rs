//! The byte form of traces: what libFuzzer mutates and the seed corpora hold.
//!
//! ```text
//! byte  0       version (1; a byte that names no version is read as 1)
//! bytes 1..4    0, room for later
//! bytes 4..8    heap size in bytes, little-endian
//! then, an op   16 bytes, see `record`; a short last record is filled up with zeroes
//! ```
//!
//! Decoding is total: every byte string is a trace. A record's handle is an index: below
//! 2^31 among the blocks live at that point, so that mutated ops keep hitting live blocks;
//! with that bit, among all handles issued, so that every trace can be written down. *Live* is
//! judged by the ops alone, as if every request were granted. An op that needs a handle where
//! none was issued becomes an alloc of its size. Ops beyond [`OPS_MAX`] are not read.

use alloc::vec::Vec;

use crate::geometry::Geometry;
use crate::op::{Handle, Op};
use crate::record::{self, OP_BYTES};
use crate::trace::{OPS_MAX, Trace};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 8;
/// The newest version, which is written.
pub const VERSION: u8 = 1;
/// In a record's handle: an index among all handles issued, not among the live ones.
const ABSOLUTE: u32 = 1 << 31;

/// The byte form of a trace.
#[must_use]
pub fn encode(trace: &Trace) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + trace.ops.len() * OP_BYTES);
    bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
    bytes.extend_from_slice(&(trace.geometry.bytes() as u32).to_le_bytes());
    let mut handles = Handles::default();
    for op in &trace.ops {
        let written = op
            .handle()
            .map_or(*op, |handle| op.with_handle(handles.index_of(handle)));
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
    let [.., b0, b1, b2, b3] = filled;
    let mut trace = Trace::new(geometry(u32::from_le_bytes([b0, b1, b2, b3])));
    trace
        .ops
        .reserve_exact(records.len().div_ceil(OP_BYTES).min(OPS_MAX));
    let mut handles = Handles::default();
    for chunk in records.chunks(OP_BYTES).take(OPS_MAX) {
        let mut record = [0; OP_BYTES];
        record[..chunk.len()].copy_from_slice(chunk);
        let mut op = record::decode_op(&record);
        if let Some(handle) = op.handle() {
            op = match handles.at(handle.0) {
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

/// A heap of this many bytes; of a size that can be none, the published heap.
fn geometry(bytes: u32) -> Geometry {
    Geometry::from_bytes(bytes.into()).unwrap_or(Geometry::published())
}

/// Which handles a prefix of a trace has issued and, by the ops alone, left live.
#[derive(Default)]
pub struct Handles {
    issued: u32,
    live: Vec<Handle>,
}

impl Handles {
    /// Takes note of the next op.
    pub fn note(&mut self, op: &Op) {
        match *op {
            Op::Alloc { .. } => {
                self.live.push(Handle(self.issued));
                self.issued += 1;
            }
            Op::Free { handle } => self.live.retain(|&live| live != handle),
            Op::FreeAll => self.live.clear(),
            _ => {}
        }
    }

    /// The live handles, oldest first.
    #[must_use]
    pub fn live(&self) -> &[Handle] {
        &self.live
    }

    /// How many handles were issued.
    #[must_use]
    pub const fn issued(&self) -> u32 {
        self.issued
    }

    /// The handle a record's index means; `None` if none was issued yet.
    fn at(&self, index: u32) -> Option<Handle> {
        match self.live.len() as u32 {
            _ if self.issued == 0 => None,
            live if index & ABSOLUTE == 0 && live > 0 => Some(self.live[(index % live) as usize]),
            _ => Some(Handle((index & !ABSOLUTE) % self.issued)),
        }
    }

    /// The index that means `handle`.
    fn index_of(&self, handle: Handle) -> Handle {
        let live = self.live.iter().position(|&live| live == handle);
        Handle(live.map_or(handle.0 | ABSOLUTE, |index| index as u32))
    }
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
        let align = crate::op::Align::from_bytes(64);
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
