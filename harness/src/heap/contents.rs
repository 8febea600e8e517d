//! The client's side of memory: blocks are filled with their pattern and verified against it.

use super::{END_BYTES, Heap, Strength};
use crate::op::Handle;
use crate::pattern::Pattern;

impl Heap<'_> {
    /// The lowest live handle that someone else has written into, and where.
    pub fn verify(&self) -> Option<(Handle, u64)> {
        (0..self.issued as u32)
            .map(Handle)
            .find_map(|handle| self.damage(handle))
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

    /// Which byte positions of a block of `size` bytes are filled and verified.
    fn windows(&self, size: u64) -> [(u64, u64); 2] {
        match self.strength {
            Strength::Fast if size > 2 * END_BYTES => [(0, END_BYTES), (size - END_BYTES, size)],
            _ => [(0, size), (size, size)],
        }
    }

    pub(super) fn fill(&mut self, handle: Handle) {
        let slot = self.workspace.slots[handle.0 as usize];
        let pattern = Pattern::of(handle);
        for (from, to) in self.windows(slot.size) {
            let mut at = from;
            while at < to {
                if at % 8 == 0 && at + 8 <= to {
                    let word = pattern.word(at / 8).to_le_bytes();
                    // SAFETY: the block is live, so all its bytes lie inside the region.
                    unsafe { slot.address.add(at as usize).cast::<[u8; 8]>().write(word) };
                    at += 8;
                } else {
                    // SAFETY: as above.
                    unsafe { slot.address.add(at as usize).write(pattern.byte(at)) };
                    at += 1;
                }
            }
        }
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
        let pattern = Pattern::of(handle);
        for (from, to) in self.windows(filled.unwrap_or(size)) {
            let (mut at, to) = (from, to.min(size));
            while at < to {
                if at % 8 == 0 && at + 8 <= to {
                    let expected = filled.map_or(0, |_| pattern.word(at / 8));
                    // SAFETY: the block is live, so all its bytes lie inside the region.
                    let word = unsafe { slot.address.add(at as usize).cast::<[u8; 8]>().read() };
                    if u64::from_le_bytes(word) == expected {
                        at += 8;
                        continue;
                    }
                }
                let expected = filled.map_or(0, |_| pattern.byte(at));
                // SAFETY: as above.
                let byte = unsafe { slot.address.add(at as usize).read() };
                if byte != expected
                    && !self.written_by_client(slot.address.wrapping_add(at as usize))
                {
                    return Some(at);
                }
                at += 1;
            }
        }
        None
    }

    fn written_by_client(&self, address: *mut u8) -> bool {
        let offset = (address.addr() - self.region.start.addr()) as u64;
        self.writes[..self.writes_len]
            .iter()
            .any(|&(from, to)| from <= offset && offset < to)
    }
}
