//! Names blocks anew, so that a trace may make more blocks than there are slots.

use super::Heap;
use crate::trace::op::Handle;

impl Heap<'_> {
    /// Forgets all blocks but those of the `kept` handles, lowest first, of which the n-th becomes
    /// `a<n>` (dead ones stay dead). Live ones are filled with the pattern of their new name:
    /// whoever wants to know whether they still hold the old one verifies them before.
    ///
    /// # Panics
    /// If a kept handle was not issued, or they are not in order.
    pub(crate) fn renew(&mut self, kept: &[Handle]) {
        assert!(kept.is_sorted_by(|one, other| one < other));
        let mut live = 0;
        for (new, &old) in kept.iter().enumerate() {
            assert!((old.0 as usize) < self.issued, "{old} was issued");
            let lives = self.is_live(old);
            // `new` is at most `old`, so neither this slot nor this bit is asked for again.
            self.workspace.slots[new] = self.workspace.slots[old.0 as usize];
            let bit = 1 << (new % 64);
            match lives {
                true => self.workspace.live[new / 64] |= bit,
                false => self.workspace.live[new / 64] &= !bit,
            }
            live += usize::from(lives);
        }
        // The bits behind the last slot mean nothing, but those of its word were not cleared by an
        // issue.
        if let Some(word) = self.workspace.live.get_mut(kept.len() / 64) {
            *word &= !(!0 << (kept.len() % 64));
        }
        self.issued = kept.len();
        self.live = live;
        let mut next = self.next_live(0);
        while let Some(handle) = next {
            self.fill(handle);
            next = self.next_live(handle.0 as usize + 1);
        }
    }
}
