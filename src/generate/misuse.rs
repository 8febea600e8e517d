//! The misuse lane of a hunt: a client's errors that a subject promises to refuse or to tolerate.
//!
//! Only errors that can be told from legal calls are drawn, and client writes stay inside their
//! block: what a write over a header leads to is nobody's promise, and locked by snapshots instead.

use arbitrary::{Result, Unstructured};
use harness::op::{Handle, Op};

use super::Drawer;

/// One op in so many is a misuse.
const RATIO: u8 = 8;

impl Drawer<'_> {
    /// A misuse, if it is its turn and the trace so far allows the one drawn.
    pub(super) fn misuse(&self, u: &mut Unstructured<'_>) -> Result<Option<Op>> {
        if !u.ratio(1, RATIO)? {
            return Ok(None);
        }
        match u.choose_index(4)? {
            0 => self.double_free(u),
            1 => self.interior(u),
            2 => {
                let offset = u.int_in_range(0..=self.geometry.bytes() + 64)?;
                Ok(Some(Op::FreeWild {
                    offset: if u.arbitrary()? { offset & !7 } else { offset },
                }))
            }
            _ => self.write(u),
        }
    }

    fn double_free(&self, u: &mut Unstructured<'_>) -> Result<Option<Op>> {
        if self.handles.issued() == 0 {
            return Ok(None);
        }
        let handle = Handle(u.int_in_range(0..=self.handles.issued() - 1)?);
        let dead = !self.handles.live().contains(&handle);
        Ok(dead.then_some(Op::Free { handle }))
    }

    fn interior(&self, u: &mut Unstructured<'_>) -> Result<Option<Op>> {
        Ok(self.live_block(u)?.and_then(|(handle, size)| {
            let offset = u.int_in_range(1..=size.clamp(1, 512)).ok()?;
            Some(Op::FreeInterior { handle, offset })
        }))
    }

    fn write(&self, u: &mut Unstructured<'_>) -> Result<Option<Op>> {
        Ok(self.live_block(u)?.and_then(|(handle, size)| {
            let offset = u.int_in_range(0..=size.min(512)).ok()?;
            let length = u.int_in_range(0..=(size - offset).min(64)).ok()? as u16;
            Some(Op::Write {
                handle,
                offset,
                length,
            })
        }))
    }

    /// A live block and what it holds at least.
    fn live_block(&self, u: &mut Unstructured<'_>) -> Result<Option<(Handle, u64)>> {
        if self.handles.live().is_empty() {
            return Ok(None);
        }
        let handle = *u.choose(self.handles.live())?;
        Ok(Some((handle, self.sizes_min[handle.0 as usize])))
    }
}
