//! The client's side of memory: blocks are filled with their pattern and verified against it.

use super::{END_BYTES, Heap, Strength};
use crate::op::Handle;
use crate::pattern::Pattern;

impl Heap<'_> {
    /// The lowest live handle that someone else has written into, and where.
    pub fn verify(&self) -> Option<(Handle, u64)> {
        self.live_handles().find_map(|handle| self.damage(handle))
    }

    /// The first byte behind the heap that was written; unless `thorough`, of the nearest few.
    pub fn stray_store(&self, thorough: bool) -> Option<u64> {
        let watched = if thorough {
            usize::MAX
        } else {
            END_BYTES as usize
        };
        self.region.stray_store(watched)
    }

    /// Which byte positions of a block of `size` bytes are filled and verified. Each range starts
    /// with a word of the pattern; one that is empty may start behind its end.
    fn windows(&self, size: u64) -> [(u64, u64); 2] {
        match self.strength {
            Strength::Fast if size > 2 * END_BYTES => {
                [(0, END_BYTES), ((size - END_BYTES) & !7, size)]
            }
            _ => [(0, size), (0, 0)],
        }
    }

    pub(super) fn fill(&mut self, handle: Handle) {
        let slot = self.workspace.slots[handle.0 as usize];
        let pattern = Pattern::of(handle);
        for (from, to) in self.windows(slot.size) {
            // SAFETY: the block is live, so all its bytes lie inside the region.
            unsafe { pattern.fill(slot.address, from, to) };
            self.note_store(handle, from, to);
        }
    }

    /// Takes note of a store to these byte positions of a live block.
    pub(super) fn note_store(&mut self, handle: Handle, from: u64, to: u64) {
        let address = self.workspace.slots[handle.0 as usize].address;
        let at = address.addr() - self.region.start.addr();
        self.ground.mark(at + from as usize, at + to as usize);
    }

    pub(super) fn damage(&self, handle: Handle) -> Option<(Handle, u64)> {
        let size = self.live_slot(handle)?.size;
        self.first_wrong(handle, size, Some(size))
            .map(|at| (handle, at))
    }

    /// The first byte among the first `size` of a live block that is not as expected: zero, or the
    /// pattern as it was filled in when the block had `filled` bytes.
    pub(super) fn first_wrong(
        &self,
        handle: Handle,
        size: u64,
        filled: Option<u64>,
    ) -> Option<u64> {
        let slot = self.workspace.slots[handle.0 as usize];
        let pattern = match filled {
            Some(_) => Pattern::of(handle),
            None => Pattern::ZERO,
        };
        for (from, to) in self.windows(filled.unwrap_or(size)) {
            let to = to.min(size);
            if from >= to {
                continue;
            }
            // SAFETY: the block is live, so all its bytes lie inside the region.
            if unsafe { pattern.holds(slot.address, from, to) } {
                continue;
            }
            let wrong = |at: &u64| {
                let address = slot.address.wrapping_add(*at as usize);
                // SAFETY: as above.
                let byte = unsafe { address.read() };
                byte != pattern.byte(*at) && !self.written_by_client(address)
            };
            if let Some(at) = (from..to).find(wrong) {
                return Some(at);
            }
        }
        None
    }

    fn written_by_client(&self, address: *mut u8) -> bool {
        let offset = (address.addr() - self.region.start.addr()) as u64;
        self.workspace.writes[..self.writes_len]
            .iter()
            .any(|&(from, to)| from <= offset && offset < to)
    }
}
