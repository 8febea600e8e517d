//! The client's side of memory: blocks are filled with their pattern and verified against it.

use super::{END_BYTES, END_WORDS, Heap, Slot, Strength, WATCHED_BYTES};
use crate::op::Handle;
use crate::pattern::Pattern;

impl Heap<'_> {
    /// The lowest live handle that someone else has written into, and where.
    pub fn verify(&self) -> Option<(Handle, u64)> {
        for word in 0..self.issued.div_ceil(64) {
            let mut bits = self.workspace.live[word];
            while bits != 0 {
                let index = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let slot = self.workspace.slots[index];
                let handle = Handle(index as u32);
                if !self.holds(slot, Pattern::of(handle), slot.size, slot.size)
                    && let Some(damage) = self.damage(handle)
                {
                    return Some(damage);
                }
            }
        }
        None
    }

    /// Whether the first `size` bytes of a live block hold a pattern that was filled in when the
    /// block had `filled`, as far as they were.
    fn holds(&self, slot: Slot, pattern: Pattern, size: u64, filled: u64) -> bool {
        let (head, tail) = self.windows(filled);
        // SAFETY: the block is live, so all its bytes lie inside the region.
        unsafe {
            if tail < size && size == filled {
                return pattern.hold_ends::<END_WORDS>(slot.address, tail, size);
            }
            pattern.holds(slot.address, 0, head.min(size))
                && (tail >= size || pattern.holds(slot.address, tail, size))
        }
    }

    /// The first byte behind the heap that was written; unless `thorough`, of the nearest few.
    pub fn stray_store(&mut self, thorough: bool) -> Option<u64> {
        let watched = if thorough { usize::MAX } else { WATCHED_BYTES };
        let stray = self.region.stray_store(watched);
        self.strayed |= stray.is_some();
        stray
    }

    /// Which byte positions of a block of `size` bytes are filled and verified: all of them up to the
    /// first number, and those from the second on. Each range starts with a word of the pattern.
    fn windows(&self, size: u64) -> (u64, u64) {
        match self.strength {
            Strength::Fast if size > 2 * END_BYTES => (END_BYTES, (size - END_BYTES) & !7),
            _ => (size, size),
        }
    }

    pub(super) fn fill(&mut self, handle: Handle) {
        let slot = self.workspace.slots[handle.0 as usize];
        let pattern = Pattern::of(handle);
        let (head, tail) = self.windows(slot.size);
        self.note_store(handle, 0, head);
        if tail < slot.size {
            // SAFETY: the block is live, so all its bytes lie inside the region.
            unsafe { pattern.fill_ends::<END_WORDS>(slot.address, tail, slot.size) };
            self.note_store(handle, tail, slot.size);
        } else {
            // SAFETY: as above.
            unsafe { pattern.fill(slot.address, 0, head) };
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
        let filled = filled.unwrap_or(size);
        if self.holds(slot, pattern, size, filled) {
            return None;
        }
        let (head, tail) = self.windows(filled);
        let wrong = |at: &u64| {
            let address = slot.address.wrapping_add(*at as usize);
            // SAFETY: the block is live, so all its bytes lie inside the region.
            let byte = unsafe { address.read() };
            byte != pattern.byte(*at) && !self.written_by_client(address)
        };
        (0..head.min(size)).chain(tail..size).find(wrong)
    }

    fn written_by_client(&self, address: *mut u8) -> bool {
        let offset = (address.addr() - self.region.start.addr()) as u64;
        self.workspace.writes[..self.writes_len]
            .iter()
            .any(|&(from, to)| from <= offset && offset < to)
    }
}
