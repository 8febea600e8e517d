//! Going back to a state, so that many ops can be tried from it.
//!
//! Only for subjects whose table is their state ([`crate::subject::Subject::TABLE_IS_STATE`]): what they know of
//! their blocks lies in the region, so that putting its bytes back puts the subject back.

use super::{Heap, Slot};
use crate::op::{Handle, Op};

/// What an op can change of a heap besides the region's bytes.
pub(crate) struct Mark {
    issued: usize,
    live: usize,
    /// The slot that the op changes: of the block it makes, resizes or frees.
    slot: Option<(usize, Slot, bool)>,
}

impl Heap<'_> {
    /// Bytes that [`Self::save`] fills: the region and its slack.
    pub(crate) const fn saved_bytes(&self) -> usize {
        self.region.bytes + self.region.slack
    }

    /// Copies out the region's bytes.
    ///
    /// # Panics
    /// If `saved` is shorter than [`Self::saved_bytes`].
    pub(crate) fn save(&self, saved: &mut [u8]) {
        let saved = &mut saved[..self.saved_bytes()];
        // SAFETY: the region and its slack are readable while the heap exists, and `saved`, just
        // cut to their length, is nobody else's memory.
        unsafe {
            self.region
                .start
                .copy_to_nonoverlapping(saved.as_mut_ptr(), saved.len())
        };
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
    /// If `saved` is shorter than [`Self::saved_bytes`].
    pub(crate) fn rewind(&mut self, mark: Mark, saved: &[u8]) {
        let saved = &saved[..self.saved_bytes()];
        // SAFETY: the region and its slack are writable while the heap exists, `saved` has their
        // length, and the subject is not being called.
        unsafe {
            self.region
                .start
                .copy_from_nonoverlapping(saved.as_ptr(), saved.len())
        };
        (self.issued, self.live) = (mark.issued, mark.live);
        (self.lost, self.whole) = (false, false);
        if let Some((index, slot, live)) = mark.slot {
            let word = &mut self.workspace.live[index / 64];
            *word = *word & !(1 << (index % 64)) | u64::from(live) << (index % 64);
            self.workspace.slots[index] = slot;
        }
    }
}
