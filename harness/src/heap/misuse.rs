//! The client's errors: pointers that are no live block's, and writes of its own.

use core::alloc::Layout;
use core::ops::Range;

use super::{Heap, WRITES_MAX, answer, layout};
use crate::observation::Outcome;
use crate::op::Handle;

impl Heap<'_> {
    /// Frees a dead handle again, or `offset` bytes into a live block.
    pub fn free_misused(&mut self, handle: Handle, offset: u64) -> Outcome {
        let slot = self.workspace.slots[handle.0 as usize];
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

    /// The client writes `length` bytes of 0xff from byte `offset` of its block, inside the heap and
    /// outside other owners' pages.
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
        self.strayed |= range.end > from + slot.size;
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
        let starts_at = |handle: Handle| self.workspace.slots[handle.0 as usize].address == address;
        if self.live_handles().any(starts_at) {
            // Where a live block starts, this would be a legal free to the subject: the client's
            // undetectable error.
            return Outcome::NotExpressible;
        }
        let layout = layout.unwrap_or(Layout::new::<u64>());
        // SAFETY: the misuse lane wants to see what the subject makes of it.
        let outcome = answer(unsafe { self.called().free(address, layout) });
        // Who refuses is trusted not to have written where no block is, as one is that does what it is asked.
        self.strayed |= outcome != Outcome::Refused;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use core::alloc::Layout;
    use std::boxed::Box;
    use std::vec;

    use crate::declaration::{Declaration, Overhead, Reserved};
    use crate::entry::Entry;
    use crate::geometry::Growth;
    use crate::ground::Ground;
    use crate::heap::{DIRT, Heap, Strength, Workspace};
    use crate::observation::{Contents, Outcome};
    use crate::op::Handle;
    use crate::subject::{Freed, Region, Subject};

    const BLOCK_BYTES: usize = 32;
    const FAR: usize = 2048;

    /// Trusts the byte behind its only block: where that was overwritten, it stores far away.
    struct Misled(*mut u8);

    impl Subject for Misled {
        const DECLARATION: Declaration = Declaration::new("misled").overhead(Overhead {
            header: 8,
            granularity: 8,
            chunk_min: 16,
            absorb_max: 8,
            reserved: Reserved::Nothing,
        });

        unsafe fn new(region: Region) -> Self {
            Self(region.start)
        }

        unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
            self.0
        }

        unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
            // SAFETY: both bytes lie in the region.
            unsafe {
                if *self.0.add(BLOCK_BYTES) == 0xff {
                    *self.0.add(FAR) = 1;
                }
            }
            Freed::Done
        }
    }

    #[test]
    fn what_a_client_has_misled_a_subject_to_store_is_gone_in_the_next_run() {
        let mut memory = vec![0_u64; 512];
        let region = Region {
            start: memory.as_mut_ptr().cast(),
            bytes: 4096,
            slack: 0,
            growth: Growth::NONE,
            side: core::ptr::null_mut(),
        };
        // SAFETY: the memory outlives the ground, which alone uses it.
        let mut ground = unsafe { Ground::new(region) };
        let mut workspace = Box::new(Workspace::new());
        let mut run = |work: &mut dyn FnMut(Heap<'_>)| {
            let (entry, strength) = (Entry::of::<Misled>(), Strength::Fast);
            // SAFETY: it takes any geometry.
            unsafe {
                Heap::with_fresh(&entry, &mut ground, &mut workspace, strength, None, work);
            }
        };
        // SAFETY: the byte lies in the region, which a run's heap alone uses while there is one.
        let far = || unsafe { *region.start.add(FAR) };
        run(&mut |mut heap| {
            let mut contents = Contents::HELD;
            let size = BLOCK_BYTES as u64;
            heap.alloc(size, None, false, &mut contents);
            assert_eq!(heap.write(Handle(0), size, 1), Outcome::Done);
            heap.free(Handle(0), &mut contents);
            assert_eq!(far(), 1);
            heap.settle();
        });
        run(&mut |_| assert_eq!(far(), DIRT));
    }
}
