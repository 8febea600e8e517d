//! One subject over one region, and the blocks it has handed out.
//!
//! This is the one place of the harness that touches heap memory: it calls the subject, fills
//! blocks and verifies them (`contents`), asks for what an empty heap has (`capacity`), errs as a
//! client may (`misuse`), puts states back (`rewind`), names blocks anew (`renew`), counts what
//! calls cost (`meter`), sees stores where no block is (`stray`), has it print its table
//! (`tables`), and answers in offsets. It never lets the harness do damage of its own: only blocks
//! that lie wholly inside the heap are filled.
//!
//! Invariant: a slot is live iff the subject granted its block, the block lies inside the heap,
//! and it was not freed since.

#![allow(unsafe_code, reason = "it calls subjects and touches heap memory")]

mod capacity;
mod contents;
mod meter;
mod misuse;
#[cfg(feature = "alloc")]
mod renew;
mod rewind;
mod stray;
mod tables;
#[cfg(test)]
mod testing;
mod workspace;

use core::alloc::Layout;

use crate::observation::{Contents, Outcome, WalkDigest};
use crate::run::ground::Ground;
use crate::subject::declaration::{Declaration, Overhead, Reserved};
use crate::subject::entry::{AnySubject, Entry, Request};
use crate::subject::{Freed, Region};
use crate::trace::geometry::{Geometry, PAGE_BYTES};
use crate::trace::op::{Align, Handle};

use workspace::{LiveSlots, Slot};

pub use meter::{Counter, Meter};
pub use workspace::Workspace;

/// In fast strength, how much of each end of a block is filled and verified.
const END_BYTES: u64 = 16;

/// In fast strength, how much behind the heap is watched before the end.
const WATCHED_WORDS: usize = 8;

/// How much a run checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Everything, after every op: the op reported is the one that did the damage.
    Strict,
    /// Both ends of a block when it is freed or resized; the walk at every sixteenth op, or both
    /// ends of all live blocks where there is no walk; everything at the end.
    Fast,
}

/// A subject at work.
pub struct Heap<'a> {
    declaration: &'a Declaration,
    subject: &'a mut dyn AnySubject,
    ground: &'a mut Ground,
    /// The ground's.
    region: Region,
    /// How much of the side memory the subject uses.
    side_bytes: usize,
    workspace: &'a mut Workspace,
    issued: usize,
    live: usize,
    writes_len: usize,
    strength: Strength,
    /// What was filled or verified since the subject was called last, but for its walk.
    whole: Whole,
    /// Set once the subject may have written where no block is.
    strayed: bool,
    /// Set once a block has left the heap: nothing after it means anything.
    lost: bool,
}

/// Which live blocks are known to hold what the client wrote: nothing that may write was called
/// since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    /// None.
    Unknown,
    /// One that was just filled.
    Block(Handle),
    /// All were verified.
    All,
}

impl Heap<'_> {
    /// Prepares the ground, makes a fresh subject over it, and hands the two to `work`. With a
    /// `meter`, the subject's calls are counted.
    ///
    /// # Safety
    /// The region's geometry is one the declaration accepts.
    pub unsafe fn with_fresh(
        entry: &Entry,
        ground: &mut Ground,
        workspace: &mut Workspace,
        strength: Strength,
        meter: Option<&Meter>,
        work: &mut dyn FnMut(Heap<'_>),
    ) {
        let declaration = &entry.declaration;
        ground.prepare(declaration.region.zeroed);
        let region = ground.region();
        ground.mark(0, reserved_bytes(declaration, region.bytes));
        for page in region.growth.others(region.bytes as u64) {
            // A region may start behind it, with a header that no block is next to.
            let behind = page as usize + PAGE_BYTES as usize;
            ground.mark(behind, behind);
        }
        let mut start = |subject: &mut dyn AnySubject| {
            work(Heap {
                declaration,
                subject,
                ground,
                region,
                side_bytes: entry.side_bytes(region.bytes, region.growth),
                workspace: &mut *workspace,
                issued: 0,
                live: 0,
                writes_len: 0,
                strength,
                whole: Whole::Unknown,
                strayed: false,
                lost: false,
            });
        };
        let mut work = |subject: &mut dyn AnySubject| match meter {
            Some(meter) => start(&mut meter.around(subject)),
            None => start(subject),
        };
        // SAFETY: the ground vouches for the region, the caller for its geometry.
        unsafe { entry.with_fresh(region, &mut work) };
    }

    /// What the subject's users are told.
    #[inline]
    pub const fn declaration(&self) -> &Declaration {
        self.declaration
    }

    /// Whether a block has left the heap, so that the run must end.
    #[inline]
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Asks for a block, checks its zeroes, and fills it.
    #[inline]
    pub fn alloc(
        &mut self,
        size: u64,
        align: Option<Align>,
        zeroed: bool,
        contents: &mut Contents,
    ) -> Outcome {
        let handle = Handle(self.issued as u32);
        let kept = align.unwrap_or(Align::DEFAULT);
        let dead = Slot {
            address: core::ptr::null_mut(),
            size,
            align: kept,
        };
        self.workspace.slots[self.issued] = dead;
        if self.issued.is_multiple_of(64) {
            self.workspace.live[self.issued / 64] = 0;
        }
        self.issued += 1;
        let Some(request) = request(self.declaration, size, align, zeroed) else {
            return Outcome::NotExpressible;
        };
        // SAFETY: `request` answers only with requests inside the declaration.
        let address = unsafe { self.called().alloc(request) };
        let outcome = self.grant(handle, address, size);
        if self.is_live(handle) {
            if zeroed {
                contents.not_zeroed = self.first_wrong(handle, size, None);
                self.note_store(handle, 0, size);
            }
            self.fill(handle);
        }
        outcome
    }

    /// Resizes a live block, checks what was carried over, and fills the rest.
    #[inline]
    pub fn realloc(&mut self, handle: Handle, size: u64, contents: &mut Contents) -> Outcome {
        let Some(slot) = self.live_slot(handle) else {
            return Outcome::NoBlock;
        };
        let (Some(old), Some(_), true) = (
            layout(slot.size, slot.align),
            layout(size, slot.align),
            size > 0,
        ) else {
            return Outcome::NotExpressible;
        };
        contents.corrupted = self.damage_since(handle, slot);
        // SAFETY: the slot is live, so the subject granted it for this layout; the new layout is
        // valid by the check above.
        let address = unsafe { self.called().realloc(slot.address, old, size as usize) };
        if address.is_null() {
            return Outcome::Null;
        }
        self.kill(handle);
        let outcome = self.grant(handle, address, size);
        if self.is_live(handle) {
            let carried = slot.size.min(size);
            contents.realloc_lost = self.first_wrong(handle, carried, Some(slot.size));
            self.note_store(handle, 0, carried);
            self.fill(handle);
        }
        outcome
    }

    /// Frees a live block, after verifying it.
    #[inline]
    pub fn free(&mut self, handle: Handle, contents: &mut Contents) -> Outcome {
        let Some(slot) = self.live_slot(handle) else {
            return Outcome::NoBlock;
        };
        contents.corrupted = contents
            .corrupted
            .or_else(|| self.damage_since(handle, slot));
        self.kill(handle);
        // A live block's layout was valid when it was granted; native sizes beyond any layout
        // never fit the heap. The fallback keeps this total.
        let layout = layout(slot.size, slot.align).unwrap_or(Layout::new::<u64>());
        // SAFETY: the slot was live until the line above, and nothing was called since.
        answer(unsafe { self.called().free(slot.address, layout) })
    }

    /// Frees every live block, lowest handle first.
    pub fn free_all(&mut self, contents: &mut Contents) -> Outcome {
        let mut outcome = Outcome::Done;
        let mut next = self.next_live(0);
        while let Some(handle) = next {
            next = self.next_live(handle.0 as usize + 1);
            if self.free(handle, contents) == Outcome::Refused {
                outcome = Outcome::Refused;
            }
        }
        outcome
    }

    /// Whether `handle` names a live block.
    #[inline]
    pub fn is_live(&self, handle: Handle) -> bool {
        let slot = handle.0 as usize;
        slot < self.issued && self.workspace.live[slot / 64] >> (slot % 64) & 1 == 1
    }

    /// The lowest live handle from this slot on.
    fn next_live(&self, slot: usize) -> Option<Handle> {
        self.live_handles(slot, None).next()
    }

    /// The live handles from this slot on but for one, lowest first.
    #[inline]
    fn live_handles(&self, slot: usize, except: Option<Handle>) -> impl Iterator<Item = Handle> {
        let except = except.map(|handle| handle.0 as usize);
        LiveSlots::new(self.workspace, self.issued, slot, except).map(|slot| Handle(slot as u32))
    }

    /// Says that the run has ended well.
    pub fn settle(&mut self) {
        let known = self.declaration.overhead.is_some() && !self.strayed;
        self.ground.settle(known);
    }

    /// Writes the digest of the subject's chunks.
    #[inline]
    pub fn digest(&self, digest: &mut Option<WalkDigest>) {
        self.subject.digest(digest);
    }

    /// The subject, for a call that may write.
    fn called(&mut self) -> &mut dyn AnySubject {
        self.whole = Whole::Unknown;
        self.subject
    }

    /// The subject itself.
    pub(crate) const fn subject(&self) -> &dyn AnySubject {
        self.subject
    }

    fn live_slot(&self, handle: Handle) -> Option<Slot> {
        self.is_live(handle).then(|| self.slot(handle))
    }

    #[inline]
    fn slot(&self, handle: Handle) -> Slot {
        self.workspace.slots[handle.0 as usize]
    }

    fn kill(&mut self, handle: Handle) {
        self.workspace.live[handle.0 as usize / 64] &= !(1 << (handle.0 % 64));
        self.live -= 1;
    }

    /// Takes note of the subject's answer to a request.
    #[inline]
    fn grant(&mut self, handle: Handle, address: *mut u8, size: u64) -> Outcome {
        if address.is_null() {
            return Outcome::Null;
        }
        let offset = address.addr().wrapping_sub(self.region.start.addr()) as i64;
        let inside = u64::try_from(offset)
            .ok()
            .and_then(|offset| offset.checked_add(size))
            .is_some_and(|end| end <= self.region.bytes as u64)
            && (self.region.growth).spares(self.region.bytes as u64, offset as u64, size);
        let slot = &mut self.workspace.slots[handle.0 as usize];
        (slot.address, slot.size) = (address, size);
        self.workspace.live[handle.0 as usize / 64] |= u64::from(inside) << (handle.0 % 64);
        self.live += usize::from(inside);
        self.lost |= !inside;
        Outcome::Placed(offset)
    }
}

/// Bytes at the region's start that the subject keeps for itself.
const fn reserved_bytes(declaration: &Declaration, bytes: usize) -> usize {
    match declaration.overhead {
        Some(Overhead {
            reserved: Reserved::PageDescriptors,
            ..
        }) => bytes / PAGE_BYTES as usize,
        _ => 0,
    }
}

fn answer(freed: Freed) -> Outcome {
    match freed {
        Freed::Done => Outcome::Done,
        Freed::Refused => Outcome::Refused,
    }
}

#[inline]
fn layout(size: u64, align: Align) -> Option<Layout> {
    Layout::from_size_align(
        usize::try_from(size).ok()?,
        usize::try_from(align.bytes()).ok()?,
    )
    .ok()
}

/// The request as the subject can be asked; `None` where it cannot.
#[inline]
pub(crate) fn request(
    declaration: &Declaration,
    size: u64,
    align: Option<Align>,
    zeroed: bool,
) -> Option<Request> {
    let bytes = usize::try_from(size).ok()?;
    if declaration.native && align.is_none() {
        return Some(Request {
            size: bytes,
            align: None,
            zeroed,
        });
    }
    let align = align.unwrap_or(Align::DEFAULT);
    let align_max = declaration.align_max.min(Geometry::ALIGN);
    let layout = layout(size, align).filter(|_| size > 0 && align.bytes() <= align_max)?;
    Some(Request {
        size: bytes,
        align: Some(layout.align()),
        zeroed,
    })
}
