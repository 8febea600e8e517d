//! A bounded sequence of ops over one heap.

#[cfg(feature = "alloc")]
pub mod bytes;
pub mod geometry;
#[cfg(feature = "alloc")]
pub mod handles;
pub mod line;
pub mod op;
#[cfg(feature = "alloc")]
pub mod parse;
pub mod record;
#[cfg(feature = "alloc")]
pub mod text;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(feature = "alloc")]
use crate::trace::geometry::Geometry;
#[cfg(feature = "alloc")]
use crate::trace::handles::Handles;
#[cfg(feature = "alloc")]
use crate::trace::op::{Handle, Op};

/// The most ops a trace holds in memory, on both sides. The guest's buffers have this size: enough
/// to fill a heap with 20,000 blocks, free every other one, and go on.
pub const OPS_MAX: usize = 32_768;

#[cfg(feature = "alloc")]
/// A heap and what is asked of it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trace {
    /// The heap.
    pub geometry: Geometry,
    /// The calls, at most [`OPS_MAX`]. Handles used are smaller than the number of allocs before.
    pub ops: Vec<Op>,
}

#[cfg(feature = "alloc")]
impl Trace {
    /// An empty trace over a heap.
    #[must_use]
    pub const fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            ops: Vec::new(),
        }
    }

    /// The op that made a handle.
    #[must_use]
    pub fn maker(&self, handle: Handle) -> Option<usize> {
        let allocs = self
            .ops
            .iter()
            .enumerate()
            .filter(|(_, op)| matches!(op, Op::Alloc { .. }));
        allocs.map(|(index, _)| index).nth(handle.0 as usize)
    }

    /// The trace without the ops of the misuse lane: frees of dead handles, of interior and of wild
    /// pointers, and client writes. Dead is judged by the ops alone.
    #[must_use]
    pub fn without_misuse(mut self) -> Self {
        let mut handles = Handles::default();
        self.ops.retain(|op| {
            let misuse = match op {
                Op::Free { handle } => !handles.live().contains(handle),
                Op::FreeInterior { .. } | Op::FreeWild { .. } | Op::Write { .. } => true,
                _ => false,
            };
            handles.note(op);
            !misuse
        });
        self
    }

    /// Panics unless the trace keeps the promises of its fields.
    ///
    /// # Panics
    /// If it is longer than [`OPS_MAX`] or an op uses a handle that no alloc before it made.
    pub fn check_invariants(&self) {
        assert!(self.ops.len() <= OPS_MAX, "{} ops", self.ops.len());
        let mut issued = 0;
        for (index, op) in self.ops.iter().enumerate() {
            if let Some(handle) = op.handle() {
                assert!(
                    handle.0 < issued,
                    "op {index} uses a{} before it exists",
                    handle.0
                );
            }
            issued += u32::from(matches!(op, Op::Alloc { .. }));
        }
    }
}
