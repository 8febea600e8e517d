//! The last ops of a recording, in memory.

use core::fmt;

use super::Sink;
use crate::trace::geometry::Geometry;
use crate::trace::op::{Handle, Op};
use crate::trace::record::{OP_BYTES, decode_op, encode_op};

/// Keeps the last `OPS` ops: what led to a crash, of a kernel that has run for long.
///
/// Once it has forgotten ops, the blocks that they made are unknown: [`Self::print`] leaves out
/// what is done to them, and numbers the others anew. What is left is a valid trace, over a heap in
/// which the older blocks are missing; a comment says so.
pub struct Ring<const OPS: usize> {
    heap: Geometry,
    /// As records: all zero at first, so that a ring in a program's data takes up no image.
    ops: [[u8; OP_BYTES]; OPS],
    /// Where the oldest op is, once all are used.
    next: usize,
    used: usize,
    /// Allocs among the forgotten ops.
    forgotten: u32,
    /// Whether any op was forgotten.
    cut: bool,
    remark: Option<&'static str>,
}

/// What [`Ring::print`] says of a trace that does not begin at the beginning.
const CUT: &str = "the last ops of a longer recording: older blocks are left out";

impl<const OPS: usize> Ring<OPS> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            heap: Geometry::published(),
            ops: [[0; OP_BYTES]; OPS],
            next: 0,
            used: 0,
            forgotten: 0,
            cut: false,
            remark: None,
        }
    }

    /// Hands the ops that it holds to another sink, as a trace of their own.
    ///
    /// # Errors
    /// The other sink's.
    pub fn print(&self, to: &mut impl Sink) -> fmt::Result {
        to.begin(self.heap)?;
        if self.cut {
            to.remark(CUT)?;
        }
        let (newer, older) = self.ops[..self.used].split_at(self.next.min(self.used));
        for op in older.iter().chain(newer).map(decode_op) {
            match op.handle() {
                None => to.op(&op)?,
                Some(Handle(handle)) => {
                    if let Some(kept) = handle.checked_sub(self.forgotten) {
                        to.op(&op.with_handle(Handle(kept)))?;
                    }
                }
            }
        }
        self.remark.map_or(Ok(()), |text| to.remark(text))
    }
}

impl<const OPS: usize> Default for Ring<OPS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const OPS: usize> Sink for Ring<OPS> {
    fn begin(&mut self, heap: Geometry) -> fmt::Result {
        self.heap = heap;
        (self.next, self.used, self.forgotten) = (0, 0, 0);
        self.cut = false;
        self.remark = None;
        Ok(())
    }

    fn op(&mut self, op: &Op) -> fmt::Result {
        let slot = self.ops.get_mut(self.next).ok_or(fmt::Error)?;
        if self.used == OPS {
            self.forgotten += u32::from(matches!(decode_op(slot), Op::Alloc { .. }));
            self.cut = true;
        } else {
            self.used += 1;
        }
        *slot = encode_op(op);
        self.next = (self.next + 1) % OPS;
        Ok(())
    }

    /// Keeps the latest one, which is why the recording ended.
    fn remark(&mut self, text: &'static str) -> fmt::Result {
        self.remark = Some(text);
        Ok(())
    }
}
