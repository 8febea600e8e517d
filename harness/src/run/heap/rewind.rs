//! Going back to a state, so that many ops can be tried from it.
//!
//! Only for subjects whose table is their state ([`crate::subject::Subject::TABLE_IS_STATE`]): what
//! they know of their blocks lies in the region and the side memory, so that putting their bytes
//! back puts the subject back.

use super::{Heap, Slot, Whole};
use crate::subject::Region;
use crate::trace::op::{Handle, Op};

/// What an op can change of a heap besides the region's bytes.
pub(crate) struct Mark {
    issued: usize,
    live: usize,
    /// The slot that the op changes: of the block it makes, resizes or frees.
    slot: Option<(usize, Slot, bool)>,
}

impl Heap<'_> {
    /// Copies out the bytes of the region, its slack and the side memory.
    ///
    /// # Panics
    /// If `saved` is shorter than those.
    pub(crate) fn save(&self, saved: &mut [u8]) {
        let mut rest = saved;
        for (start, bytes) in self.parts() {
            let (part, behind) = rest.split_at_mut(bytes);
            // SAFETY: the part is readable while the heap exists, and `part`, just cut to its
            // length, is nobody else's memory.
            unsafe { start.copy_to_nonoverlapping(part.as_mut_ptr(), bytes) };
            rest = behind;
        }
    }

    /// The memory in which a subject's state lies.
    const fn parts(&self) -> [(*mut u8, usize); 2] {
        let Region {
            start,
            bytes,
            slack,
            side,
            ..
        } = self.region;
        [(start, bytes + slack), (side, self.side_bytes)]
    }

    /// Takes note of what `op`, a call that makes, resizes or frees one block, is about to change.
    pub(crate) fn mark(&self, op: &Op) -> Mark {
        let index = match op {
            Op::Alloc { .. } => Some(self.issued),
            _ => op.handle().map(|handle| handle.0 as usize),
        };
        Mark {
            issued: self.issued,
            live: self.live,
            slot: index.map(|index| {
                let live = self.is_live(Handle(index as u32));
                (index, self.workspace.slots[index], live)
            }),
        }
    }

    /// Goes back to where `mark` was taken and `saved` was saved.
    ///
    /// # Panics
    /// If `saved` is shorter than what was saved.
    pub(crate) fn rewind(&mut self, mark: Mark, saved: &[u8]) {
        let mut rest = saved;
        for (start, bytes) in self.parts() {
            let (part, behind) = rest.split_at(bytes);
            // SAFETY: the part is writable while the heap exists, `part` has its length, and the
            // subject is not being called.
            unsafe { start.copy_from_nonoverlapping(part.as_ptr(), bytes) };
            rest = behind;
        }
        (self.issued, self.live) = (mark.issued, mark.live);
        (self.lost, self.whole) = (false, Whole::Unknown);
        if let Some((index, slot, live)) = mark.slot {
            let word = &mut self.workspace.live[index / 64];
            *word = *word & !(1 << (index % 64)) | u64::from(live) << (index % 64);
            self.workspace.slots[index] = slot;
        }
    }
}
