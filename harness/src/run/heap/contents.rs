//! The client's side of memory: blocks are filled with their pattern and verified against it.

use core::mem::MaybeUninit;
use core::slice;

use super::{END_BYTES, Heap, Slot, Strength, WATCHED_WORDS, Whole};
use crate::run::ground::{DIRT, GRANULE_BYTES};
use crate::run::pattern::Pattern;
use crate::trace::op::Handle;

impl Heap<'_> {
    /// The lowest live handle that someone else has written into, and where.
    pub fn verify(&mut self) -> Option<(Handle, u64)> {
        let damage = self.first_damage();
        if damage.is_none() {
            self.whole = Whole::All;
        }
        damage
    }

    fn first_damage(&self) -> Option<(Handle, u64)> {
        let whole = match self.whole {
            Whole::Unknown => None,
            Whole::Block(handle) => Some(handle),
            Whole::All => return None,
        };
        let blocks = || {
            self.live_handles(0, whole)
                .map(|handle| (handle, self.slot(handle)))
        };
        blocks().find_map(|(handle, slot)| self.damage(handle, slot))
    }

    /// A live block's bytes.
    #[inline]
    fn bytes(&self, slot: Slot) -> &[u8] {
        // SAFETY: the block is live, so all its bytes lie inside the region, which nobody else
        // uses; they were filled, or the subject says that they are zero.
        unsafe { slice::from_raw_parts(slot.address, slot.size as usize) }
    }

    /// A live block's bytes, to be filled.
    #[inline]
    fn bytes_mut(&mut self, slot: Slot) -> &mut [MaybeUninit<u8>] {
        // SAFETY: as above, but for what they hold.
        unsafe { slice::from_raw_parts_mut(slot.address.cast(), slot.size as usize) }
    }

    /// Whether the first `size` bytes of a live block hold a pattern that was filled in when the
    /// block had `filled`, as far as they were.
    #[inline]
    fn holds(&self, slot: Slot, pattern: Pattern, size: u64, filled: u64) -> bool {
        let (head, tail) = self.windows(filled);
        let bytes = &self.bytes(slot)[..size as usize];
        if tail >= size {
            return pattern.holds(&bytes[..head.min(size) as usize]);
        }
        pattern.holds(&bytes[..END_BYTES as usize])
            && pattern.from(tail).holds(&bytes[tail as usize..])
    }

    /// The first byte behind the heap, or in another owner's page, that was written; unless
    /// `thorough`, of the nearest few behind the heap.
    #[inline]
    pub fn stray_store(&mut self, thorough: bool) -> Option<u64> {
        let region = self.region;
        let is_untouched = match thorough {
            true => region.slack == 0 && region.growth.is_none(),
            false => region.is_untouched_behind::<WATCHED_WORDS>(),
        };
        match is_untouched {
            true => None,
            false => self.find_stray_store(thorough),
        }
    }

    fn find_stray_store(&mut self, thorough: bool) -> Option<u64> {
        let watched = if thorough {
            usize::MAX
        } else {
            8 * WATCHED_WORDS
        };
        let mut stray = self.region.stray_store(watched);
        if thorough && !self.region.growth.is_none() && stray.is_none() {
            let fill = if self.declaration.region.zeroed {
                0
            } else {
                DIRT
            };
            stray = self.region.stray_store_to_others(fill);
        }
        self.strayed |= stray.is_some();
        stray
    }

    /// Which byte positions of a block of `size` bytes are filled and verified: all of them up to
    /// the first number, and those from the second on. Each range starts with a word of the
    /// pattern.
    fn windows(&self, size: u64) -> (u64, u64) {
        match self.strength {
            Strength::Fast if size > 2 * END_BYTES => (END_BYTES, (size - END_BYTES) & !7),
            _ => (size, size),
        }
    }

    pub(super) fn fill(&mut self, handle: Handle) {
        self.whole = Whole::Block(handle);
        let slot = self.slot(handle);
        let pattern = Pattern::of(handle);
        let (head, tail) = self.windows(slot.size);
        // Ends that share a granule or two are marked at once.
        let is_far = tail - head > GRANULE_BYTES as u64;
        self.note_store(handle, 0, if is_far { head } else { slot.size });
        if tail < slot.size && is_far {
            self.note_store(handle, tail, slot.size);
        }
        let bytes = self.bytes_mut(slot);
        if tail >= slot.size {
            return pattern.fill(bytes);
        }
        pattern.fill(&mut bytes[..END_BYTES as usize]);
        pattern.from(tail).fill(&mut bytes[tail as usize..]);
    }

    /// Takes note of a store to these byte positions of a live block.
    pub(super) fn note_store(&mut self, handle: Handle, from: u64, to: u64) {
        let address = self.slot(handle).address;
        let at = address.addr() - self.region.start.addr();
        self.ground.mark(at + from as usize, at + to as usize);
    }

    /// As [`Self::damage`]; where all blocks are known to be whole, nothing is looked at.
    #[inline]
    pub(super) fn damage_since(&self, handle: Handle, slot: Slot) -> Option<(Handle, u64)> {
        match self.whole {
            Whole::All => None,
            _ => self.damage(handle, slot),
        }
    }

    /// The first byte of a live block, in this slot, that someone else has written.
    #[inline]
    fn damage(&self, handle: Handle, slot: Slot) -> Option<(Handle, u64)> {
        if self.holds(slot, Pattern::of(handle), slot.size, slot.size) {
            return None;
        }
        let wrong = self.first_wrong(handle, slot.size, Some(slot.size));
        wrong.map(|at| (handle, at))
    }

    /// The first byte among the first `size` of a live block that is not as expected: zero, or the
    /// pattern as it was filled in when the block had `filled` bytes.
    pub(super) fn first_wrong(
        &self,
        handle: Handle,
        size: u64,
        filled: Option<u64>,
    ) -> Option<u64> {
        let slot = self.slot(handle);
        let pattern = match filled {
            Some(_) => Pattern::of(handle),
            None => Pattern::ZERO,
        };
        let filled = filled.unwrap_or(size);
        if self.holds(slot, pattern, size, filled) {
            return None;
        }
        let (head, tail) = self.windows(filled);
        let bytes = self.bytes(slot);
        let wrong = |at: &u64| {
            let is_right = bytes[*at as usize] == pattern.byte(*at);
            !is_right && !self.written_by_client(slot.address.wrapping_add(*at as usize))
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

#[cfg(test)]
mod tests {
    use core::alloc::Layout;

    use crate::observation::Contents;
    use crate::run::heap::{Strength, testing};
    use crate::subject::declaration::Declaration;
    use crate::subject::{Freed, Region, Subject};
    use crate::trace::op::Handle;

    /// Gives out one block behind the other, and spoils the first byte of the block behind the one
    /// that it is given back.
    struct Spoiler {
        next: *mut u8,
    }

    impl Subject for Spoiler {
        const DECLARATION: Declaration = Declaration::new("spoiler");

        unsafe fn new(region: Region) -> Self {
            Self { next: region.start }
        }

        unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
            let block = self.next;
            self.next = block.wrapping_add(layout.size());
            block
        }

        unsafe fn realloc(&mut self, block: *mut u8, _: Layout, _: usize) -> *mut u8 {
            block
        }

        unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
            // SAFETY: the test's blocks lie one behind the other in its region, which goes on.
            unsafe { *block.add(layout.size()) ^= 1 };
            Freed::Done
        }
    }

    /// What freeing all of three blocks tells of that were just filled, or `verified` as well.
    fn found(strength: Strength, verified: bool) -> Option<(Handle, u64)> {
        let mut contents = Contents::HELD;
        testing::run::<Spoiler>(
            strength,
            &mut [&mut |mut heap| {
                for _ in 0..3 {
                    heap.alloc(40, None, false, &mut contents);
                }
                if verified {
                    assert_eq!(heap.verify(), None);
                }
                heap.free_all(&mut contents);
            }],
        );
        contents.corrupted
    }

    #[test]
    fn what_was_known_is_verified_again_once_the_subject_was_called() {
        for strength in [Strength::Strict, Strength::Fast] {
            for verified in [false, true] {
                assert_eq!(found(strength, verified), Some((Handle(1), 0)));
            }
        }
    }
}
