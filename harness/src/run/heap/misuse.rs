//! The client's errors: pointers that are no live block's, and writes of its own.

use core::alloc::Layout;
use core::ops::Range;

use super::workspace::WRITES_MAX;
use super::{Heap, answer, layout};
use crate::observation::Outcome;
use crate::subject::declaration::Misuse;
use crate::trace::op::Handle;

impl Heap<'_> {
    /// Frees a dead handle again, or `offset` bytes into a live block.
    pub fn free_misused(&mut self, handle: Handle, offset: u64) -> Outcome {
        let slot = self.slot(handle);
        if slot.address.is_null() || (offset > 0 && !self.is_live(handle)) {
            return Outcome::NoBlock;
        }
        let address = slot.address.wrapping_add(offset as usize);
        self.free_address(address, layout(slot.size, slot.align))
    }

    /// Frees an address that need not be any block's.
    pub fn free_wild(&mut self, offset: u64) -> Outcome {
        self.free_address(self.region.start.wrapping_add(offset as usize), None)
    }

    /// Frees null: legal for a native entry, and no call of a layout-taking one.
    pub fn free_null(&mut self) -> Outcome {
        if !self.declaration.native {
            return Outcome::NotExpressible;
        }
        // SAFETY: freeing null is legal for a native entry.
        answer(unsafe {
            self.called()
                .free(core::ptr::null_mut(), Layout::new::<u64>())
        })
    }

    /// The client writes `length` bytes of 0xff from byte `offset` of its block, inside the heap
    /// and outside other owners' pages.
    pub fn write(&mut self, handle: Handle, offset: u64, length: u16) -> Outcome {
        let Some(slot) = self.live_slot(handle) else {
            return Outcome::NoBlock;
        };
        let from = (slot.address.addr() - self.region.start.addr()) as u64;
        let range = from
            .checked_add(offset)
            .and_then(|at| Some(at..at.checked_add(length.into())?));
        let (bytes, growth) = (self.region.bytes as u64, self.region.growth);
        let is_inside = |range: &Range<u64>| {
            range.end <= bytes && growth.spares(bytes, range.start, length.into())
        };
        let Some(range) = range.filter(is_inside) else {
            return Outcome::NotExpressible;
        };
        if self.writes_len == WRITES_MAX {
            return Outcome::NotExpressible;
        }
        // A header may lie behind the block: with another, the subject may write where no block is.
        self.strayed |= length > 0 && range.end > from + slot.size;
        self.workspace.writes[self.writes_len] = (range.start, range.end);
        self.writes_len += 1;
        self.ground.mark(range.start as usize, range.end as usize);
        // SAFETY: the range lies inside the region, which nobody else uses.
        unsafe {
            self.region
                .start
                .add(range.start as usize)
                .write_bytes(0xff, length.into())
        };
        Outcome::Done
    }

    fn free_address(&mut self, address: *mut u8, layout: Option<Layout>) -> Outcome {
        let starts_at = |handle: Handle| self.slot(handle).address == address;
        if self.live_handles(0, None).any(starts_at) {
            // Where a live block starts, this would be a legal free to the subject: the client's
            // undetectable error.
            return Outcome::NotExpressible;
        }
        let layout = layout.unwrap_or(Layout::new::<u64>());
        // SAFETY: the misuse lane wants to see what the subject makes of it.
        let outcome = answer(unsafe { self.called().free(address, layout) });
        // Who promises to refuse, and does, has written nothing.
        let is_kept = self.declaration.misuse == Misuse::Refuses && outcome == Outcome::Refused;
        self.strayed |= !is_kept;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;

    use crate::observation::{Contents, Outcome};
    use crate::run::ground::DIRT;
    use crate::run::heap::{Heap, Strength, testing};
    use crate::subject::declaration::{Declaration, Misuse, Overhead, Reserved};
    use crate::subject::{Freed, Region, Subject};
    use crate::trace::op::Handle;

    const BLOCK_BYTES: usize = 32;
    const FAR: usize = 2048;

    const DECLARATION: Declaration = Declaration::new("misled").overhead(Overhead {
        header: 8,
        granularity: 8,
        chunk_min: 16,
        absorb_max: 8,
        reserved: Reserved::Nothing,
    });

    /// Has one block, at the region's start. At a free it stores far away: of the block, if the
    /// byte behind it was overwritten; of anything else, which it refuses, always.
    struct Misled<const PROMISES: bool>(*mut u8);

    impl<const PROMISES: bool> Subject for Misled<PROMISES> {
        const DECLARATION: Declaration = match PROMISES {
            true => DECLARATION.misuse(Misuse::Refuses),
            false => DECLARATION,
        };

        unsafe fn new(region: Region) -> Self {
            Self(region.start)
        }

        unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
            self.0
        }

        unsafe fn free(&mut self, block: *mut u8, _: Layout) -> Freed {
            let is_ours = block == self.0;
            // SAFETY: both bytes lie in the region.
            unsafe {
                if !is_ours || *self.0.add(BLOCK_BYTES) == 0xff {
                    *self.0.add(FAR) = 1;
                }
            }
            match is_ours {
                true => Freed::Done,
                false => Freed::Refused,
            }
        }
    }

    /// What lies far away when a run begins, behind one of an alloc and of what `misuse` does.
    fn left_behind<const PROMISES: bool>(misuse: fn(&mut Heap<'_>)) -> u8 {
        // SAFETY: the byte lies in the region, which its heap alone uses.
        let far = |heap: &Heap<'_>| unsafe { *heap.region.start.add(FAR) };
        let mut left = 0;
        testing::run::<Misled<PROMISES>>(
            Strength::Fast,
            &mut [
                &mut |mut heap| {
                    heap.alloc(BLOCK_BYTES as u64, None, false, &mut { Contents::HELD });
                    misuse(&mut heap);
                    assert_eq!(far(&heap), 1);
                    heap.settle();
                },
                &mut |heap| left = far(&heap),
            ],
        );
        left
    }

    #[test]
    fn what_a_client_has_misled_a_subject_to_store_is_gone_in_the_next_run() {
        let overrun = |heap: &mut Heap<'_>| {
            assert_eq!(heap.write(Handle(0), BLOCK_BYTES as u64, 1), Outcome::Done);
            heap.free(Handle(0), &mut { Contents::HELD });
        };
        assert_eq!(left_behind::<true>(overrun), DIRT);
    }

    #[test]
    fn who_promises_to_refuse_is_trusted_to_store_nothing_and_nobody_else() {
        let wild = |heap: &mut Heap<'_>| assert_eq!(heap.free_wild(64), Outcome::Refused);
        assert_eq!(left_behind::<true>(wild), 1, "the heap was not filled anew");
        assert_eq!(left_behind::<false>(wild), DIRT);
    }
}
